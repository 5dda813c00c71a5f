"""A feed-forward layer in place of a cell, for comparison with the liquid cell."""

import torch
from torch import Tensor
from torch.nn import functional

from velora_ros.liquid.elapsed_input_cell import ElapsedInputCell


class MLPCell(ElapsedInputCell):
    """
    ``h' = tanh(W [u; tau] + b)`` with tau = dt/T - 1: h' is the layer's output, and h is not used.

    With the inter layer before it and the motor layer after it, the network is an MLP with two hidden layers.
    """

    def sequence(self, inputs: Tensor, hidden: Tensor, dt: Tensor, first: Tensor | None = None) -> Tensor:
        """Map u (B, L, input) and dt/T (B, L) to h' of each step (B, L, hidden)."""
        weight = (self.weight * self.mask)[:, : self.input_size + 1]
        return torch.tanh(functional.linear(torch.cat([inputs, dt[..., None] - 1], dim=-1), weight, self.bias))
