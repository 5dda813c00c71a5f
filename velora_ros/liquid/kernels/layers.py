"""
The loops of :mod:`velora_ros.liquid.kernels.network`: the layers of the liquid network and their derivatives.

Arrays have the shape (L, n, B): step, neuron or observation, sequence. So all that a step needs lies together, and an
inner loop runs over many neurons and sequences that have nothing to do with each other: the compiler turns it into
vector instructions, however few neurons there are. It does so where a loop counts from 0 and writes one array.
"""

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.compiler import kernel, sigmoid, tanh
from velora_ros.liquid.kernels.matrix_products import add_product, outer_product

Array = npt.NDArray[np.float32]

_ONE = np.float32(1.0)


@kernel
def affine(weight: Array, bias: Array, inputs: Array, out: Array) -> None:
    """Set out = weight inputs + bias, of matrices."""
    for row in range(out.shape[0]):
        for n in range(out.shape[1]):
            out[row, n] = bias[row]
    add_product(weight, inputs, out)


@kernel
def clear(values: Array) -> None:
    """Set everything to zero; a loop compiles in a tenth of the time that an assignment to a slice takes."""
    flat = values.ravel()
    for n in range(flat.size):
        flat[n] = np.float32(0.0)


@kernel
def layer_gradients(d_out: Array, inputs: Array, mask: Array, d_weight: Array, d_bias: Array) -> None:
    """Set the derivatives by a sparse layer's weight and bias from that by its sums, shape (L, out, B)."""
    outer_product(d_out, inputs, d_weight)
    mask_and_sum(d_out, mask, d_weight, d_bias)


@kernel
def command_gradients(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    d_gates: Array, inputs: Array, before: Array, mask: Array, d_weight: Array, d_bias: Array
) -> None:
    """Do the same for the command layer, whose inputs are u and h before the step."""
    n_inter = inputs.shape[1]
    outer_product(d_gates, inputs, d_weight[:, :n_inter])
    outer_product(d_gates, before, d_weight[:, n_inter:])
    mask_and_sum(d_gates, mask, d_weight, d_bias)


@kernel
def mask_and_sum(d_out: Array, mask: Array, d_weight: Array, d_bias: Array) -> None:
    """Clear the derivatives by synapses that do not exist, and set that by the bias."""
    for row in range(d_weight.shape[0]):
        for column in range(d_weight.shape[1]):
            d_weight[row, column] *= mask[row, column]
    clear(d_bias)
    for t in range(d_out.shape[0]):
        for row in range(d_out.shape[1]):
            total = np.float32(0.0)
            for n in range(d_out.shape[2]):
                total += d_out[t, row, n]
            d_bias[row] += total


@kernel
def inter_forward(inputs: Array, weight: Array, bias: Array, out: Array, slope: Array) -> None:
    """
    Set out to mish(v), v = W x + b, and ``slope`` to mish'(v), both of shape (L, inter, B).

    With t = sigmoid(-v): tanh(log(1 + exp v)) = (1 - t^2) / (1 + t^2) = m; mish = v m; mish' = m + 4 v t^2 (1 - t) /
    (1 + t^2)^2. Nothing in it overflows.
    """
    for step in range(len(inputs)):
        affine(weight, bias, inputs[step], out[step])
    u, derivative = out.ravel(), slope.ravel()
    for n in range(u.size):
        v = u[n]
        t = sigmoid(-v)
        q = _ONE / (_ONE + t * t)
        m = (_ONE - t * t) * q
        u[n] = v * m
        derivative[n] = m + np.float32(4.0) * v * t * t * (_ONE - t) * q * q


@kernel
def inter_backward(  # noqa: PLR0917
    d_gates: Array, slope: Array, inputs: Array, command_weight: Array, mask: Array, d_weight: Array, d_bias: Array
) -> None:
    """Set the derivatives by the inter layer's weight and bias from those by the command layer's sums."""
    d_v = np.empty_like(slope)
    from_gates(command_weight, d_gates, d_v)
    flat, slopes = d_v.ravel(), slope.ravel()
    for n in range(flat.size):
        flat[n] *= slopes[n]
    layer_gradients(d_v, inputs, mask, d_weight, d_bias)


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
        gates: written: tanh z_g, tanh z_k, s, and z_b, which has no further use; shape (L, 4 command, B).
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
def from_gates(weight: Array, d_gates: Array, d_inputs: Array) -> None:
    """Set the derivative by u, shape (L, inter, B), from that by the gates' sums."""
    clear(d_inputs)
    for t in range(len(d_inputs)):
        add_product(weight[:, : d_inputs.shape[1]].T, d_gates[t], d_inputs[t])


@kernel
def blend(gates: Array, states: Array) -> None:
    """Set h' = (1 - s) tanh z_g + s tanh z_k, s = sigmoid z, of one step; the three take the sums' places in gates."""
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
        d_states: derivative of the loss by h', shape (L, command, B); becomes scratch.
        burn_in: no gradient flows into the first so many steps.
        weight: as of :func:`recurrence`.
        gates: what :func:`recurrence` has written.
        dt: as of :func:`recurrence`.
        first: as of :func:`recurrence`.
        d_gates: written but for the burn-in: the derivative by the gates' sums, shape (L, 4 command, B).
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
    """Set the derivatives by z_g, z_k and s's z, in the first, second and last quarter, from that by h'."""
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
def motor_forward(states: Array, weight: Array, bias: Array, motor: Array) -> None:
    """Set motor = tanh(W h' + b), shape (L, motor, B)."""
    for t in range(len(states)):
        affine(weight, bias, states[t], motor[t])
    flat = motor.ravel()
    for n in range(flat.size):
        flat[n] = tanh(flat[n])


@kernel
def motor_backward(  # noqa: PLR0917
    d_motor: Array, motor: Array, states: Array, weight: Array, mask: Array, d_weight: Array, d_bias: Array,
    d_states: Array,
) -> None:  # fmt: skip
    """Set the derivatives by weight, bias and h' from that by the motor output."""
    d_sums = np.empty_like(motor)
    flat, slopes, outputs = d_sums.ravel(), d_motor.ravel(), motor.ravel()
    for n in range(flat.size):
        flat[n] = slopes[n] * (_ONE - outputs[n] * outputs[n])
    layer_gradients(d_sums, states, mask, d_weight, d_bias)
    clear(d_states)
    for t in range(len(states)):
        add_product(weight.T, d_sums[t], d_states[t])


@kernel
def dense(weight: Array, start: int, inputs: Array, out: Array) -> None:
    """Add weight[:, start : start + inputs] inputs to out, of one column."""
    for row in range(out.size):
        total = out[row]
        for column in range(inputs.size):
            total += weight[row, start + column] * inputs[column]
        out[row] = total


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


@kernel
def one_motor(hidden: Array, weight: Array, bias: Array, motor: Array) -> None:
    """Set the motor output, shape (motor,), from h'."""
    for i in range(motor.size):
        motor[i] = bias[i]
    dense(weight, 0, hidden, motor)
    for i in range(motor.size):
        motor[i] = tanh(motor[i])
