"""
Exports a policy as an ONNX model of one step, for other runtimes and languages.

The hidden state and the elapsed time are inputs. All inputs are float32, with any batch size B:

* ``observation`` (B, S): in the environment's units and the spec's order.
* ``hidden`` (B, H): zeros at the start of an episode, afterwards the output ``next_hidden`` of the previous step.
* ``dt`` (B, 1): time since the previous observation [s]; at the start of an episode, the nominal period.

Outputs, float32:

* ``action`` (B, A): in the policy's own units and within its bounds. The SI value, in ``action_units``, is
  ``action_scale * action + action_offset``; the metadata has all three.
* ``next_hidden`` (B, H): the hidden state after the step.

The model normalises the observation, clamps ``dt`` to the range seen in training, and scales the action. The metadata
(:func:`metadata`) has names, units and bounds. Unlike :class:`velora_ros.policy.Policy`, the model checks nothing: the
caller must make sure that observations are finite.
"""

import json
import os
from typing import TYPE_CHECKING

import numpy as np

from velora_ros.errors import MissingDependencyError, PolicyFileError
from velora_ros.liquid.cell_registry import CFC
from velora_ros.policy.policy_file import PolicyFile
from velora_ros.utils.atomic_files import atomic_write
from velora_ros.utils.dependencies import how_to_install
from velora_ros.utils.shipped_files import PACKAGE

if TYPE_CHECKING:
    import onnx

# The equations of velora_ros.policy.tensor_layout, line by line. Operator set 17 runs on ONNX Runtime since 1.12.
MODEL = """
<ir_version: 8, opset_import: ["": 17]>
{name} (float[batch, {s}] observation, float[batch, {h}] hidden, float[batch, 1] dt)
  => (float[batch, {a}] action, float[batch, {h}] next_hidden)
{{
  centred = Sub(observation, normalisation_offset)
  x = Mul(centred, normalisation_scale)

  v = Gemm <transB = 1> (x, inter_weight, inter_bias)
  soft = Softplus(v)
  gate = Tanh(soft)
  u = Mul(v, gate)

  inputs = Concat <axis = 1> (u, hidden)
  z = Gemm <transB = 1> (inputs, command_weight, command_bias)
  z_g, z_k, z_a, z_b = Split <axis = 1> (z)
  g = Tanh(z_g)
  k = Tanh(z_k)
  clamped = Clip(dt, dt_shortest, dt_longest)
  ratio = Div(clamped, period)
  timed = Mul(z_a, ratio)
  late = Add(timed, z_b)
  s = Sigmoid(late)
  rest = Sub(one, s)
  from_g = Mul(rest, g)
  from_k = Mul(s, k)
  next_hidden = Add(from_g, from_k)

  w = Gemm <transB = 1> (next_hidden, motor_weight, motor_bias)
  m = Tanh(w)
  raised = Add(m, one)
  up = Mul(raised, half)
  down = Sub(one, up)
  of_low = Mul(down, low)
  of_high = Mul(up, high)
  mixed = Add(of_low, of_high)
  not_below = Max(mixed, low)
  action = Min(not_below, high)
}}
"""
WEIGHTS = (
    'normalisation.offset', 'normalisation.scale',
    'inter.weight', 'inter.bias', 'command.weight', 'command.bias', 'motor.weight', 'motor.bias',
)  # fmt: skip


def metadata(file: PolicyFile) -> dict[str, str]:
    """
    Return the model's metadata. Every value is a string; lists are JSON.

    ``observation_names``, ``observation_units``, ``action_names``, ``action_units``, ``action_low``, ``action_high``
    (lists in the order of the tensors), ``action_scale`` and ``action_offset`` (the action's SI value is scale times
    action plus offset, in ``action_units``), ``control_period`` [s], ``dt_range`` (two numbers [s]), ``hidden_size``,
    ``environment``, and the policy file's ``digest``.
    """
    spec = {
        **file.spec.to_dict(),
        'action_scale': list(file.spec.scale),
        'action_offset': list(file.spec.offset),
    }
    period = spec.pop('control_period')
    return {
        **{name: json.dumps(values) for name, values in spec.items()},
        'control_period': repr(period),
        'dt_range': json.dumps(list(file.dt_range)),
        'hidden_size': str(file.hidden_size),
        'environment': file.environment or '',
        'digest': file.digest,
    }


def to_onnx(file: PolicyFile) -> 'onnx.ModelProto':
    """
    Return the policy as an ONNX model, checked by onnx's own checker.

    Raises:
        MissingDependencyError: onnx is not installed.
        PolicyFileError: the cell of the policy is not CfC.
    """
    _check_cell(file)
    try:
        import onnx
        from onnx import helper, numpy_helper, parser
    except ImportError as error:
        raise MissingDependencyError(
            f'an ONNX export needs onnx, which cannot be imported ({error}). {how_to_install("onnx")}'
        ) from error
    sizes = {'s': file.spec.observation_dim, 'h': file.hidden_size, 'a': file.spec.action_dim}
    model = parser.parse_model(MODEL.format(name='policy', **sizes))
    model.producer_name = PACKAGE
    model.doc_string = (__doc__ or '').strip()
    constants = _constants(file)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    helper.set_model_props(model, metadata(file))
    onnx.checker.check_model(model, full_check=True)
    return model


def save_onnx(file: PolicyFile, path: str | os.PathLike[str]) -> None:
    """
    Write the policy as an ONNX file.

    Raises:
        MissingDependencyError: onnx is not installed.
        PolicyFileError: the cell of the policy is not CfC.
        StorageError: the file cannot be written; an existing file is unchanged.
    """
    data = to_onnx(file).SerializeToString(deterministic=True)
    with atomic_write(path) as target:
        target.write(data)


def _constants(file: PolicyFile) -> dict[str, np.ndarray]:
    scalars = {'one': 1.0, 'half': 0.5, 'period': file.spec.control_period}
    scalars |= dict(zip(('dt_shortest', 'dt_longest'), file.dt_range, strict=True))
    weights = {name.replace('.', '_'): file.tensors[name] for name in WEIGHTS}
    numbers = {**scalars, 'low': file.spec.low, 'high': file.spec.high}
    return {**weights, **{name: np.asarray(value, dtype=np.float32) for name, value in numbers.items()}}


def _check_cell(file: PolicyFile) -> None:
    if file.cell != CFC:
        raise PolicyFileError(
            f"this policy has the cell '{file.cell}', but only a policy with the cell '{CFC}' can be exported to ONNX; "
            'run the policy with velora_ros.policy.Policy.'
        )
