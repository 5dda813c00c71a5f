"""
The control networks' forward and backward pass over sequences, in compiled loops on the memory of torch's parameters.

The counterpart of :mod:`velora_ros.liquid.kernels.network` for :class:`velora_ros.liquid.gru_cell.GRUCell` and
:class:`velora_ros.liquid.mlp_cell.MLPCell`: the same calls and layout, held to torch by the same tests.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.cell_registry import cell_kind
from velora_ros.liquid.kernels import layers
from velora_ros.liquid.kernels.compiler import kernel, sigmoid, tanh
from velora_ros.liquid.kernels.matrix_products import add_product, outer_product
from velora_ros.liquid.kernels.network import CompiledNetwork
from velora_ros.liquid.wiring import Wiring

Array = npt.NDArray[np.float32]

_ONE = np.float32(1.0)


class ControlTape(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    inputs: Array  # x, (L, sensory, B)
    timed: Array  # [u; tau], (L, inter + 1, B)
    slope: Array  # mish'(v), (L, inter, B)
    before: Array  # h before each step, (L, command, B); of an MLP zero
    gates: Array  # r, z, n and U_n h of a GRU, (L, 4 command, B); of an MLP unused
    states: Array  # h' after each step, (L, command, B)
    first: Array  # 1 where an episode starts, (L, B)


class CompiledControl(CompiledNetwork):
    """
    A control network on numpy views of its parameters; calls and arguments are those of ``CompiledNetwork``.

    Args:
        wiring: the synapses and the kind of cell, ``gru`` or ``mlp``; weights must be zero where there is no synapse.
        parameters: float32 arrays by the network's own names; read at every call, so that they may change in place.
    """

    def __init__(self, wiring: Wiring, parameters: Mapping[str, Array]) -> None:
        super().__init__(wiring, parameters)
        kind = cell_kind(wiring.cell)
        self._recurrent = kind.recurrent
        self._command_mask = np.tile(wiring.command, (kind.gates, 1)).astype(np.float32)

    def advance(self, inputs: Array, hidden: Array, dt: float) -> Array:
        """Take one normalised observation, shape (sensory,), and h, shape (command,); return h'. ``dt`` is dt/T."""
        time = np.full((1, 1), dt, np.float32)
        tape = self.encode(inputs[None, :, None], hidden[:, None], time, np.zeros_like(time))
        after: Array = tape.states[0, :, 0]
        return after

    def encode(self, inputs: Array, hidden: Array, dt: Array, first: Array) -> ControlTape:  # type: ignore[override]
        """Run sequences: x (L, sensory, B), h (command, B), dt/T and first (L, B); ``states`` are the result."""
        length, _, n_sequences = inputs.shape
        inter, slope = np.empty((2, length, self.n_inter, n_sequences), np.float32)
        before, states = np.zeros((2, length, self.n_command, n_sequences), np.float32)
        gates = np.empty((length, 4 * self.n_command, n_sequences), np.float32)
        layers.inter_forward(inputs, *self._inter, inter, slope)
        timed = np.concatenate([inter, dt[:, None] - _ONE], axis=1)
        if self._recurrent:
            gru(timed, *self._command, np.ascontiguousarray(hidden), first, before, gates, states)
        else:
            feed_forward(timed, *self._command, states)
        return ControlTape(inputs, timed, slope, before, gates, states, first)

    def decode(  # type: ignore[override]
        self, tape: ControlTape, d_states: Array, gradients: Mapping[str, Array], *, burn_in: int = 0
    ) -> None:
        """Backpropagate through time; ``d_states`` becomes scratch, ``gradients`` are written."""
        weight, split = self._command[0], self.n_inter + 1
        d_weight, d_bias = gradients['command.weight'], gradients['command.bias']
        if self._recurrent:
            shape = (len(d_states), len(weight), d_states.shape[2])
            from_input, from_hidden = np.zeros((2, *shape), np.float32)
            gru_backward(d_states, burn_in, weight, split, tape.before, tape.gates, tape.first, from_input, from_hidden)
            outer_product(from_hidden, tape.before, d_weight[:, split:])
        else:
            from_input = d_states * (_ONE - tape.states * tape.states)
            d_weight[:, split:] = 0
        outer_product(from_input, tape.timed, d_weight[:, :split])
        layers.mask_and_sum(from_input, self._command_mask, d_weight, d_bias)
        layers.inter_backward(
            from_input, tape.slope, tape.inputs, weight, self._inter_mask,
            gradients['inter.weight'], gradients['inter.bias'],
        )  # fmt: skip


@kernel
def feed_forward(timed: Array, weight: Array, bias: Array, states: Array) -> None:
    """Set h' = tanh(W [u; tau] + b), shape (L, command, B)."""
    for t in range(len(timed)):
        layers.affine(weight[:, : timed.shape[1]], bias, timed[t], states[t])
    flat = states.ravel()
    for n in range(flat.size):
        flat[n] = tanh(flat[n])


@kernel
def gru(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    timed: Array, weight: Array, bias: Array, hidden: Array, first: Array, before: Array, gates: Array, states: Array
) -> None:
    """Run the GRU over sequences; ``before``, ``gates`` and ``states`` are written."""
    split, (size, n_sequences) = timed.shape[1], hidden.shape
    y, w = np.empty((3 * size, n_sequences), np.float32), np.empty((3 * size, n_sequences), np.float32)
    for t in range(len(timed)):
        previous = states[t - 1] if t else hidden
        for i in range(size):
            for n in range(n_sequences):
                before[t, i, n] = np.float32(0.0) if first[t, n] > 0 else previous[i, n]
        layers.affine(weight[:, :split], bias, timed[t], y)
        w[:] = np.float32(0.0)
        add_product(weight[:, split:], before[t], w)
        for i in range(size):
            for n in range(n_sequences):
                r, z = sigmoid(y[i, n] + w[i, n]), sigmoid(y[size + i, n] + w[size + i, n])
                fresh = tanh(y[2 * size + i, n] + r * w[2 * size + i, n])
                gates[t, i, n], gates[t, size + i, n] = r, z
                gates[t, 2 * size + i, n], gates[t, 3 * size + i, n] = fresh, w[2 * size + i, n]
                states[t, i, n] = fresh + z * (before[t, i, n] - fresh)


@kernel
def gru_backward(  # noqa: PLR0917
    d_states: Array, burn_in: int, weight: Array, split: int, before: Array, gates: Array, first: Array,
    from_input: Array, from_hidden: Array,
) -> None:  # fmt: skip
    """Set the derivatives by the gates' sums over [u; tau] and over h, shape (L, 3 command, B), after the burn-in."""
    length, size, n_sequences = d_states.shape
    d_before = np.empty((size, n_sequences), np.float32)
    for t in range(length - 1, burn_in - 1, -1):
        for i in range(size):
            for n in range(n_sequences):
                d_h, r, z = d_states[t, i, n], gates[t, i, n], gates[t, size + i, n]
                fresh, q = gates[t, 2 * size + i, n], gates[t, 3 * size + i, n]
                d_n = d_h * (_ONE - z) * (_ONE - fresh * fresh)
                d_r = d_n * q * r * (_ONE - r)
                d_z = d_h * (before[t, i, n] - fresh) * z * (_ONE - z)
                from_input[t, i, n] = d_r
                from_hidden[t, i, n] = d_r
                from_input[t, size + i, n] = d_z
                from_hidden[t, size + i, n] = d_z
                from_input[t, 2 * size + i, n] = d_n
                from_hidden[t, 2 * size + i, n] = d_n * r
                d_before[i, n] = d_h * z
        if t > burn_in:
            add_product(weight[:, split:].T, from_hidden[t], d_before)
            for i in range(size):
                for n in range(n_sequences):
                    d_states[t - 1, i, n] += np.float32(0.0) if first[t, n] > 0 else d_before[i, n]
