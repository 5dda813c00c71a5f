"""The common part of the cells for comparison: they read the elapsed time as an input."""

import torch
from torch import Tensor, nn

from velora_ros.liquid.cfc_cell import masked_uniform
from velora_ros.liquid.wiring import Mask


class ElapsedInputCell(nn.Module):
    """
    A cell whose inputs are [u; tau; h], with tau = dt/T - 1. It is called like :class:`CfCCell`, with the same shapes.

    Args:
        mask: synapses [u; tau; h] -> h, shape (hidden, input + 1 + hidden); all gates share it.
        generator: source of the initial weights; None: torch's global generator.
    """

    mask: Tensor
    gates = 1
    """Number of gates, whose weights are stacked."""

    def __init__(self, mask: Mask, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.hidden_size = mask.shape[0]
        self.input_size = mask.shape[1] - mask.shape[0] - 1
        self.register_buffer('mask', torch.as_tensor(mask, dtype=torch.float32).repeat(self.gates, 1))
        self.weight = nn.Parameter(masked_uniform(self.mask, generator))
        self.bias = nn.Parameter(torch.zeros(self.gates * self.hidden_size))

    def forward(self, inputs: Tensor, hidden: Tensor, dt: Tensor | float = 1.0) -> Tensor:
        """Advance the hidden state by one observation: from u (B, input), h (B, hidden) and dt/T to h' (B, hidden)."""
        elapsed = torch.as_tensor(dt, dtype=inputs.dtype, device=inputs.device).reshape(-1, 1).expand(len(inputs), 1)
        return self.sequence(inputs[:, None], hidden, elapsed)[:, 0]

    def sequence(self, inputs: Tensor, hidden: Tensor, dt: Tensor, first: Tensor | None = None) -> Tensor:
        """Run a sequence: from u (B, L, input), h (B, hidden) and dt/T (B, L) to h' after each step (B, L, hidden)."""
        raise NotImplementedError
