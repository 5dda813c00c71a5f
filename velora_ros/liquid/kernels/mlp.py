"""The feed-forward cell in compiled loops; :mod:`velora_ros.liquid.mlp_cell` is the reference."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.activations import tanh
from velora_ros.liquid.kernels.cell_kernels import CellKernels
from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.liquid.kernels.layers import affine, mask_and_sum
from velora_ros.liquid.kernels.matrix_products import outer_product

Array = npt.NDArray[np.float32]

_ONE = np.float32(1.0)


class MLPTape(NamedTuple):
    """Arrays that a forward pass stores for the backward pass."""

    timed: Array  # [u; tau], (L, inter + 1, B)
    states: Array  # h' after each step, (L, command, B)


class MLPKernels(CellKernels):
    """The compiled loops of the feed-forward cell, which does not read h; see :class:`CellKernels`."""

    def forward(self, inputs: Array, hidden: Array, dt: Array, first: Array) -> tuple[Array, MLPTape]:
        """Run sequences; see :meth:`CellKernels.forward`."""
        del hidden, first
        _, _, states = self._memory(len(inputs), inputs.shape[2])
        timed = np.concatenate([inputs, dt[:, None] - _ONE], axis=1)
        feed_forward(timed, self.weight, self.bias, states)
        return states, MLPTape(timed, states)

    def backward(self, tape: MLPTape, d_states: Array, d_weight: Array, d_bias: Array, burn_in: int) -> Array:
        """Backpropagate, see :meth:`CellKernels.backward`; gradients in the burn-in are zero, like ``d_states``."""
        del burn_in
        split = self.n_inter + 1
        d_sums = d_states * (_ONE - tape.states * tape.states)
        d_weight[:, split:] = 0
        outer_product(d_sums, tape.timed, d_weight[:, :split])
        mask_and_sum(d_sums, self.mask, d_weight, d_bias)
        return d_sums


@kernel
def feed_forward(timed: Array, weight: Array, bias: Array, states: Array) -> None:
    """Set h' = tanh(W [u; tau] + b), shape (L, command, B)."""
    for t in range(len(timed)):
        affine(weight[:, : timed.shape[1]], bias, timed[t], states[t])
    flat = states.ravel()
    for n in range(flat.size):
        flat[n] = tanh(flat[n])
