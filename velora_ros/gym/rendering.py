"""Pictures of an environment without a screen: choose an OpenGL backend in time, and say so when there is none."""

import importlib
import os
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from velora_ros.errors import MissingDependencyError

OFF_SCREEN = ('rgb_array', 'rgb_array_list', 'depth_array', 'rgbd_tuple')


def choose_backend() -> None:
    """
    Set ``MUJOCO_GL`` to ``egl`` where nothing chose otherwise and there is no display.

    Without it gymnasium takes GLFW, which needs a display. To be called before MuJoCo is imported.
    """
    if not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        os.environ.setdefault('MUJOCO_GL', 'egl')


def check_rendering(backend: str = '') -> None:
    """
    Make a small OpenGL context and let it go, so that a machine without OpenGL is told of before anything runs.

    Args:
        backend: ``egl``, ``osmesa`` or ``glfw``; empty is what gymnasium will take.

    Raises:
        MissingDependencyError: MuJoCo or its OpenGL backend is not there; the message says what to install.
    """
    choose_backend()
    backend = backend or os.environ.get('MUJOCO_GL', 'glfw')
    try:
        with warnings.catch_warnings(action='ignore'):  # GLFW warns of what the error below says
            context = importlib.import_module(f'mujoco.{backend}').GLContext(8, 8)
            context.make_current()
            mujoco = importlib.import_module('mujoco')
            mujoco.MjrContext(mujoco.MjModel.from_xml_string('<mujoco/>'), mujoco.mjtFontScale.mjFONTSCALE_100).free()
            context.free()
    except Exception as error:  # from ImportError to AttributeError, as each backend fails in its own way
        raise MissingDependencyError(
            f"no picture can be made: the OpenGL backend '{backend}' does not work here ({_one_line(error)}). "
            'Install EGL (apt install libegl1 libgl1-mesa-dri) and set MUJOCO_GL=egl, '
            'or install libosmesa6 and set MUJOCO_GL=osmesa.'
        ) from error


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


def _one_line(error: Exception) -> str:
    return f'{type(error).__name__}: {" ".join(str(error).split())}'.rstrip('. :')
