"""
Changes the model of a LEAPP bundle so that one input reads all observations, as in the policies of other libraries.

A bundle's model has an input for each tensor. After the change, one input reads all tensors, concatenated, and the
model splits it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from velora_ros.errors import PolicyFileError
from velora_ros.policy.foreign.leapp_terms import Port
from velora_ros.policy.foreign.onnx_model_checks import STANDARD_DOMAINS
from velora_ros.policy.foreign.tensor_roles import Tensor, tensor_of

if TYPE_CHECKING:
    import onnx

OBSERVATION = 'velora_ros.observation'
_PREFIX = 'velora_ros.'
_EARLIEST_OPSET = 13
"""The first version of the ONNX operators in which Split reads its sizes from an input."""


def joined(
    model: 'onnx.ModelProto', given: Sequence[Port], action: Port, feedback: Mapping[str, str]
) -> tuple['onnx.ModelProto', dict[str, str]]:
    """
    Return the model with a single input :data:`OBSERVATION`, and its hidden states: for each input, the output.

    Args:
        model: the bundle's model; it is changed.
        given: the tensors that the robot gives, in order.
        action: the tensor that is the action.
        feedback: for each input that is fed back, the output from which it comes.

    Raises:
        PolicyFileError: the tensors do not match the model, or the model's operators are too old.
    """
    opset = max((entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS), default=0)
    if opset < _EARLIEST_OPSET:
        raise PolicyFileError(f'its model uses ONNX opset {opset}; export it with opset {_EARLIEST_OPSET} or newer')
    if any(name.startswith(_PREFIX) for node in model.graph.node for name in (*node.input, *node.output)):
        raise PolicyFileError(
            f"its model has tensors whose names begin with '{_PREFIX}', which is reserved; rename them"
        )
    inputs = _tensors(model, [*given, *(Port(name, 0) for name in feedback)], 'input')
    outputs = _tensors(model, [action, *(Port(name, 0) for name in feedback.values())], 'output')
    wholes = {one.name: one for one in (*inputs.values(), *outputs.values())}
    if len({one.dtype for one in wholes.values()}) > 1:
        raise PolicyFileError('its tensors mix 32-bit and 64-bit numbers; export the policy with only one of them')
    if not given:
        raise PolicyFileError(
            'all its inputs are fed back, so it reads nothing from a robot; export it with an input for the observation'
        )
    _split_observation(model, [inputs[port.name] for port in given])
    return model, _own_outputs(model, action, feedback, inputs)


def _tensors(model: 'onnx.ModelProto', ports: Sequence[Port], what: str) -> dict[str, Tensor]:
    """Return the model's tensors of the ports, by name; a port with size 0 matches any size."""
    listed = model.graph.input if what == 'input' else model.graph.output
    weights = {tensor.name for tensor in model.graph.initializer}
    there = {one.name: one for one in listed if one.name not in weights}
    found = {}
    for port in ports:
        if port.name not in there:
            known = ', '.join(list(there)[:8]) or 'none'
            raise PolicyFileError(f"its model has no {what} '{port.name}'; its {what}s are {known}")
        found[port.name] = tensor = tensor_of(there[port.name], what)
        if port.size and tensor.known and tensor.size != port.size:
            raise PolicyFileError(
                f"its {what} '{port.name}' has {tensor.size} entries in the model, but {port.size} in the YAML file; "
                'export the bundle again'
            )
    if what == 'input' and (extra := [name for name in there if name not in found]):
        raise PolicyFileError(f"its model's input '{extra[0][:60]}' is not in the YAML file; export the bundle again")
    return found


def _split_observation(model: 'onnx.ModelProto', tensors: Sequence[Tensor]) -> None:
    """Replace the inputs ``tensors`` by one input, and add nodes that split it."""
    from onnx import TensorProto, helper, numpy_helper

    graph, sizes = model.graph, [one.size for one in tensors]
    kept = [one for one in graph.input if one.name not in {tensor.name for tensor in tensors}]
    kind = {'float32': TensorProto.FLOAT, 'float64': TensorProto.DOUBLE}[tensors[0].dtype]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(OBSERVATION, kind, (1, sum(sizes))))
    graph.input.extend(kept)
    rows = [f'{_PREFIX}row{i}' for i in range(len(tensors))]
    graph.initializer.append(numpy_helper.from_array(np.array(sizes, np.int64), f'{_PREFIX}sizes'))
    nodes = [helper.make_node('Split', [OBSERVATION, f'{_PREFIX}sizes'], rows, axis=1)]
    for row, tensor in zip(rows, tensors, strict=True):
        graph.initializer.append(numpy_helper.from_array(np.array(tensor.shape, np.int64), f'{row}.shape'))
        nodes.append(helper.make_node('Reshape', [row, f'{row}.shape'], [tensor.name]))
    following = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *following])


def _own_outputs(
    model: 'onnx.ModelProto', action: Port, feedback: Mapping[str, str], inputs: Mapping[str, Tensor]
) -> dict[str, str]:
    """Return a separate output for each input that is fed back; an output that is used twice is copied in the model."""
    from onnx import helper

    graph, used, states = model.graph, {action.name}, {}
    kinds = {one.name: one.type.tensor_type.elem_type for one in graph.output}
    for place, (name, source) in enumerate(feedback.items()):
        states[name] = f'{_PREFIX}copy{place}' if source in used else source
        if source in used:
            graph.node.append(helper.make_node('Identity', [source], [states[name]]))
            graph.output.append(helper.make_tensor_value_info(states[name], kinds[source], inputs[name].shape))
        used.add(source)
    return states
