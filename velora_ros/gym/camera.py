"""A camera on a simulated robot: pictures without a screen."""

import importlib
import os
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.gym.rendering import check_rendering

MOST_GEOMS = 10_000


def off_screen_backend() -> str:
    """Return the OpenGL backend for off-screen pictures: the value of ``MUJOCO_GL``, otherwise ``egl``."""
    return os.environ.get('MUJOCO_GL') or 'egl'


class Camera:
    """
    Draws a model in a given state.

    OpenGL is bound to a thread: create, use and close a camera in the same thread.

    Args:
        model: MuJoCo's model; its off-screen buffer is enlarged to the size of the picture.
        width: width of the picture [px].
        height: height of the picture [px].
        name: one of the model's cameras; empty: a view of the whole model.
        view: fields of ``mjvCamera`` for the view of the whole model, for example ``distance``.

    Raises:
        ConfigError: the model has no such camera.
        MissingDependencyError: OpenGL does not work here; the message says what to install.
    """

    def __init__(
        self, model: mujoco.MjModel, width: int, height: int, name: str = '', view: dict[str, Any] | None = None
    ) -> None:
        check_rendering(off_screen_backend())
        self._model, self._size = model, (width, height)
        buffer = model.vis.global_
        buffer.offwidth, buffer.offheight = max(buffer.offwidth, width), max(buffer.offheight, height)
        self._camera = _named_camera(model, name) if name else _free_camera(model, view or {})
        self._option = mujoco.MjvOption()
        self._scene = mujoco.MjvScene(model, maxgeom=MOST_GEOMS)
        self._gl: Any = importlib.import_module(f'mujoco.{off_screen_backend()}').GLContext(width, height)
        try:
            self._gl.make_current()
            self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        except Exception:
            self._gl.free()
            raise

    def picture(self, data: mujoco.MjData) -> npt.NDArray[np.uint8]:
        """Return a picture of the state, shape (height, width, 3), as red, green and blue."""
        width, height = self._size
        mujoco.mjv_updateScene(
            self._model, data, self._option, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL, self._scene
        )
        area, pixels = mujoco.MjrRect(0, 0, width, height), np.empty((height, width, 3), dtype=np.uint8)
        mujoco.mjr_render(area, self._scene, self._context)
        mujoco.mjr_readPixels(pixels, None, area, self._context)
        return pixels[::-1]  # OpenGL starts at the bottom row

    def close(self) -> None:
        """Free the OpenGL context."""
        self._context.free()
        self._gl.free()


def _named_camera(model: mujoco.MjModel, name: str) -> mujoco.MjvCamera:
    names = [model.camera(index).name for index in range(model.ncam)]
    if name not in names:
        raise ConfigError(f"the model has no camera '{name}'.{did_you_mean(name, names)}")
    camera = mujoco.MjvCamera()
    camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, names.index(name)
    return camera


def _free_camera(model: mujoco.MjModel, view: dict[str, Any]) -> mujoco.MjvCamera:
    camera = mujoco.MjvCamera()
    mujoco.mjv_defaultFreeCamera(model, camera)
    for field, value in view.items():
        if isinstance(value, np.ndarray):
            getattr(camera, field)[:] = value
        else:
            setattr(camera, field, value)
    return camera
