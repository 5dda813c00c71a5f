"""The closed-form continuous-time (CfC) cell, arXiv 2106.13898, equation 10."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from velora_ros.liquid.wiring import Mask

GATES = 4  # g, k, a, b: the order of the rows in the stacked weight


class CfCCell(nn.Module):
    """
    The command neurons: they compute the next hidden state from the hidden state, the inputs and the elapsed time.

    With z = W [u; h] + b for each of the four gates g, k, a, b, stacked in one matrix so that a step is one product::

        h' = (1 - s) * tanh(z_g) + s * tanh(z_k)        s = sigmoid(z_a * dt/T + z_b)

    The cell is a closed-form approximation, not an exact solution: h' does not approach h as dt -> 0, and two half
    steps do not equal one step.

    Args:
        mask: synapses [u; h] -> h, shape (hidden, input + hidden); all four gates share it.
        generator: source of the initial weights; None: torch's global generator.
    """

    mask: Tensor

    def __init__(self, mask: Mask, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.hidden_size = mask.shape[0]
        self.input_size = mask.shape[1] - mask.shape[0]
        self.register_buffer('mask', torch.as_tensor(mask, dtype=torch.float32).repeat(GATES, 1))
        self.weight = nn.Parameter(masked_uniform(self.mask, generator))
        self.bias = nn.Parameter(torch.zeros(GATES * self.hidden_size))

    def forward(self, inputs: Tensor, hidden: Tensor, dt: Tensor | float = 1.0) -> Tensor:
        """
        Advance the hidden state by one observation.

        Args:
            inputs: u, shape (B, input).
            hidden: h, shape (B, hidden), in [-1, 1].
            dt: elapsed time over the nominal period, dt/T; a number or shape (B,) or (B, 1).

        Returns:
            h', shape (B, hidden), in [-1, 1].
        """
        weight = self.weight * self.mask
        pre = functional.linear(torch.cat([inputs, hidden], dim=-1), weight, self.bias)
        if isinstance(dt, Tensor) and dt.dim() == 1:
            dt = dt.unsqueeze(-1)
        return self.blend(pre, dt)

    def sequence(self, inputs: Tensor, hidden: Tensor, dt: Tensor, first: Tensor | None = None) -> Tensor:
        """
        Run a sequence, differentiable through time; the product with the inputs is computed for all steps at once.

        Args:
            inputs: u, shape (B, L, input).
            hidden: h before the first step, shape (B, hidden).
            dt: dt/T, shape (B, L).
            first: 1 where a new episode starts, so that h is zero before that step; shape (B, L). None: nowhere.

        Returns:
            h' after each step, shape (B, L, hidden).
        """
        weight = self.weight * self.mask
        from_input, from_hidden = weight[:, : self.input_size], weight[:, self.input_size :]
        pre = functional.linear(inputs, from_input, self.bias)
        states = []
        for step in range(inputs.shape[1]):
            if first is not None:
                hidden = hidden * (1 - first[:, step, None])
            hidden = self.blend(pre[:, step] + functional.linear(hidden, from_hidden), dt[:, step, None])
            states.append(hidden)
        return torch.stack(states, dim=1)

    def blend(self, pre: Tensor, dt: Tensor | float) -> Tensor:
        """Return h' from the gates' products, shape (..., 4 hidden); torch's sigmoid does not overflow."""
        z_g, z_k, z_a, z_b = pre.chunk(GATES, dim=-1)
        s = torch.sigmoid(z_a * dt + z_b)
        return (1 - s) * torch.tanh(z_g) + s * torch.tanh(z_k)


def masked_uniform(mask: Tensor, generator: torch.Generator | None) -> Tensor:
    """
    Draw initial weights: uniform in +- 1 / sqrt(n), where n is the neuron's number of inputs; zero without a synapse.

    Args:
        mask: 1 where there is a synapse, shape (out, in).
        generator: source of the weights; None: torch's global generator.
    """
    bound = mask.sum(dim=1, keepdim=True).clamp(min=1).rsqrt()
    return (torch.rand(mask.shape, generator=generator) * 2 - 1) * bound * mask
