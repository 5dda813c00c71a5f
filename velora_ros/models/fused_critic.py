"""The critic forwards and backwards in numpy and compiled loops; :mod:`velora_ros.models.critic` is the reference."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.fused import kernel

Array = npt.NDArray[np.float32]

EPSILON = np.float32(1e-5)  # of torch.nn.LayerNorm


class FusedCritic:
    """
    Forward and backward pass of :class:`velora_ros.models.critic.Critic` on numpy views.

    Args:
        parameters: by the critic's own names.
        n_hidden: number of hidden layers.
    """

    def __init__(self, parameters: Mapping[str, Array], n_hidden: int) -> None:
        self.parameters, self.n_hidden = parameters, n_hidden

    def forward(self, inputs: Array) -> tuple[Array, list[tuple[Array, Array, Array]]]:
        """
        Value rows of [state; action].

        Returns:
            Q, shape (N,), and per layer its input, the normalised sums and 1 / deviation, for the backward pass.
        """
        p, x = self.parameters, inputs
        tape = []
        for layer in range(self.n_hidden):
            y = np.dot(x, p[f'layers.{layer}.weight'].T)
            y += p[f'layers.{layer}.bias']
            out, scale = np.empty_like(y), np.empty(len(y), np.float32)
            normalise_relu(y, p[f'norms.{layer}.weight'], p[f'norms.{layer}.bias'], out, scale)
            tape.append((x, y, scale))
            x = out
        q = np.dot(x, p[f'layers.{self.n_hidden}.weight'][0])
        q += p[f'layers.{self.n_hidden}.bias'][0]
        tape.append((x, q, q))
        return q, tape

    def backward(
        self, tape: list[tuple[Array, Array, Array]], d_q: Array, gradients: Mapping[str, Array] | None
    ) -> Array:
        """
        Backpropagate.

        Args:
            tape: of the forward pass.
            d_q: derivative of the loss by Q, shape (N,).
            gradients: written, by the parameters' names; None where only the inputs' derivative is wanted.

        Returns:
            the derivative by the inputs, shape (N, inputs).
        """
        p, last = self.parameters, self.n_hidden
        d_x = np.outer(d_q, p[f'layers.{last}.weight'][0])
        if gradients is not None:
            np.dot(d_q, tape[last][0], out=gradients[f'layers.{last}.weight'][0])
            gradients[f'layers.{last}.bias'][0] = d_q.sum()
        for layer in reversed(range(last)):
            x, normal, scale = tape[layer]
            out = tape[layer + 1][0]
            weight = p[f'norms.{layer}.weight']
            d_weight, d_bias = np.zeros_like(weight), np.zeros_like(weight)
            normalise_relu_backward(d_x, out, normal, scale, weight, d_weight, d_bias)  # d_x becomes that by the sums
            if gradients is not None:
                gradients[f'norms.{layer}.weight'][:] = d_weight
                gradients[f'norms.{layer}.bias'][:] = d_bias
                np.dot(d_x.T, x, out=gradients[f'layers.{layer}.weight'])
                np.sum(d_x, axis=0, out=gradients[f'layers.{layer}.bias'])
            d_x = np.dot(d_x, p[f'layers.{layer}.weight'])
        return d_x


@kernel
def normalise_relu(y: Array, weight: Array, bias: Array, out: Array, scale: Array) -> None:
    """Set y to its rows' standard scores, scale to 1 / deviation, and out = relu(weight y + bias)."""
    n_rows, size = y.shape
    for row in range(n_rows):
        total, squares = np.float32(0.0), np.float32(0.0)
        for column in range(size):
            total += y[row, column]
        mean = total / np.float32(size)
        for column in range(size):
            difference = y[row, column] - mean
            squares += difference * difference
        one = np.float32(1.0) / np.sqrt(squares / np.float32(size) + EPSILON)
        scale[row] = one
        for column in range(size):
            normal = (y[row, column] - mean) * one
            y[row, column] = normal
            out[row, column] = max(normal * weight[column] + bias[column], np.float32(0.0))


@kernel
def normalise_relu_backward(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    d_out: Array, out: Array, normal: Array, scale: Array, weight: Array, d_weight: Array, d_bias: Array
) -> None:
    """Turn d_out into the derivative by the sums, in place, and add up those by weight and bias."""
    n_rows, size = d_out.shape
    for row in range(n_rows):
        total, product = np.float32(0.0), np.float32(0.0)
        for column in range(size):
            d = d_out[row, column] if out[row, column] > 0 else np.float32(0.0)
            d_weight[column] += d * normal[row, column]
            d_bias[column] += d
            d *= weight[column]
            d_out[row, column] = d
            total += d
            product += d * normal[row, column]
        total /= np.float32(size)
        product /= np.float32(size)
        for column in range(size):
            d_out[row, column] = (d_out[row, column] - total - normal[row, column] * product) * scale[row]
