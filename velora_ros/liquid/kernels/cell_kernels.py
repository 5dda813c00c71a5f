"""The interface that :mod:`velora_ros.liquid.kernels.network` needs from the compiled loops of a cell."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.cell_registry import cell_kind
from velora_ros.liquid.kernels import layers
from velora_ros.liquid.wiring import Wiring

Array = npt.NDArray[np.float32]


class CellKernels(ABC):
    """
    The forward and backward pass of the command layer.

    :mod:`velora_ros.liquid.kernels.layers` defines the layout of arrays.

    Args:
        wiring: the synapses.
        weight: the gates' weights, stacked as in the cell's torch module, shape (gates * command, columns of the mask);
            zero where there is no synapse; read at every call.
        bias: one value for each row of the weight, shape (gates * command,).
    """

    def __init__(self, wiring: Wiring, weight: Array, bias: Array) -> None:
        self.n_inter, self.n_command = wiring.n_inter, wiring.n_command
        self.weight, self.bias = weight, bias
        self.mask = np.tile(wiring.command, (cell_kind(wiring.cell).gates, 1)).astype(np.float32)
        self._arrays: dict[tuple[int, int], tuple[Array, Array, Array]] = {}

    @abstractmethod
    def forward(self, inputs: Array, hidden: Array, dt: Array, first: Array) -> tuple[Array, Any]:
        """
        Run sequences.

        Args:
            inputs: u, shape (L, inter, B).
            hidden: h before the first step, shape (command, B).
            dt: dt/T, shape (L, B).
            first: 1 where an episode starts, shape (L, B).

        Returns:
            h' after each step, shape (L, command, B), and what :meth:`backward` needs. The next call with the same
            numbers of steps and sequences overwrites both.
        """

    @abstractmethod
    def backward(self, tape: Any, d_states: Array, d_weight: Array, d_bias: Array, burn_in: int) -> Array:
        """
        Backpropagate through time.

        Args:
            tape: the tape from :meth:`forward`.
            d_states: gradient of the loss with respect to h', shape (L, command, B), zero in the burn-in; overwritten.
            d_weight: gradient of the weight, shaped like the weight; written.
            d_bias: gradient of the bias, shaped like the bias; written.
            burn_in: number of steps at the start that get no gradient.

        Returns:
            the gradient of the gates' sums over u, shape (L, gates * command, B).
        """

    def step(self, inputs: Array, inter: tuple[Array, Array], hidden: Array, dt: float) -> Array:
        """
        Pass one observation through the inter layer and the cell.

        Args:
            inputs: normalised observation, shape (sensory,).
            inter: weight and bias of the inter layer.
            hidden: h, shape (command,).
            dt: dt/T.

        Returns:
            h', shape (command,).
        """
        u, slope = np.empty((2, 1, self.n_inter, 1), np.float32)
        layers.inter_forward(inputs[None, :, None], *inter, u, slope)
        time = np.full((1, 1), dt, np.float32)
        states, _ = self.forward(u, hidden[:, None], time, np.zeros_like(time))
        return states[0, :, 0].copy()

    def _memory(self, length: int, n_sequences: int) -> tuple[Array, Array, Array]:
        """Return arrays for h before each step, four gates, and h' after each step; calls of equal size reuse them."""
        shape = length, n_sequences
        if shape not in self._arrays:
            before, states = (np.empty((length, self.n_command, n_sequences), np.float32) for _ in range(2))
            gates = np.empty((length, 4 * self.n_command, n_sequences), np.float32)
            self._arrays[shape] = before, gates, states
        return self._arrays[shape]
