"""Pictures of an environment without a screen: choose an OpenGL backend in time, and say so when there is none."""

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
from velora_ros.gym.environment_errors import one_line, places_of, with_causes

MUJOCO_GL = 'MUJOCO_GL'
# Files whose errors mean that there is no OpenGL here.
_OPENGL_CODE = ('/OpenGL/', '/mujoco/egl/', '/mujoco/osmesa/', '/mujoco/glfw/', '/mujoco/rendering/', '/glfw/')
OFF_SCREEN = ('rgb_array', 'rgb_array_list', 'depth_array', 'rgbd_tuple')


def choose_backend() -> None:
    """
    Set ``MUJOCO_GL`` where nothing chose otherwise and there is no display.

    To ``egl``, or where only OSMesa is installed to ``osmesa``: without it gymnasium takes GLFW, which needs a display.
    To be called before a picture is made.
    """
    if not any(os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY', MUJOCO_GL)):
        only_osmesa = not find_library('EGL') and find_library('OSMesa')
        os.environ[MUJOCO_GL] = 'osmesa' if only_osmesa else 'egl'


def check_rendering(backend: str = '') -> None:
    """
    Make a small OpenGL context and let it go, so that a machine without OpenGL is told of before anything runs.

    Args:
        backend: ``egl``, ``osmesa`` or ``glfw``; empty is what gymnasium will take.

    Raises:
        MissingDependencyError: MuJoCo or its OpenGL backend is not there; the message says what to install.
    """
    choose_backend()
    backend = backend or os.environ.get(MUJOCO_GL, 'glfw')
    try:
        with warnings.catch_warnings(action='ignore'):  # GLFW warns of what the error below says
            context = importlib.import_module(f'mujoco.{backend}').GLContext(8, 8)
            context.make_current()
            mujoco = importlib.import_module('mujoco')
            mujoco.MjrContext(mujoco.MjModel.from_xml_string('<mujoco/>'), mujoco.mjtFontScale.mjFONTSCALE_100).free()
            context.free()
    except Exception as error:  # from ImportError to AttributeError, as each backend fails in its own way
        raise MissingDependencyError(_no_backend(backend, error)) from error


def backend_failure(error: BaseException) -> VeloraError | None:
    """
    Return what to raise where importing MuJoCo or drawing failed because of OpenGL; None: it was something else.

    MuJoCo loads the backend that ``MUJOCO_GL`` names when it is imported, so every use of it may fail.
    """
    backend = os.environ.get(MUJOCO_GL, '')
    texts = [one_line(one) for one in with_causes(error)]
    if any(MUJOCO_GL in text and 'invalid value' in text for text in texts):
        return ConfigError(
            f"the environment variable {MUJOCO_GL} is '{backend}', which MuJoCo does not know; "
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
    Import MuJoCo, or what imports it, inside: an OpenGL backend that does not work is then one sentence.

    Raises:
        ConfigError: ``MUJOCO_GL`` names no OpenGL backend.
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
    Light a MuJoCo model that brings no light of its own, brightly and from the camera; it moves as before.

    Returns:
        whether it was dark.
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
        env: made with ``render_mode='rgb_array'`` and reset.

    Raises:
        MissingDependencyError: it has no picture to give.
    """
    try:
        image = env.render()
    except Exception as error:  # each renderer fails in its own way
        raise MissingDependencyError(f'the environment cannot be rendered here ({_one_line(error)}).') from error
    if not isinstance(image, np.ndarray):
        raise MissingDependencyError(
            f"the environment gave {type(image).__name__} for a picture; make it with render_mode='rgb_array'."
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
