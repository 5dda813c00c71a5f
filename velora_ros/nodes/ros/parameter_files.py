"""What ROS parameter files say of a node, for those who must know it before the node runs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_PARAMETERS = 'ros__parameters'
_SAFE = yaml.SafeLoader


def value_in(file: str, node: str, parameter: str) -> Any:
    """
    Return a parameter's value, by rcl's rules: the last of the sections that match the node counts.

    A bare ``policy_node:`` counts in every namespace here, after all others: :func:`sections_of` hands it on.

    Args:
        file: path of a YAML file of ROS parameters; '' for none.
        node: full name of the node.
        parameter: its name, dots allowed.

    Returns:
        the value; None where the file does not say, or cannot be read: the node itself will say why.
    """
    value = None
    for text in sections_of(file, node):
        value = _look_up(yaml.load(text, _SAFE)[node][_PARAMETERS], parameter, value)
    return value


def sections_of(file: str, node: str, *, bare_only: bool = False) -> list[str]:
    """
    Return what a file says of a node, as parameter files keyed by its full name, in the order in which they count.

    rcl orders sections by where their key came up first, in whichever file: a ``/**:`` in the user's file can come
    before a ``/**/policy_node:`` of a file named earlier. A section under the full name counts last in any case. And
    rcl takes a bare ``policy_node:`` for ``/policy_node`` alone; launch files such as nav2's, which take parameter
    files for a namespace, write such keys anew with the namespace in front.

    Args:
        file: path of a YAML file of ROS parameters; '' for none.
        node: full name of the node.
        bare_only: only the sections that rcl itself would not find: bare names, in a namespace.

    Returns:
        the text of one parameter file for each section.
    """
    sections = list(_sections(file))
    bare = [(node, section) for key, section in sections if key == node.rpartition('/')[2] and node.count('/') > 1]
    found = [*([] if bare_only else sections), *bare]
    return [_write(node, section) for pattern, section in found if _matches(pattern, node)]


def names_a_node(file: str, names: tuple[str, ...]) -> bool:
    """Tell whether a section of the file ends in one of these node names; ``/**`` alone names none of them."""
    return any(pattern.rpartition('/')[2] in names for pattern, _ in _sections(file))


def _sections(file: str) -> Iterator[tuple[str, yaml.MappingNode]]:
    """Yield (name as written, parameters) of each section; namespaces may be keys of their own above the node's."""
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
    """Return a parameter file with this section; numbers and quotes stay as they were written."""
    text = yaml.ScalarNode('tag:yaml.org,2002:str', node), yaml.ScalarNode('tag:yaml.org,2002:str', _PARAMETERS)
    inner = yaml.MappingNode('tag:yaml.org,2002:map', [(text[1], section)])
    return str(yaml.serialize(yaml.MappingNode('tag:yaml.org,2002:map', [(text[0], inner)]), Dumper=yaml.SafeDumper))


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
