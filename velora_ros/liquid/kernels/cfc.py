"""The closed-form continuous-time cell in compiled loops; :mod:`velora_ros.liquid.cfc_cell` is the reference."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.activations import sigmoid, tanh
from velora_ros.liquid.kernels.cell_kernels import CellKernels
from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.liquid.kernels.layers import affine, clear, dense, mask_and_sum
from velora_ros.liquid.kernels.matrix_products import add_product, outer_product

Array = npt.NDArray[np.float32]

_ONE = np.float32(1.0)


class CfCTape(NamedTuple):
    """Arrays that a forward pass stores for the backward pass."""

    inputs: Array  # u, (L, inter, B)
    before: Array  # h before each step, (L, command, B)
    gates: Array  # tanh z_g, tanh z_k, s, and an unused block, (L, 4 command, B)
    dt: Array  # dt/T, (L, B)
    first: Array  # 1 where an episode starts, (L, B)


class CfCKernels(CellKernels):
    """The compiled loops of the liquid cell; see :class:`CellKernels`."""

    def forward(self, inputs: Array, hidden: Array, dt: Array, first: Array) -> tuple[Array, CfCTape]:
        """Run sequences; see :meth:`CellKernels.forward`."""
        before, gates, states = self._memory(len(inputs), inputs.shape[2])
        recurrence(inputs, self.weight, self.bias, hidden, dt, first, before, gates, states)
        return states, CfCTape(inputs, before, gates, dt, first)

    def backward(self, tape: CfCTape, d_states: Array, d_weight: Array, d_bias: Array, burn_in: int) -> Array:
        """Backpropagate through time; see :meth:`CellKernels.backward`."""
        d_gates = np.zeros_like(tape.gates) if burn_in else np.empty_like(tape.gates)
        recurrence_backward(d_states, burn_in, self.weight, tape.gates, tape.dt, tape.first, d_gates)
        command_gradients(d_gates, tape.inputs, tape.before, self.mask, d_weight, d_bias)
        return d_gates

    def step(self, inputs: Array, inter: tuple[Array, Array], hidden: Array, dt: float) -> Array:
        """Pass one observation, in one compiled call, which saves time in training; see :meth:`CellKernels.step`."""
        after = np.empty(self.n_command, np.float32)
        one_step(inputs, hidden, dt, *inter, self.weight, self.bias, after)
        return after


@kernel
def command_gradients(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    d_gates: Array, inputs: Array, before: Array, mask: Array, d_weight: Array, d_bias: Array
) -> None:
    """Set the gradients of weight and bias from the gates' gradients, with u in ``inputs`` and h in ``before``."""
    n_inter = inputs.shape[1]
    outer_product(d_gates, inputs, d_weight[:, :n_inter])
    outer_product(d_gates, before, d_weight[:, n_inter:])
    mask_and_sum(d_gates, mask, d_weight, d_bias)


@kernel
def recurrence(  # noqa: PLR0917
    inputs: Array, weight: Array, bias: Array, hidden: Array, dt: Array, first: Array,
    before: Array, gates: Array, states: Array,
) -> None:  # fmt: skip
    """
    Run the CfC cell over sequences: arXiv 2106.13898, equation 10.

    Args:
        inputs: u, shape (L, inter, B).
        weight: stacked as in :class:`velora_ros.liquid.cfc_cell.CfCCell`, shape (4 command, inter + command).
        bias: shape (4 command,).
        hidden: h before the first step, shape (command, B).
        dt: dt/T, shape (L, B).
        first: 1 where an episode starts, shape (L, B).
        before: written: h before each step, shape (L, command, B).
        gates: written: tanh z_g, tanh z_k, s, and z_b; shape (L, 4 command, B).
        states: written: h' after each step, shape (L, command, B).
    """
    n_inter, size = inputs.shape[1], hidden.shape[0]
    for t in range(len(inputs)):
        affine(weight[:, :n_inter], bias, inputs[t], gates[t])
        previous = states[t - 1] if t else hidden
        for i in range(size):
            for n in range(first.shape[1]):
                before[t, i, n] = np.float32(0.0) if first[t, n] > 0 else previous[i, n]
        add_product(weight[:, n_inter:], before[t], gates[t])
        for i in range(2 * size, 3 * size):
            for n in range(dt.shape[1]):
                gates[t, i, n] = gates[t, i, n] * dt[t, n] + gates[t, size + i, n]
        blend(gates[t].ravel(), states[t].ravel())


@kernel
def blend(gates: Array, states: Array) -> None:
    """Set h' = (1 - s) tanh z_g + s tanh z_k, s = sigmoid z; tanh z_g, tanh z_k and s replace the sums in ``gates``."""
    size = states.size
    for n in range(2 * size):
        gates[n] = tanh(gates[n])
    s = gates[2 * size : 3 * size]
    for n in range(size):
        s[n] = sigmoid(s[n])
    k = gates[size : 2 * size]
    for n in range(size):
        states[n] = gates[n] + s[n] * (k[n] - gates[n])


@kernel
def recurrence_backward(  # noqa: PLR0917
    d_states: Array, burn_in: int, weight: Array, gates: Array, dt: Array, first: Array, d_gates: Array
) -> None:
    """
    Backpropagate through time.

    Args:
        d_states: gradient of the loss with respect to h', shape (L, command, B); overwritten.
        burn_in: number of steps at the start that get no gradient.
        weight: see :func:`recurrence`.
        gates: see :func:`recurrence`.
        dt: see :func:`recurrence`.
        first: see :func:`recurrence`.
        d_gates: written, except in the burn-in: gradient of the gates' sums, shape (L, 4 command, B).
    """
    length, size, n_sequences = d_states.shape
    from_hidden = weight[:, weight.shape[1] - size :].T
    d_before = np.empty((size, n_sequences), np.float32)
    for t in range(length - 1, burn_in - 1, -1):
        blend_backward(d_states[t].ravel(), gates[t].ravel(), d_gates[t].ravel())
        for i in range(size):
            for n in range(n_sequences):
                d_gates[t, 2 * size + i, n] = d_gates[t, 3 * size + i, n] * dt[t, n]
        if t > burn_in:
            clear(d_before)
            add_product(from_hidden, d_gates[t], d_before)
            for i in range(size):
                for n in range(n_sequences):
                    d_states[t - 1, i, n] += np.float32(0.0) if first[t, n] > 0 else d_before[i, n]


@kernel
def blend_backward(d_states: Array, gates: Array, d_gates: Array) -> None:
    """
    Set the gradients of the gates' sums for one step, from the gradient of h'.

    ``d_gates`` gets the gradients of z_g, z_k and z, with s = sigmoid z, in its first, second and last quarter.
    """
    size = d_states.size
    k, s = gates[size : 2 * size], gates[2 * size : 3 * size]
    for n in range(size):
        d_gates[n] = d_states[n] * (_ONE - s[n]) * (_ONE - gates[n] * gates[n])
    d_k, d_z = d_gates[size : 2 * size], d_gates[3 * size :]
    for n in range(size):
        d_k[n] = d_states[n] * s[n] * (_ONE - k[n] * k[n])
    for n in range(size):
        d_z[n] = d_states[n] * (k[n] - gates[n]) * s[n] * (_ONE - s[n])


@kernel
def one_step(  # noqa: PLR0917
    inputs: Array, hidden: Array, ratio: float, inter_weight: Array, inter_bias: Array, weight: Array, bias: Array,
    after: Array,
) -> None:  # fmt: skip
    """Set ``after`` to h' from one observation, shape (sensory,), and h, shape (command,); ``ratio`` is dt/T."""
    u, z = inter_bias.copy(), bias.copy()
    dense(inter_weight, 0, inputs, u)
    for i in range(u.size):
        t = sigmoid(-u[i])
        u[i] *= (_ONE - t * t) / (_ONE + t * t)
    dense(weight, 0, u, z)
    dense(weight, u.size, hidden, z)
    size, time = hidden.size, np.float32(ratio)
    for i in range(2 * size, 3 * size):
        z[i] = z[i] * time + z[size + i]
    blend(z, after)
