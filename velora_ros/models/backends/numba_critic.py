"""
The critic forwards and backwards in compiled loops; :mod:`velora_ros.models.actor_and_critics` is the reference.

Neurons are rows, and the N state-action pairs are columns, so that the inner loops run over many pairs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.compiler import kernel, threaded_kernel
from velora_ros.liquid.kernels.layers import affine
from velora_ros.liquid.kernels.matrix_products import add_product, outer_product

Array = npt.NDArray[np.float32]
Layer = tuple[Array, Array, Array, Array]  # weight and bias, LayerNorm's weight and bias
Tape = tuple[Array, Array, Array]  # the sums' standard scores (neurons, N), 1 / deviation (N,), output (neurons, N)

EPSILON = np.float32(1e-5)  # of torch.nn.LayerNorm


class CompiledCritic:
    """
    :class:`velora_ros.models.actor_and_critics.Critic` on numpy views.

    Args:
        parameters: arrays by the parameter names of ``Critic``; they may change in place.
        gradients: arrays with the same names and shapes; written by :meth:`learn`.
        n_hidden: number of hidden layers.
    """

    def __init__(self, parameters: Mapping[str, Array], gradients: Mapping[str, Array], n_hidden: int) -> None:
        self._parameters, self._gradients = _layers(parameters, n_hidden), _layers(gradients, n_hidden)
        self._tapes: dict[int, tuple[Tape, ...]] = {}

    def values(self, inputs: Array) -> Array:
        """Return Q, shape (N,), of columns [state; action], shape (inputs, N)."""
        q = np.empty(inputs.shape[1], np.float32)
        forward(inputs, *self._parameters, self._tape(q.size), q)
        return q

    def learn(self, inputs: Array, target: Array, n_slopes: int) -> tuple[float, float, Array]:
        """
        Write the gradients of the mean squared error.

        Args:
            inputs: columns [state; action], shape (inputs, N).
            target: the target of Q, shape (N,).
            n_slopes: number of leading inputs for which the error's gradient is returned.

        Returns:
            the error, the mean of Q, and that gradient, shape (n_slopes, N).
        """
        error, mean, d_inputs = error_gradients(
            inputs, target, *self._parameters, self._tape(target.size), *self._gradients, n_slopes
        )
        return error, mean, d_inputs

    def loss_slope(self, inputs: Array, start: int) -> tuple[float, Array]:
        """Return the actor's loss, -mean(Q), and its gradient with respect to the inputs from ``start`` on."""
        mean, d_inputs = loss_slope(inputs, *self._parameters, self._tape(inputs.shape[1]), start)
        return mean, d_inputs

    def _tape(self, n: int) -> tuple[Tape, ...]:
        """Return memory in which a forward pass stores what its backward pass needs; every call reuses it."""
        if n not in self._tapes:
            sizes = [layer[1].size for layer in self._parameters[0]]
            self._tapes[n] = tuple(
                (np.empty((size, n), np.float32), np.empty(n, np.float32), np.empty((size, n), np.float32))
                for size in sizes
            )
        return self._tapes[n]


def _layers(arrays: Mapping[str, Array], n_hidden: int) -> tuple[tuple[Layer, ...], Array, Array]:
    """Return the hidden layers' arrays, and weight, shape (neurons,), and bias of the last layer."""
    parts = ('layers.{}.weight', 'layers.{}.bias', 'norms.{}.weight', 'norms.{}.bias')
    hidden: Any = tuple(tuple(arrays[part.format(index)] for part in parts) for index in range(n_hidden))
    return hidden, arrays[f'layers.{n_hidden}.weight'][0], arrays[f'layers.{n_hidden}.bias']


@threaded_kernel
def forward(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    inputs: Array, hidden: tuple[Layer, ...], weight: Array, bias: Array, tape: tuple[Tape, ...], q: Array
) -> None:
    """Set Q, shape (N,), and the arrays of the tape."""
    for index in range(len(hidden)):
        normal, scale, out = tape[index]
        layer_weight, layer_bias, norm_weight, norm_bias = hidden[index]
        affine(layer_weight, layer_bias, tape[index - 1][2] if index else inputs, normal)
        norm_relu(normal, scale, norm_weight, norm_bias, out)
    last = tape[len(hidden) - 1][2]
    for n in range(q.size):
        q[n] = bias[0]
    for row in range(weight.size):
        for n in range(q.size):
            q[n] += weight[row] * last[row, n]


@threaded_kernel
def error_gradients(  # noqa: PLR0917
    inputs: Array, target: Array, hidden: tuple[Layer, ...], weight: Array, bias: Array, tape: tuple[Tape, ...],
    d_hidden: tuple[Layer, ...], d_weight: Array, d_bias: Array, n_slopes: int,
) -> tuple[Any, Any, Array]:  # fmt: skip
    """Set the parameters' gradients of the mean squared error; return the error, mean Q and the inputs' gradient."""
    q = np.empty_like(target)
    forward(inputs, hidden, weight, bias, tape, q)
    share = np.float32(1.0) / np.float32(q.size)
    error, mean = np.float32(0.0), np.float32(0.0)
    for n in range(q.size):
        difference = q[n] - target[n]
        error += difference * difference
        mean += q[n]
        q[n] = np.float32(2.0) * share * difference  # now the gradient of Q
    value_gradients(q, tape[len(hidden) - 1][2], d_weight, d_bias)
    d_out = outwards(weight, q)
    for index in range(len(hidden) - 1, -1, -1):
        d_layer_weight, d_layer_bias, d_norm_weight, d_norm_bias = d_hidden[index]
        norm_relu_backward(d_out, tape[index], hidden[index][2], d_norm_weight, d_norm_bias)
        hidden_gradients(d_out, tape[index - 1][2] if index else inputs, d_layer_weight, d_layer_bias)
        d_out = through(hidden[index][0][:, : (hidden[index][0].shape[1] if index else n_slopes)], d_out)
    return error * share, mean * share, d_out


@kernel
def loss_slope(  # noqa: PLR0917
    inputs: Array, hidden: tuple[Layer, ...], weight: Array, bias: Array, tape: tuple[Tape, ...], start: int
) -> tuple[Any, Array]:
    """Return -mean(Q) and its gradient with respect to the inputs from ``start`` on."""
    q = np.empty(inputs.shape[1], np.float32)
    forward(inputs, hidden, weight, bias, tape, q)
    mean, share = np.float32(0.0), np.float32(1.0) / np.float32(q.size)
    for n in range(q.size):
        mean += q[n]
        q[n] = -share
    d_out = outwards(weight, q)
    for index in range(len(hidden) - 1, -1, -1):
        unused = np.empty_like(hidden[index][2])
        norm_relu_backward(d_out, tape[index], hidden[index][2], unused, unused)
        d_out = through(hidden[index][0][:, (0 if index else start) :], d_out)
    return -mean * share, d_out


@kernel
def norm_relu(sums: Array, scale: Array, norm_weight: Array, norm_bias: Array, out: Array) -> None:
    """Turn a layer's sums into each column's standard scores; set scale to 1 / deviation, out to relu(LayerNorm)."""
    size, n_columns = sums.shape
    share = np.float32(1.0) / np.float32(size)
    shift = sums[0].copy()  # about as large as the mean, so that subtracting squares loses no digits
    mean, square = np.zeros(n_columns, np.float32), np.zeros(n_columns, np.float32)
    for row in range(size):
        for n in range(n_columns):
            difference = sums[row, n] - shift[n]
            mean[n] += difference
            square[n] += difference * difference
    for n in range(n_columns):
        offset = mean[n] * share
        variance = max(square[n] * share - offset * offset, np.float32(0.0))
        scale[n] = np.float32(1.0) / np.sqrt(variance + EPSILON)
        mean[n] = shift[n] + offset
    for row in range(size):
        for n in range(n_columns):
            score = (sums[row, n] - mean[n]) * scale[n]
            sums[row, n] = score
            out[row, n] = max(score * norm_weight[row] + norm_bias[row], np.float32(0.0))


@kernel
def norm_relu_backward(d_out: Array, tape: Tape, norm_weight: Array, d_norm_weight: Array, d_norm_bias: Array) -> None:
    """Turn the output's gradient into the sums' gradient, in place; set LayerNorm's gradients of weight and bias."""
    normal, scale, out = tape
    size, n_columns = d_out.shape
    total, product = np.zeros(n_columns, np.float32), np.zeros(n_columns, np.float32)
    for row in range(size):
        d_weight, d_bias = np.float32(0.0), np.float32(0.0)
        for n in range(n_columns):
            d = d_out[row, n] if out[row, n] > 0 else np.float32(0.0)
            d_weight += d * normal[row, n]
            d_bias += d
            d *= norm_weight[row]
            d_out[row, n] = d
            total[n] += d
            product[n] += d * normal[row, n]
        d_norm_weight[row] = d_weight
        d_norm_bias[row] = d_bias
    share = np.float32(1.0) / np.float32(size)
    for row in range(size):
        for n in range(n_columns):
            d_out[row, n] = (d_out[row, n] - share * (total[n] + normal[row, n] * product[n])) * scale[n]


@kernel
def hidden_gradients(d_sums: Array, inputs: Array, d_weight: Array, d_bias: Array) -> None:
    """Set the gradients of a layer's weight and bias from the gradient of its sums, shape (neurons, N)."""
    (size, n), n_inputs = d_sums.shape, inputs.shape[0]
    outer_product(d_sums.reshape(1, size, n), inputs.reshape(1, n_inputs, n), d_weight)
    for row in range(d_sums.shape[0]):
        total = np.float32(0.0)
        for n in range(d_sums.shape[1]):
            total += d_sums[row, n]
        d_bias[row] = total


@kernel
def value_gradients(d_q: Array, inputs: Array, d_weight: Array, d_bias: Array) -> None:
    """Set the gradients of the last layer's weight, shape (neurons,), and bias from the gradient of Q."""
    for row in range(d_weight.size):
        total = np.float32(0.0)
        for n in range(d_q.size):
            total += d_q[n] * inputs[row, n]
        d_weight[row] = total
    d_bias[0] = np.float32(0.0)
    for n in range(d_q.size):
        d_bias[0] += d_q[n]


@kernel
def outwards(weight: Array, d_q: Array) -> Array:
    """Return the gradient of the last layer's inputs, shape (neurons, N), from the gradient of Q."""
    d_inputs = np.empty((weight.size, d_q.size), np.float32)
    for row in range(weight.size):
        for n in range(d_q.size):
            d_inputs[row, n] = weight[row] * d_q[n]
    return d_inputs


@kernel
def through(weight: Array, d_sums: Array) -> Array:
    """Return the gradient of a layer's inputs, W^T d, shape (inputs, N)."""
    d_inputs = np.zeros((weight.shape[1], d_sums.shape[1]), np.float32)
    add_product(weight.T, d_sums, d_inputs)
    return d_inputs
