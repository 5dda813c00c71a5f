"""
Reads the YAML file of a LEAPP bundle: the tensors of the model, which of them are fed back, and the other files.

The format is version 1.x of https://nvidia-isaac.github.io/leapp. Only ``models`` and ``pipeline`` are used.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from velora_ros.errors import PolicyFileError
from velora_ros.policy.foreign.leapp_terms import Port
from velora_ros.policy.foreign.onnx_model_checks import LARGEST_TENSOR, one_line

_LARGEST_CONTENT = 200_000  # number of values, including values that an alias repeats
_MOST_BRACKETS = 20_000
_MOST_PORTS = 64


@dataclass(frozen=True)
class Contents:
    """
    The content of the YAML file.

    Args:
        node: name of the model.
        given: inputs that the robot gives, in the model's order.
        memory: inputs to which an output is fed back.
        feedback: for each input in ``memory``, the output from which it comes.
        sent: outputs of the bundle.
        frequency: how often the model is run [Hz]; 0 if not known.
        backend: the runtime that runs the model, such as ``onnx``.
        model: name of the model's file.
        sha256: digest of the model's file, in hex; None if not known.
        start: name of the file of start values; None if there is none.
    """

    node: str
    given: list[Port]
    memory: list[Port]
    feedback: Mapping[str, str]
    sent: list[Port]
    frequency: float
    backend: Any
    model: Any
    sha256: Any
    start: Any


def parse_contents(text: bytes) -> Contents:
    """
    Return the content of a YAML file from its bytes.

    Raises:
        PolicyFileError: it is not the YAML file of a bundle, or has several models.
    """
    content = _parse(text)
    name, node = _only_model(content)
    pipeline = _mapping(content.get('pipeline'), "'pipeline'")
    inputs, outputs = (_ports(node.get(what), f"'models.{name}.{what}'") for what in ('inputs', 'outputs'))
    parameters = _mapping(node.get('parameters'), f"'models.{name}.parameters'")
    feedback, sent = _feedback(pipeline, name), _boundary(pipeline, 'outputs', name)
    memory = {port.name: port for port in inputs if port.name in feedback}
    if unknown := [one for one in feedback if one not in memory]:
        raise PolicyFileError(f"its feedback goes to '{unknown[0][:60]}', which is not an input; export it again")
    return Contents(
        name, [port for port in inputs if port.name not in feedback], [memory[one] for one in feedback], feedback,
        [port for port in outputs if port.name in sent], _frequency(pipeline), parameters.get('backend'),
        parameters.get('model_path'), parameters.get('sha256sum'), pipeline.get('initial_values'),
    )  # fmt: skip


def _parse(text: bytes) -> Mapping[str, Any]:
    """Return the content of the YAML file; content that aliases make too large is refused."""
    if text.count(b'[') + text.count(b'{') > _MOST_BRACKETS:
        raise PolicyFileError(f'it has more than {_MOST_BRACKETS} opening brackets; export it again')
    try:
        if _size(yaml.compose(text, yaml.SafeLoader), {}) > _LARGEST_CONTENT:
            raise PolicyFileError(f'it has more than {_LARGEST_CONTENT} values; export it again')
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError) as error:
        raise PolicyFileError(f'it is not YAML ({one_line(error)}); export it again') from error
    return _mapping(content, 'its content')


def _size(node: Any, known: dict[int, float]) -> float:
    """Return the number of values in a YAML node; the values of an alias count each time that it occurs."""
    if id(node) not in known:
        known[id(node)] = math.inf  # the node may contain itself
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        inner = [part for pair in parts for part in pair] if isinstance(node, yaml.MappingNode) else parts
        known[id(node)] = 1 + sum(_size(part, known) for part in inner)
    return known[id(node)]


def _only_model(content: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    models = _mapping(content.get('models'), "'models'")
    if len(models) != 1:
        raise PolicyFileError(
            f'it has {len(models)} models ({", ".join(map(str, list(models)[:6]))}), but only one can be run; export '
            'preprocessing and policy as one model, with the same node name in all annotations'
        )
    name, node = next(iter(models.items()))
    return name, _mapping(node, f"'models.{name}'")


def _ports(listed: Any, what: str) -> list[Port]:
    if not isinstance(listed, list) or not 0 < len(listed) <= _MOST_PORTS:
        raise PolicyFileError(f'{what} must be a list of 1 to {_MOST_PORTS} tensors; export the bundle again')
    ports = [_port(_mapping(one, f'an entry of {what}'), what) for one in listed]
    if len({port.name for port in ports}) < len(ports):
        raise PolicyFileError(f'{what} contains a name twice; export it again')
    return ports


def _port(entry: Mapping[str, Any], what: str) -> Port:
    name, shape = entry.get('name'), entry.get('shape')
    if not isinstance(name, str) or not name:
        raise PolicyFileError(f'{what} has a tensor without a name; export it again')
    sizes = shape if isinstance(shape, list) and all(type(size) is int and size > 0 for size in shape) else None
    if sizes is None or not 0 < math.prod(sizes) <= LARGEST_TENSOR:
        raise PolicyFileError(
            f"the shape of '{name}' is {str(shape)[:80]}; it must be a list of positive "
            f'integers whose product is at most {LARGEST_TENSOR}'
        )
    size, kind = math.prod(sizes), entry.get('kind')
    if 'temporal_period_ms' in entry or entry.get('history_length') or entry.get('history'):
        raise PolicyFileError(
            f"its tensor '{name}' has several time steps, but only the newest is available; export the history as a "
            'part of the model (annotate.state_tensors)'
        )
    names = _element_names(entry.get('element_names'), name, size)
    return Port(name, size, kind if isinstance(kind, str) else '', names, *_property(entry.get('isaaclab_connection')))


def _property(connection: Any) -> tuple[str, str]:
    """Return (object, property) from which Isaac Lab reads a tensor, as in ``state:robot:joint_pos``; '' if unknown."""
    words = str(connection).split(':')
    return (words[1], words[2]) if len(words) == 3 and words[0] == 'state' else ('', '')


def _element_names(given: Any, name: str, size: int) -> tuple[str, ...]:
    """Return the names of a tensor's entries, which are the names on its last named axis; empty if there are none."""
    axes = given if isinstance(given, list) else []
    axes = [axes] if axes and all(isinstance(one, str) for one in axes) else axes
    named = [axis for axis in axes if isinstance(axis, list) and axis]
    if not named or (len(named) > 1 and len(named[-1]) != size):
        return ()
    names = tuple(named[-1])
    if not all(isinstance(one, str) for one in names) or len(names) != size:
        raise PolicyFileError(
            f"its tensor '{name}' has {size} entries, but the element_names {str(named[-1])[:200]}; export it with one "
            'name for each entry'
        )
    return names


def _feedback(pipeline: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return, for each input that is fed back, the output from which it comes."""
    found = {}
    for section in ('feedback_flow', 'feedback_connections'):
        for source, targets in _mapping(pipeline.get(section) or {}, f"'pipeline.{section}'").items():
            if not isinstance(targets, list):
                raise PolicyFileError(f"'pipeline.{section}' must have lists of inputs; export the bundle again")
            found.update({port_of(target, name): port_of(source, name) for target in targets})
    return found


def port_of(place: Any, name: str) -> str:
    """
    Return the name of a tensor from ``place``, which is ``<node>/<tensor>``.

    Raises:
        PolicyFileError: the tensor does not belong to the node ``name``.
    """
    node, slash, port = str(place).partition('/')
    if not slash or node != name:
        raise PolicyFileError(
            f"'pipeline' has '{str(place)[:100]}', which is not a tensor of the model '{name}'; export the bundle again"
        )
    return port


def _boundary(pipeline: Mapping[str, Any], what: str, name: str) -> list[str]:
    listed = _mapping(pipeline.get(what), f"'pipeline.{what}'").get(name)
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise PolicyFileError(f"'pipeline.{what}' must list the tensors of the model '{name}'; export the bundle again")
    return listed


def _frequency(pipeline: Mapping[str, Any]) -> float:
    """Return how often the model is run [Hz]; 0 if the bundle does not give it."""
    given = _mapping(pipeline.get('configs') or {}, "'pipeline.configs'").get('frequency')
    if given is None:
        return 0.0
    if isinstance(given, bool) or not isinstance(given, int | float) or not 1e-3 <= given <= 1e5:
        raise PolicyFileError(f"its 'frequency' is {str(given)[:40]}; it must be a number from 0.001 to 100000 Hz")
    return float(given)


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise PolicyFileError(f'{what} must be a mapping with names; export the bundle again')
    return value
