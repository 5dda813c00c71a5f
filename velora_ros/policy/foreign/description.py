"""
The description of a foreign policy: what the network reads and commands, as a YAML file in the folder of the model.

``walk.yaml`` describes ``walk.onnx``, and takes precedence over the model's own metadata. Null marks an unknown value;
the policy cannot run until a value replaces it. ``docs/bring-your-policy.md`` explains every field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from velora_ros.errors import PolicyFileError, SpecError
from velora_ros.spec.json_fields import from_json

LARGEST_DESCRIPTION = 2**16
"""Maximum size of a description in bytes; a description with 30 joints has 5 kB."""
_MOST_BRACKETS = 500  # the time to read nested brackets grows with their square
MOST_FRAMES = 1000
"""Maximum number of frames in the history of a term."""
_LONGEST_ERROR = 600


@dataclass(frozen=True)
class Term:
    """
    One term of the observation, in the network's order.

    Args:
        term: the name of the term, such as ``base_ang_vel`` or ``joint_pos``.
        scale: factor of the values, one for all or one for each.
        history: number of frames that the network reads, the oldest first; 1 for only the newest.
        clip: lowest and highest value before the scale.
        joints: names of the joints of a joint term; empty for all joints.
        default: the values that are subtracted, one for all or one for each; if empty, the default positions for
            positions of joints, otherwise 0.
        topic: the topic from which the term is read; if empty, the usual topic of this term.
        type: message type of the topic.
        fields: fields of the message, one for each value.
        size: number of values of a Float64MultiArray, in place of ``fields``.
        stride: for a clock, the duration of a stride [s]; its sine and cosine are read.
        still_below: for a clock, the command below which sine and cosine are zero (largest absolute value of its
            entries); with 0, the clock always runs.
        low: for a command, the lowest values in training, to which the command is clipped.
        high: for a command, the highest values in training, to which the command is clipped.
    """

    term: str
    scale: tuple[float, ...] = ()
    history: int = 0
    clip: tuple[float, ...] = ()
    joints: tuple[str, ...] = ()
    default: tuple[float, ...] = ()
    topic: str = ''
    type: str = ''
    fields: tuple[str, ...] = ()
    size: int = 0
    stride: float = 0.0
    still_below: float = 0.0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Actions:
    """
    What the network commands: ``scale * output + offset``, clipped to ``low`` and ``high``.

    Args:
        joints: joint of each action; empty for all joints.
        scale: SI value of one unit of each output, one for all or one for each.
        offset: SI value of each output at zero; if empty, the default positions for positions, otherwise 0.
        low: lowest value that may be sent [SI unit]; for positions, the joint's limit.
        high: highest value that may be sent [SI unit].
        clip: lowest and highest output of the network in training, in its own unit; empty if outputs are not clipped.
        interface: ``position``, ``velocity`` or ``effort``.
        type: message type of the command.
        fields: field of each action in a message without joints, such as ``linear.x``.
        stiffness: stiffness of the position servos in training [N*m/rad or N/m].
        damping: damping of the position servos in training [N*m*s/rad or N*s/m].
        effort_limit: largest effort of each joint in training [N*m or N].
    """

    joints: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    clip: tuple[float, ...] = ()
    interface: str = 'position'
    type: str = 'Float64MultiArray'
    fields: tuple[str, ...] = ()
    stiffness: tuple[float, ...] = ()
    damping: tuple[float, ...] = ()
    effort_limit: tuple[float, ...] = ()


@dataclass(frozen=True)
class State:
    """
    A hidden state that cannot be found by the names of the tensors.

    Args:
        input: name of the input that reads the hidden state.
        output: name of the output that is the next hidden state.
    """

    input: str
    output: str


@dataclass(frozen=True)
class Tensors:
    """
    The names of inputs and outputs whose roles cannot be found by their names; ``''`` for all others.

    Args:
        observation: the input that reads the observation.
        action: the output that is the action.
        dt: the input that reads the elapsed time [s].
        states: the hidden states.
    """

    observation: str = ''
    action: str = ''
    dt: str = ''
    states: tuple[State, ...] = ()


@dataclass(frozen=True)
class Description:
    """
    Everything that a foreign policy needs in addition to its network.

    Args:
        period: time between two steps of the network in training [s]; 0 if not known.
        dt_range: shortest and longest time between two steps in training [s]; if empty, both are the period.
        joints: names of the joints, in the order of the joint terms.
        sliding_joints: the prismatic joints, in metres; all others are revolute, in radians.
        default_positions: position of each joint at the start [rad or m].
        observations: the terms of the observation.
        actions: the meaning of the outputs.
        tensors: names of inputs and outputs.
    """

    period: float = 0.0
    dt_range: tuple[float, ...] = ()
    joints: tuple[str, ...] = ()
    sliding_joints: tuple[str, ...] = ()
    default_positions: tuple[float, ...] = ()
    observations: tuple[Term, ...] = ()
    actions: Actions = Actions()
    tensors: Tensors = Tensors()

    def over(self, base: 'Description') -> 'Description':
        """Return this description; fields that are empty here are taken from ``base``."""
        merged = _over(self, base)
        same = [one.term for one in self.observations] == [one.term for one in base.observations]
        terms = zip(self.observations, base.observations, strict=same) if same else ()
        found = tuple(_over(one, other) for one, other in terms) or merged.observations
        return replace(
            merged, observations=found, actions=_over(self.actions, base.actions),
            tensors=_over(self.tensors, base.tensors),
        )  # fmt: skip


_Part = TypeVar('_Part', Description, Actions, Tensors, Term)


def _over(own: _Part, base: _Part) -> _Part:
    """Return a copy of ``own`` whose empty fields are taken from ``base``."""
    return replace(own, **{one.name: getattr(own, one.name) or getattr(base, one.name) for one in fields(own)})


def load_description(path: Path) -> Description:
    """
    Read a description file.

    Raises:
        PolicyFileError: the description is invalid; the error names the field.
        OSError: the file cannot be read.
    """
    with path.open('rb') as file:
        data = file.read(LARGEST_DESCRIPTION + 1)
    try:
        return parse_description(data)
    except PolicyFileError as error:
        raise PolicyFileError(f"its description '{path.name}': {error}") from error


def parse_description(data: bytes) -> Description:
    """
    Return the description in the bytes of a YAML file.

    Raises:
        PolicyFileError: the description is invalid; the error names the field.
    """
    if len(data) > LARGEST_DESCRIPTION:
        raise PolicyFileError(f'it has more than {LARGEST_DESCRIPTION} bytes; shorten it.')
    if (count := data.count(b'[') + data.count(b'{')) > _MOST_BRACKETS:
        raise PolicyFileError(f'it has {count} opening brackets; write at most {_MOST_BRACKETS}.')
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data, yaml.SafeLoader)):
            raise PolicyFileError("it has an alias ('*name'); write the value itself.")
        content = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError) as error:
        raise PolicyFileError(f'it is not YAML ({_short(error)}); correct it.') from error
    if not isinstance(content, dict):
        raise PolicyFileError("it is not a mapping of fields; 'velora_ros deploy' drafts a description.")
    try:
        found: Description = from_json(Description, _prepared(content), 'it')
    except (SpecError, TypeError, RecursionError, OverflowError) as error:
        raise PolicyFileError(_short(error)) from error
    return found


_LISTS = {
    'scale', 'clip', 'default', 'low', 'high', 'offset', 'stiffness', 'damping', 'effort_limit', 'default_positions',
}  # fmt: skip


def _prepared(content: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a mapping for ``from_json``, without nulls; single numbers become lists, names of terms become terms."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if value is None or not isinstance(key, str):
            if value is not None:
                raise SpecError(f'a field has the name {_short(key)}; the name of a field must be text.')
            continue
        if key in _LISTS and isinstance(value, int | float):
            found[key] = [value]
        elif key == 'observations' and isinstance(value, list):
            found[key] = [{'term': one} if isinstance(one, str) else _prepared_or_same(one) for one in value]
        elif isinstance(value, list) and any(one is None for one in value):
            if set(map(type, value)) != {type(None)}:
                raise SpecError(f"'{key}' has both values and nulls; replace every null with a value, or omit '{key}'.")
        else:
            found[key] = _prepared_or_same(value)
    return found


def _prepared_or_same(value: Any) -> Any:
    return _prepared(value) if isinstance(value, dict) else value


def _short(error: object) -> str:
    words = ' '.join(str(error).split())
    return words if len(words) <= _LONGEST_ERROR else f'{words[:_LONGEST_ERROR]}...'
