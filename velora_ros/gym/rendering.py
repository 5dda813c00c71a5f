"""Pictures of an environment without a screen: the choice of the OpenGL backend, and errors if there is none."""

import importlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError, MissingDependencyError, VeloraError
from velora_ros.gym.describe_env_errors import one_line, places_of, with_causes

MUJOCO_GL = 'MUJOCO_GL'
# Errors that come from these files mean that OpenGL does not work here.
_OPENGL_CODE = ('/OpenGL/', '/mujoco/egl/', '/mujoco/osmesa/', '/mujoco/glfw/', '/mujoco/rendering/', '/glfw/')
OFF_SCREEN = ('rgb_array', 'rgb_array_list', 'depth_array', 'rgbd_tuple')


def choose_backend() -> None:
    """
    Set ``MUJOCO_GL`` to ``egl`` if it is not set and there is no display; to ``osmesa`` if only OSMesa is installed.

    Otherwise gymnasium would use GLFW, which needs a display. Call this before MuJoCo is imported.
    """
    if not any(os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY', MUJOCO_GL)):
        only_osmesa = not find_library('EGL') and find_library('OSMesa')
        os.environ[MUJOCO_GL] = 'osmesa' if only_osmesa else 'egl'


def check_rendering(backend: str = '') -> None:
    """
    Create and free a small OpenGL context, so that a machine without OpenGL is reported before anything runs.

    Args:
        backend: ``egl``, ``osmesa`` or ``glfw``; empty: the backend that gymnasium will use.

    Raises:
        MissingDependencyError: MuJoCo or its OpenGL backend is missing; the message says what to install.
    """
    choose_backend()
    backend = backend or os.environ.get(MUJOCO_GL, 'glfw')
    try:
        with warnings.catch_warnings(action='ignore'):  # GLFW's warning repeats the error below
            context = importlib.import_module(f'mujoco.{backend}').GLContext(8, 8)
            context.make_current()
            mujoco = importlib.import_module('mujoco')
            mujoco.MjrContext(mujoco.MjModel.from_xml_string('<mujoco/>'), mujoco.mjtFontScale.mjFONTSCALE_100).free()
            context.free()
    except Exception as error:  # ImportError, AttributeError and others: each backend fails in its own way
        raise MissingDependencyError(_no_backend(backend, error)) from error


def backend_failure(error: BaseException) -> VeloraError | None:
    """
    Return the error to raise if importing MuJoCo or drawing failed because of OpenGL; None for other failures.

    MuJoCo loads the backend named by ``MUJOCO_GL`` when it is imported, so any first use of it can fail.
    """
    backend = os.environ.get(MUJOCO_GL, '')
    texts = [one_line(one) for one in with_causes(error)]
    if any(MUJOCO_GL in text and 'invalid value' in text for text in texts):
        return ConfigError(
            f"the environment variable {MUJOCO_GL} is '{backend}', which MuJoCo does not support; "
            'set it to egl, osmesa or glfw, or unset it.'
        )
    if isinstance(error, VeloraError):
        return None
    if any(part in place.filename.replace(os.sep, '/') for place in places_of(error) for part in _OPENGL_CODE):
        return MissingDependencyError(_no_backend(backend or 'glfw', error))
    return None


@contextmanager
def explained() -> Iterator[None]:
    """
    Import MuJoCo, or a module that imports it, inside this context to get a clear error if OpenGL does not work.

    Raises:
        ConfigError: ``MUJOCO_GL`` is not the name of an OpenGL backend.
        MissingDependencyError: the backend does not work here.
    """
    try:
        yield
    except Exception as error:
        if broken := backend_failure(error):
            raise broken from error
        raise


def light_up(env: 'gym.Env[Any, Any]') -> bool:
    """
    Add a bright light from the camera to a MuJoCo model that has no light; the physics does not change.

    Returns:
        whether the model had no light.
    """
    model = getattr(env.unwrapped, 'model', None)
    dark = getattr(model, 'nlight', 1) == 0
    if dark:
        model.vis.headlight.ambient[:], model.vis.headlight.diffuse[:] = 0.5, 0.6  # type: ignore[union-attr]
    return dark


def frame(env: 'gym.Env[Any, Any]') -> npt.NDArray[np.uint8]:
    """
    Return the current picture, shape (height, width, 3).

    Args:
        env: an environment made with ``render_mode='rgb_array'`` and reset.

    Raises:
        MissingDependencyError: the environment cannot draw.
    """
    try:
        image = env.render()
    except Exception as error:  # each renderer fails in its own way
        raise MissingDependencyError(
            f'the environment cannot be rendered here: {_one_line(error)}. Correct its render(), or run without '
            'pictures.'
        ) from error
    if not isinstance(image, np.ndarray):
        raise MissingDependencyError(
            f"the environment's render() returned {type(image).__name__}, not a picture; make it with "
            "render_mode='rgb_array'."
        )
    return image


def _no_backend(backend: str, error: BaseException) -> str:
    return (
        f"no picture can be made: the OpenGL backend '{backend}' does not work here ({_one_line(error)}). "
        'Install EGL (apt install libegl1 libgl1-mesa-dri) and set MUJOCO_GL=egl, '
        'or install libosmesa6 and set MUJOCO_GL=osmesa.'
    )


def _one_line(error: BaseException) -> str:
    return f'{type(error).__name__}: {one_line(error)}'.rstrip(': ')
