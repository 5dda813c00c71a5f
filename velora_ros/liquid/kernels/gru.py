"""The gated recurrent unit in compiled loops; :mod:`velora_ros.liquid.gru_cell` is the reference."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.activations import sigmoid, tanh
from velora_ros.liquid.kernels.cell_kernels import CellKernels
from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.liquid.kernels.layers import affine, mask_and_sum
from velora_ros.liquid.kernels.matrix_products import add_product, outer_product

Array = npt.NDArray[np.float32]

_ONE = np.float32(1.0)


class GRUTape(NamedTuple):
    """Arrays that a forward pass stores for the backward pass."""

    timed: Array  # [u; tau], (L, inter + 1, B)
    before: Array  # h before each step, (L, command, B)
    gates: Array  # r, z, n and U_n h, (L, 4 command, B)
    first: Array  # 1 where an episode starts, (L, B)


class GRUKernels(CellKernels):
    """The compiled loops of the GRU; see :class:`CellKernels`."""

    def forward(self, inputs: Array, hidden: Array, dt: Array, first: Array) -> tuple[Array, GRUTape]:
        """Run sequences; see :meth:`CellKernels.forward`."""
        before, gates, states = self._memory(len(inputs), inputs.shape[2])
        timed = np.concatenate([inputs, dt[:, None] - _ONE], axis=1)
        gru(timed, self.weight, self.bias, np.ascontiguousarray(hidden), first, before, gates, states)
        return states, GRUTape(timed, before, gates, first)

    def backward(self, tape: GRUTape, d_states: Array, d_weight: Array, d_bias: Array, burn_in: int) -> Array:
        """Backpropagate through time; see :meth:`CellKernels.backward`."""
        split = self.n_inter + 1
        shape = (len(d_states), len(self.weight), d_states.shape[2])
        from_input, from_hidden = np.zeros((2, *shape), np.float32)
        gru_backward(
            d_states, burn_in, self.weight, split, tape.before, tape.gates, tape.first, from_input, from_hidden
        )
        outer_product(from_hidden, tape.before, d_weight[:, split:])
        outer_product(from_input, tape.timed, d_weight[:, :split])
        mask_and_sum(from_input, self.mask, d_weight, d_bias)
        return from_input


@kernel
def gru(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    timed: Array, weight: Array, bias: Array, hidden: Array, first: Array, before: Array, gates: Array, states: Array
) -> None:
    """Run the GRU over sequences; write ``before`` and ``gates`` (see :class:`GRUTape`) and h' to ``states``."""
    split, (size, n_sequences) = timed.shape[1], hidden.shape
    y, w = np.empty((3 * size, n_sequences), np.float32), np.empty((3 * size, n_sequences), np.float32)
    for t in range(len(timed)):
        previous = states[t - 1] if t else hidden
        for i in range(size):
            for n in range(n_sequences):
                before[t, i, n] = np.float32(0.0) if first[t, n] > 0 else previous[i, n]
        affine(weight[:, :split], bias, timed[t], y)
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
    """Set the gradients of the gates' sums over [u; tau] and over h, each (L, 3 command, B), after the burn-in."""
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
