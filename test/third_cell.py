"""A cell of a user's own, which has no kernels: a leaky layer of tanh neurons."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class LeakyCell(nn.Module):
    def __init__(self, mask: object, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.register_buffer('mask', torch.as_tensor(mask, dtype=torch.float32))
        self.hidden_size = self.mask.shape[0]
        self.weight = nn.Parameter(torch.rand(self.mask.shape, generator=generator) - 0.5)
        self.bias = nn.Parameter(torch.zeros(self.hidden_size))

    def forward(self, inputs: Tensor, hidden: Tensor, dt: Tensor | float = 1.0) -> Tensor:
        fresh = torch.tanh(functional.linear(torch.cat([inputs, hidden], -1), self.weight * self.mask, self.bias))
        return hidden + 0.5 * (fresh - hidden)

    def sequence(self, inputs: Tensor, hidden: Tensor, dt: Tensor, first: Tensor | None = None) -> Tensor:
        states = []
        for step in range(inputs.shape[1]):
            hidden = hidden if first is None else hidden * (1 - first[:, step, None])
            hidden = self(inputs[:, step], hidden)
            states.append(hidden)
        return torch.stack(states, dim=1)
