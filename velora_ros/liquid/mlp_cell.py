"""A feed-forward layer in place of a cell, for comparison with the liquid cell."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from velora_ros.liquid.cfc_cell import masked_uniform
from velora_ros.liquid.wiring import Mask


class MLPCell(nn.Module):
    """
    ``h' = tanh(W [u; tau] + b)`` with tau = dt/T - 1: h' is the layer's output, and h is not used.

    With the inter layer before it and the motor layer after it, the network is an MLP with two hidden layers.
    Arguments, calls and shapes are those of :class:`velora_ros.liquid.CfCCell`.

    Args:
        mask: synapses [u; tau; h] -> h, shape (hidden, input + 1 + hidden); there are none from h.
        generator: source of the initial weights; torch's global one when None.
    """

    mask: Tensor

    def __init__(self, mask: Mask, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.hidden_size = mask.shape[0]
        self.input_size = mask.shape[1] - mask.shape[0] - 1
        self.register_buffer('mask', torch.as_tensor(mask, dtype=torch.float32))
        self.weight = nn.Parameter(masked_uniform(self.mask, generator))
        self.bias = nn.Parameter(torch.zeros(self.hidden_size))

    def forward(self, inputs: Tensor, hidden: Tensor, dt: Tensor | float = 1.0) -> Tensor:
        """Map u (B, input) and dt/T to h' (B, hidden)."""
        elapsed = torch.as_tensor(dt, dtype=inputs.dtype, device=inputs.device).reshape(-1, 1).expand(len(inputs), 1)
        return self.sequence(inputs[:, None], hidden, elapsed)[:, 0]

    def sequence(self, inputs: Tensor, hidden: Tensor, dt: Tensor, first: Tensor | None = None) -> Tensor:
        """Map u (B, L, input) and dt/T (B, L) to h' of each step (B, L, hidden)."""
        weight = (self.weight * self.mask)[:, : self.input_size + 1]
        return torch.tanh(functional.linear(torch.cat([inputs, dt[..., None] - 1], dim=-1), weight, self.bias))
