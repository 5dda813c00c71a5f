"""
Finds the definition of a message type and of all types in it, as text in the format ``ros2msg``, for MCAP files.

A definition is read from the ``.msg`` file of the installed package, which also has constants and comments. If there is
no such file, the definition is made from the fields of the message's class.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

from velora_ros.nodes.ros.message_types import interface_class

_SEPARATOR = '=' * 80
_PRIMITIVES = {'boolean': 'bool', 'octet': 'byte', 'float': 'float32', 'double': 'float64'}
_SEQUENCE = re.compile(r'sequence<(.+?)(?:, (\d+))?>')
_ARRAY = re.compile(r'(.+)\[(\d+)\]')


def message_definition(kind: str) -> str:
    """
    Return the definition of a type such as ``sensor_msgs/msg/Imu``, followed by the definitions of the types in it.

    Raises:
        ImportError, AttributeError: there is no such type.
    """
    parts = [f'{_SEPARATOR}\nMSG: {_short(used)}\n{_text(used)}' for used in used_types(kind)]
    return '\n'.join([_text(kind), *parts])


def used_types(kind: str) -> list[str]:
    """Return the full names of all message types in a message type, at any depth, each once."""
    found: dict[str, None] = {}
    waiting = [kind]
    while waiting:
        for field in _fields(interface_class(waiting.pop())).values():
            inner = _element(field)
            if '/' in inner and (full := _full(inner)) not in found:
                found[full] = None
                waiting.append(full)
    return list(found)


def definition_of_fields(message: Any) -> str:
    """Return the definition of a message class, made from its fields, so without constants, defaults and comments."""
    return ''.join(f'{_in_msg_syntax(type_)} {name}\n' for name, type_ in _fields(message).items())


def _text(kind: str) -> str:
    package, _, name = kind.split('/')
    for prefix in [*filter(None, os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)), sys.prefix]:
        path = Path(prefix, 'share', package, 'msg', f'{name}.msg')
        if path.is_file():
            return path.read_text(encoding='utf-8')
    return definition_of_fields(interface_class(kind))


def _fields(message: Any) -> dict[str, str]:
    fields: dict[str, str] = message.get_fields_and_field_types()
    return fields


def _element(type_: str) -> str:
    """Return the type of an array's elements; for any other type, the type itself."""
    match = _SEQUENCE.fullmatch(type_) or _ARRAY.fullmatch(type_)
    return match[1] if match else type_


def _in_msg_syntax(type_: str) -> str:
    if match := _SEQUENCE.fullmatch(type_):
        return f'{_scalar(match[1])}[{f"<={match[2]}" if match[2] else ""}]'
    if match := _ARRAY.fullmatch(type_):
        return f'{_scalar(match[1])}[{match[2]}]'
    return _scalar(type_)


def _scalar(type_: str) -> str:
    if match := re.fullmatch(r'(w?string)<(\d+)>', type_):
        return f'{match[1]}<={match[2]}'
    return _PRIMITIVES.get(type_, type_)


def _full(type_: str) -> str:
    """Return ``package/msg/Name`` for ``package/Name``."""
    package, _, name = type_.rpartition('/')
    return type_ if package.endswith('/msg') else f'{package}/msg/{name}'


def _short(kind: str) -> str:
    package, _, name = kind.split('/')
    return f'{package}/{name}'
