"""Reads ROS parameter files before a node runs: the sections that match it, and the values that it will get."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_PARAMETERS = 'ros__parameters'
_SAFE = yaml.SafeLoader


def value_in(file: str, node: str, parameter: str) -> Any:
    """
    Return a parameter's value by rcl's rules: the last section that matches the node counts.

    Unlike in rcl, a bare ``policy_node:`` matches in every namespace, after all other keys: see :func:`sections_of`.

    Args:
        file: path of a YAML file of ROS parameters; '' for none.
        node: full name of the node.
        parameter: its name, dots allowed.

    Returns:
        The value; None if the file does not set it or cannot be read (the node itself will report why).
    """
    value = None
    for text in sections_of(file, node):
        value = _look_up(yaml.load(text, _SAFE)[node][_PARAMETERS], parameter, value)
    return value


def sections_of(file: str, node: str, *, bare_only: bool = False) -> list[str]:
    """
    Return the sections of a file that match a node, each as a parameter file keyed by the node's full name.

    Later sections override earlier ones. rcl orders sections by the first appearance of their key in any file: a
    ``/**/policy_node:`` in an earlier file can override a ``/**:`` in the user's file. A section keyed by the full name
    always overrides both. Moreover, rcl matches a bare ``policy_node:`` only with ``/policy_node``; launch files that
    apply a parameter file to a namespace, such as nav2's, put the namespace in front of such keys.

    Args:
        file: path of a YAML file of ROS parameters; '' for none.
        node: full name of the node.
        bare_only: return only the sections that rcl itself would not match: bare names, for a node in a namespace.

    Returns:
        The text of one parameter file for each section.
    """
    sections = list(_sections(file))
    bare = [(node, section) for key, section in sections if key == node.rpartition('/')[2] and node.count('/') > 1]
    found = [*([] if bare_only else sections), *bare]
    return [_write(node, section) for pattern, section in found if _matches(pattern, node)]


def names_a_node(file: str, names: tuple[str, ...]) -> bool:
    """Return whether the file has a section for a node of one of these names; a section ``/**`` does not count."""
    return any(pattern.rpartition('/')[2] in names for pattern, _ in _sections(file))


def _sections(file: str) -> Iterator[tuple[str, yaml.MappingNode]]:
    """Yield (key as written, parameters) of each section; a namespace may be a key of its own above the node's."""
    try:
        content = yaml.compose(Path(file).read_text(encoding='utf-8'), _SAFE) if file else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return
    yield from _sections_below('', content)


def _sections_below(prefix: str, content: yaml.Node | None) -> Iterator[tuple[str, yaml.MappingNode]]:
    for key, inner in content.value if isinstance(content, yaml.MappingNode) else ():
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value == _PARAMETERS:
            if isinstance(inner, yaml.MappingNode) and prefix:
                yield prefix, inner
        else:
            name = f'{prefix.rstrip("/")}/{key.value.lstrip("/")}' if prefix else key.value
            yield from _sections_below(name, inner)


def _write(node: str, section: yaml.MappingNode) -> str:
    """Return a parameter file with one section; numbers and quotes stay as they were written."""
    text = yaml.ScalarNode('tag:yaml.org,2002:str', node), yaml.ScalarNode('tag:yaml.org,2002:str', _PARAMETERS)
    inner = yaml.MappingNode('tag:yaml.org,2002:map', [(text[1], section)])
    return str(yaml.serialize(yaml.MappingNode('tag:yaml.org,2002:map', [(text[0], inner)]), Dumper=yaml.SafeDumper))


def _matches(pattern: str, node: str) -> bool:
    """Return whether a key matches a node: ``**`` stands for any number of names between slashes, ``*`` for one."""
    parts = [re.escape(part) if '*' not in part else part for part in f'/{pattern.strip("/")}'.split('/')[1:]]
    expression = ''.join('(/[^/]+)*' if part == '**' else f'/{part.replace("*", "[^/]+")}' for part in parts)
    return re.fullmatch(expression, node) is not None


def _look_up(section: dict[str, Any], parameter: str, default: Any) -> Any:
    """Return the value of a parameter whose name is written with dots or as nested mappings."""
    if parameter in section:
        return section[parameter]
    head, _, rest = parameter.partition('.')
    inner = section.get(head)
    return _look_up(inner, rest, default) if rest and isinstance(inner, dict) else default
