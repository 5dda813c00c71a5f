"""Commands that need ROS: each runs as its own process, which replaces this one."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from velora_ros.errors import MissingDependencyError


def become(process: str, words: Sequence[str]) -> NoReturn:
    """
    Replace this process with ``python -m velora_ros.nodes.<process> <words>``, which signals then reach directly.

    Raises:
        MissingDependencyError: ROS is not installed.
    """
    if importlib.util.find_spec('rclpy') is None:
        raise MissingDependencyError(
            f"'velora_ros {process}' needs ROS 2, but Python does not find rclpy; source your ROS workspace, or "
            'install requirements/ros-jazzy.txt as make control does.'
        )
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, '-m', f'velora_ros.nodes.{process}', *words])
