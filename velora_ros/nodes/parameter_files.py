"""What a ROS parameter file says of a node, for those who must know it before the node runs."""

import re
from pathlib import Path
from typing import Any

import yaml


def value_in(file: str, node: str, parameter: str) -> Any:
    """
    Return a parameter's value, by rcl's rules: the last of the sections that match the node counts.

    Args:
        file: path of a YAML file of ROS parameters; '' for none.
        node: full name of the node.
        parameter: its name, dots allowed.

    Returns:
        the value; None where the file does not say, or cannot be read: the node itself will say why.
    """
    try:
        sections = yaml.safe_load(Path(file).read_text(encoding='utf-8')) if file else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    value = None
    for name, section in (sections if isinstance(sections, dict) else {}).items():
        own = section.get('ros__parameters') if isinstance(section, dict) else None
        if isinstance(own, dict) and _matches(str(name), node):
            value = _look_up(own, parameter, value)
    return value


def _matches(pattern: str, node: str) -> bool:
    """Tell whether a section is about a node: ``**`` stands for any names between slashes, ``*`` for one of them."""
    parts = [re.escape(part) if '*' not in part else part for part in f'/{pattern.strip("/")}'.split('/')[1:]]
    expression = ''.join('(/[^/]+)*' if part == '**' else f'/{part.replace("*", "[^/]+")}' for part in parts)
    return re.fullmatch(expression, node) is not None


def _look_up(section: dict[str, Any], parameter: str, default: Any) -> Any:
    """Return a value whose name is written with dots, or as sections in sections."""
    if parameter in section:
        return section[parameter]
    head, _, rest = parameter.partition('.')
    inner = section.get(head)
    return _look_up(inner, rest, default) if rest and isinstance(inner, dict) else default
