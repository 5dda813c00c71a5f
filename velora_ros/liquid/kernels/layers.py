"""
The forward and backward pass of the inter and the motor layer, in compiled loops.

Arrays have the shape (L, n, B): step, neuron or observation, sequence. The data of a step is then contiguous, and an
inner loop runs over many neurons and sequences that do not depend on each other. The compiler vectorises such a loop,
even for few neurons, if it counts from 0 and writes to one array.
"""

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.activations import sigmoid, tanh
from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.liquid.kernels.matrix_products import add_product, outer_product

Array = npt.NDArray[np.float32]

_ONE = np.float32(1.0)


@kernel
def affine(weight: Array, bias: Array, inputs: Array, out: Array) -> None:
    """Set out = weight @ inputs + bias, for matrices."""
    for row in range(out.shape[0]):
        for n in range(out.shape[1]):
            out[row, n] = bias[row]
    add_product(weight, inputs, out)


@kernel
def clear(values: Array) -> None:
    """Set every entry to zero, in a loop, which compiles ten times faster than an assignment to a slice."""
    flat = values.ravel()
    for n in range(flat.size):
        flat[n] = np.float32(0.0)


@kernel
def layer_gradients(d_out: Array, inputs: Array, mask: Array, d_weight: Array, d_bias: Array) -> None:
    """Set the gradients of a sparse layer's weight and bias from the gradient of its sums, shape (L, out, B)."""
    outer_product(d_out, inputs, d_weight)
    mask_and_sum(d_out, mask, d_weight, d_bias)


@kernel
def mask_and_sum(d_out: Array, mask: Array, d_weight: Array, d_bias: Array) -> None:
    """Zero the gradients of synapses that do not exist, and set the bias's gradient from the gradient of the sums."""
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
    (1 + t^2)^2. No term overflows.
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
    """Set the gradients of the inter layer's weight and bias from the gradient of the command layer's sums."""
    d_v = np.empty_like(slope)
    from_gates(command_weight, d_gates, d_v)
    flat, slopes = d_v.ravel(), slope.ravel()
    for n in range(flat.size):
        flat[n] *= slopes[n]
    layer_gradients(d_v, inputs, mask, d_weight, d_bias)


@kernel
def from_gates(weight: Array, d_gates: Array, d_inputs: Array) -> None:
    """Set the gradient of u, shape (L, inter, B), from the gradient of the gates' sums, (L, gates * command, B)."""
    clear(d_inputs)
    for t in range(len(d_inputs)):
        add_product(weight[:, : d_inputs.shape[1]].T, d_gates[t], d_inputs[t])


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
    """Set the gradients of the motor layer's weight and bias and of h' from the gradient of the motor output."""
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
    """Add weight[:, start : start + len(inputs)] @ inputs to out, for one column."""
    for row in range(out.size):
        total = out[row]
        for column in range(inputs.size):
            total += weight[row, start + column] * inputs[column]
        out[row] = total


@kernel
def one_motor(hidden: Array, weight: Array, bias: Array, motor: Array) -> None:
    """Set the motor output, shape (motor,), from h'."""
    for i in range(motor.size):
        motor[i] = bias[i]
    dense(weight, 0, hidden, motor)
    for i in range(motor.size):
        motor[i] = tanh(motor[i])
