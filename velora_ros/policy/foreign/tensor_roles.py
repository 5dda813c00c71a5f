"""
Finds the roles of an ONNX model's inputs and outputs: observation, hidden states, elapsed time and action.

A hidden state is an input for which there is an output of the same shape and the same name, apart from words such as
``in`` and ``out``: ``h_in`` and ``h_out`` of rsl_rl and mjlab, ``hidden`` and ``next_hidden`` of this package,
``out_state_1`` and ``out_state`` of rl_games. A description can name hidden states that are not found.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from velora_ros.errors import PolicyFileError
from velora_ros.policy.foreign.onnx_model_checks import LARGEST_TENSOR

if TYPE_CHECKING:
    import onnx

ACTION_NAMES = ('actions', 'action', 'mu', 'mean', 'mean_actions', 'continuous_actions')
DT_NAMES = ('dt', 'delta_t', 'time_delta', 'elapsed_time', 'timespan')
_NOT_A_NAME = {'in', 'out', 'input', 'output', 'next', 'new', 'prev', 'previous', 'last', 'old', 'n'}
_WORDS = re.compile(r'[a-z]+|\d+')


@dataclass(frozen=True)
class Tensor:
    """
    An input or output of a model.

    Args:
        name: the name of the tensor.
        shape: the shape, with 1 for every free size; empty for a single number.
        dtype: ``float32`` or ``float64``.
        known: whether the model gives the whole shape.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    known: bool = True

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"'{self.name}' ({', '.join(map(str, self.shape))})"


@dataclass(frozen=True)
class Roles:
    """
    The roles of a model's tensors.

    Args:
        observation: the input that reads the observation.
        action: the output that is the action.
        states: for each hidden state, the pair of input and output.
        dt: the input that reads the elapsed time [s]; None if there is none.
    """

    observation: Tensor
    action: Tensor
    states: tuple[tuple[Tensor, Tensor], ...]
    dt: Tensor | None

    @property
    def hidden_size(self) -> int:
        """Number of entries of all hidden states."""
        return sum(before.size for before, _ in self.states)


def find_roles(
    model: 'onnx.ModelProto',
    *,
    observation: str = '',
    action: str = '',
    dt: str = '',
    states: Mapping[str, str] | None = None,
) -> Roles:
    """
    Return the roles of a model's tensors; a name that is given here takes precedence.

    Raises:
        PolicyFileError: a tensor has another type or is too large, a name does not exist, or it is unclear which input
            is the observation or which output is the action.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = {one.name: tensor_of(one, 'input') for one in model.graph.input if one.name not in weights}
    outputs = {one.name: tensor_of(one, 'output') for one in model.graph.output}
    pairs = [(_pick(inputs, one, 'input'), _pick(outputs, other, 'output')) for one, other in (states or {}).items()]
    dt = dt or next((name for name in inputs if name.lower() in DT_NAMES and inputs[name].size == 1), '')
    elapsed = _pick(inputs, dt, 'input') if dt else None
    taken = {observation, dt, *(before.name for before, _ in pairs)}
    done = {action, *(after.name for _, after in pairs)}
    pairs += _pairs([one for name, one in inputs.items() if name not in taken],
                    [one for name, one in outputs.items() if name not in done])  # fmt: skip
    free = [one for one in inputs.values() if one is not elapsed and one not in (before for before, _ in pairs)]
    left = [one for one in outputs.values() if one not in (after for _, after in pairs)]
    for before, after in pairs:
        if after.known and before.shape != after.shape:
            raise PolicyFileError(
                f'its hidden state has the input {before} and the output {after}; export both with the same shape.'
            )
    seen = _pick(inputs, observation, 'input') if observation else _only(free, 'inputs', 'observation')
    if other := [one for one in free if one is not seen]:
        raise PolicyFileError(
            f'its input {other[0]} is neither the observation nor a hidden state; name the input and its output in '
            "'tensors.states' of the description, or export a policy without this input."
        )
    return Roles(seen, _action(outputs, left, action), tuple(pairs), elapsed)


def _action(outputs: Mapping[str, Tensor], left: Sequence[Tensor], name: str) -> Tensor:
    if name:
        return _pick(outputs, name, 'output')
    known = [one for known in ACTION_NAMES for one in left if one.name.lower() == known]
    return known[0] if known else _only(left, 'outputs', 'action')


def _only(found: Sequence[Tensor], what: str, role: str) -> Tensor:
    if len(found) == 1:
        return found[0]
    names = ', '.join(map(str, found[:8])) or 'none'
    raise PolicyFileError(
        f"its {what} are {names}, and it is not clear which of them is the {role}; name the {role} in 'tensors.{role}' "
        "of the description, and the hidden states in 'tensors.states'."
    )


def _pick(tensors: Mapping[str, Tensor], name: str, kind: str) -> Tensor:
    if name not in tensors:
        raise PolicyFileError(f"it has no {kind} '{name}'; its {kind}s are {', '.join(list(tensors)[:8])}.")
    return tensors[name]


def _pairs(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Return pairs of inputs and outputs whose names have the same stem, first with the numbers in it, then without."""
    found: list[tuple[Tensor, Tensor]] = []
    for numbers in (True, False):
        for one in inputs:
            fits = [other for other in outputs if _stem(other.name, numbers) == _stem(one.name, numbers) != ()]
            rivals = [other for other in inputs if _stem(other.name, numbers) == _stem(one.name, numbers)]
            taken = {name for pair in found for name in (pair[0].name, pair[1].name)}
            free = len(fits) == len(rivals) == 1 and not {one.name, fits[0].name} & taken
            if free and (not fits[0].known or fits[0].shape == one.shape):
                found.append((one, fits[0]))
    order = [one.name for one in inputs]
    return sorted(found, key=lambda pair: order.index(pair[0].name))


def _stem(name: str, numbers: bool) -> tuple[str, ...]:
    words = [word[:-1] if word in ('hn', 'cn') else word for word in _WORDS.findall(name.lower())]
    return tuple(word for word in words if word not in _NOT_A_NAME and (numbers or not word.isdigit()))


def tensor_of(value: 'onnx.ValueInfoProto', kind: str) -> Tensor:
    """
    Return an input or output of a model; ``kind``, ``input`` or ``output``, is its name in errors.

    Raises:
        PolicyFileError: the tensor does not have floating-point numbers, or is too large.
    """
    of: Any = value.type.tensor_type
    dtype = {1: 'float32', 11: 'float64'}.get(of.elem_type if value.type.HasField('tensor_type') else 0)
    if dtype is None:
        raise PolicyFileError(
            f"its {kind} '{value.name[:60]}' is not a tensor of 32-bit or 64-bit floating-point numbers; export the "
            'policy with floating-point inputs and outputs.'
        )
    sizes = [size.dim_value if size.HasField('dim_value') else 1 for size in of.shape.dim]
    if len(sizes) > 4 or min(sizes, default=1) < 1 or math.prod(sizes) > LARGEST_TENSOR:
        raise PolicyFileError(
            f"its {kind} '{value.name[:60]}' has {len(sizes)} dimensions and {math.prod(sizes)} entries; it must have "
            f'at most 4 dimensions and 1 to {LARGEST_TENSOR} entries.'
        )
    fixed = of.HasField('shape') and all(size.HasField('dim_value') for size in of.shape.dim)
    return Tensor(value.name, tuple(sizes), dtype, fixed)
