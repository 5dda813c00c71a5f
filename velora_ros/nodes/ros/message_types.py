"""
Message types by name: their classes, and one spelling for each.

``Twist``, ``geometry_msgs/Twist`` and ``geometry_msgs/msg/Twist`` are the same type. A short name that
is not in a parameter's own list is looked up in the installed message packages.
"""

import importlib
import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from velora_ros.errors import ConfigError

# Folder below the prefix of an installation with one file for each message package, which lists its types.
_INDEX = 'share/ament_index/resource_index/rosidl_interfaces'
# If several packages have a type of the same name, the first of these packages counts.
_USUAL = ('std_msgs', 'geometry_msgs', 'sensor_msgs', 'nav_msgs', 'trajectory_msgs', 'diagnostic_msgs')


def interface_class(name: str) -> Any:
    """Import and return the class of a message or service type such as ``std_msgs/msg/Empty``."""
    package, kind, class_name = name.split('/')
    return getattr(importlib.import_module(f'{package}.{kind}'), class_name)


def is_installed(name: str) -> bool:
    """Return whether a message type such as ``tf2_msgs/msg/TFMessage`` is installed."""
    try:
        interface_class(name)
    except ImportError:
        return False
    return True


def canonical_type(kind: str, short: Mapping[str, str]) -> str:
    """
    Return the one spelling of a message type that the rest of the code uses.

    Args:
        kind: a short or full name, with ``/``, ``.`` or ``::`` between its parts.
        short: the types that have a short name, with their full names.

    Returns: A key of ``short`` if the type is in it, otherwise the full name ``package/msg/Name``, or ``kind`` itself
        if it is not the name of an installed type.

    Raises:
        ConfigError: several installed packages have a type of this short name.
    """
    parts = re.split(r'/|::|\.', kind.strip())
    if len(parts) == 1:
        return kind.strip() if kind.strip() in short else _installed(parts[0]) or kind
    if len(parts) == 2:
        parts.insert(1, 'msg')
    if len(parts) != 3 or not all(parts) or parts[1] != 'msg':
        return kind
    full = '/'.join(parts)
    return next((name for name, other in short.items() if other == full), full)


def _installed(name: str) -> str:
    """Return the full name of an installed type by its short name; ``''`` if there is none."""
    packages = _packages_with(name)
    if not packages:
        return ''
    usual = [package for package in _USUAL if package in packages]
    if not usual and len(packages) > 1:
        raise ConfigError(
            f"several packages have a message type '{name}'; write one of "
            f'{", ".join(f"{package}/msg/{name}" for package in packages)}.'
        )
    return f'{(usual or packages)[0]}/msg/{name}'


@cache
def _packages_with(name: str) -> tuple[str, ...]:
    wanted = {f'msg/{name}.msg', f'msg/{name}.idl'}
    # Packages installed with pip are below sys.prefix. ament_index_python would raise an error if no ROS is sourced.
    prefixes = [*filter(None, os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)), sys.prefix]
    files = [file for prefix in prefixes for file in Path(prefix, _INDEX).glob('*') if file.is_file()]
    found = {file.name for file in files if wanted & set(file.read_text(errors='replace').split())}
    return tuple(sorted(found))
