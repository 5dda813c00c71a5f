"""
Defines the tensors of a policy file, their equations, names, shapes and types, and checks them.

There are S observations, I inter neurons, C command neurons (the hidden state) and A actions. Weights are masked::

    x  = (o - offset) * scale                                   normalisation.offset, .scale   (S,)
    u  = mish(W x + b)                                          inter.weight (I, S), .bias (I,)
    h' = cell(u, h, dt/T)                                       command.weight, .bias
    m  = tanh(W h' + b)                                         motor.weight (A, C), .bias (A,)
    action = low + (m + 1) / 2 (high - low)

The field ``cell`` of the wiring names the cell; if it is missing, the cell is ``cfc``. With tau = dt/T - 1::

    cfc   z = W [u; h] + b, rows stacked by gate g, k, a, b     command.weight (4C, I+C), .bias (4C,)
          g, k = tanh(z_g), tanh(z_k);  s = sigmoid(z_a dt/T + z_b)
          h' = (1 - s) g + s k                                  arXiv 2106.13898, equation 10
    gru   y = W [u; tau] + b,  w = U h, rows by gate r, z, n    command.weight [W U] (3C, I+1+C), .bias (3C,)
          r, z = sigmoid(y_r + w_r), sigmoid(y_z + w_z)
          h' = (1 - z) tanh(y_n + r w_n) + z h
    mlp   h' = tanh(W [u; tau] + b)                             command.weight [W 0] (C, I+1+C), .bias (C,)

The masks ``wiring.inter`` (I, S), ``wiring.command`` (C, as wide as command.weight, shared by the gates) and
``wiring.motor`` (A, C) are 1 where there is a synapse.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import PolicyFileError
from velora_ros.liquid.cell_registry import CELLS, CFC

Tensors = Mapping[str, npt.NDArray[Any]]

LARGEST_INPUT = 1e100  # |x|; with float32 weights no sum of float64 can then overflow
SIZES = ('n_neurons', 'inter', 'command', 'motor')


def check_wiring(wiring: Mapping[str, Any], n_actions: int) -> None:
    """
    Check the numbers of neurons in a wiring, and its cell.

    Raises:
        PolicyFileError: a number is missing, is not a positive integer, or contradicts the others or the spec; or the
            cell is unknown.
    """
    for name in SIZES:
        size = wiring.get(name)
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise PolicyFileError(f"wiring field '{name}' is {size!r}; it must be an integer of at least 1.")
    if wiring['inter'] + wiring['command'] != wiring['n_neurons']:
        raise PolicyFileError(
            f"wiring field 'n_neurons' is {wiring['n_neurons']}; it must be inter + command, "
            f'{wiring["inter"]} + {wiring["command"]}.'
        )
    if wiring['motor'] != n_actions:
        raise PolicyFileError(
            f"wiring field 'motor' is {wiring['motor']}; it must be {n_actions}, the number of actions in the spec."
        )
    if cell_of(wiring) not in CELLS:
        raise PolicyFileError(f"wiring field 'cell' is {cell_of(wiring)!r}; it must be one of {', '.join(CELLS)}.")


def cell_of(wiring: Mapping[str, Any]) -> Any:
    """Return the field ``cell`` of a wiring; if it is missing, the cell is the liquid cell, ``cfc``."""
    return wiring.get('cell', CFC)


def shapes(n_observations: int, wiring: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor in a policy file, by name."""
    s, i, c, a = n_observations, wiring['inter'], wiring['command'], wiring['motor']
    kind = CELLS[cell_of(wiring)]
    width = i + kind.time_input + c
    return {
        'normalisation.offset': (s,),
        'normalisation.scale': (s,),
        'inter.weight': (i, s),
        'inter.bias': (i,),
        'command.weight': (kind.gates * c, width),
        'command.bias': (kind.gates * c,),
        'motor.weight': (a, c),
        'motor.bias': (a,),
        'wiring.inter': (i, s),
        'wiring.command': (c, width),
        'wiring.motor': (a, c),
    }


def check_tensors(tensors: Tensors, expected: Mapping[str, tuple[int, ...]]) -> None:
    """
    Check names, types and shapes, and that every weight is finite and zero where the wiring has no synapse.

    Raises:
        PolicyFileError: a tensor is invalid; the error names the first one, what it has and what it must have.
    """
    if missing := expected.keys() - tensors.keys():
        raise PolicyFileError(f'tensors are missing: {", ".join(sorted(missing))}; export the policy again.')
    if unknown := tensors.keys() - expected.keys():
        raise PolicyFileError(
            f'tensors are unknown: {", ".join(sorted(unknown))}; the valid ones are {", ".join(expected)}.'
        )
    for name, shape in expected.items():
        _check_tensor(name, tensors[name], shape)
    for layer in ('inter', 'command', 'motor'):
        _check_synapses(layer, tensors[f'{layer}.weight'], tensors[f'wiring.{layer}'])


def _check_tensor(name: str, tensor: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    is_mask = name.startswith('wiring.')
    dtype = np.dtype(np.uint8 if is_mask else np.float32)
    if tensor.dtype != dtype:
        raise PolicyFileError(f"tensor '{name}' is of type {tensor.dtype}; it must be {dtype}.")
    if tensor.shape != shape:
        raise PolicyFileError(f"tensor '{name}' has the shape {tensor.shape}; the spec and the wiring require {shape}.")
    if is_mask and tensor.max(initial=0) > 1:
        raise PolicyFileError(f"mask '{name}' has the value {tensor.max()}; only 0 and 1 are valid.")
    if not is_mask and not np.isfinite(tensor).all():
        raise PolicyFileError(f"tensor '{name}' has a NaN or an infinity; every weight must be finite.")


def _check_synapses(layer: str, weight: npt.NDArray[Any], mask: npt.NDArray[Any]) -> None:
    repeats = weight.shape[0] // mask.shape[0]  # the gates share one mask
    stray = np.count_nonzero(weight[np.tile(mask, (repeats, 1)) == 0])
    if stray:
        raise PolicyFileError(
            f"tensor '{layer}.weight' has {stray} weights where 'wiring.{layer}' has no synapse; they must be 0."
        )
