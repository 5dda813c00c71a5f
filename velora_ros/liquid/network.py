"""The Neural Circuit Policy in torch: sensory -> inter -> command (recurrent) -> motor, over a sequence."""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from velora_ros.liquid.cell_registry import module_of
from velora_ros.liquid.cfc_cell import masked_uniform
from velora_ros.liquid.wiring import Mask, Wiring


class Cell(Protocol):
    """
    The interface of a cell's torch module; it is created with (mask, generator=...).

    The mask, shape (hidden, columns), says which synapses exist; all gates share it.
    """

    hidden_size: int
    mask: Tensor  # repeated for each gate, shaped like the weight
    weight: nn.Parameter
    bias: nn.Parameter

    def __call__(self, inputs: Tensor, hidden: Tensor, dt: Tensor | float = 1.0) -> Tensor:
        """Take one step from u (B, input), h (B, hidden) and dt/T; return h' (B, hidden) in [-1, 1]."""
        ...

    def sequence(self, inputs: Tensor, hidden: Tensor, dt: Tensor, first: Tensor | None = None) -> Tensor:
        """Run a sequence from u (B, L, input), h (B, hidden), dt/T (B, L); return h' after each step (B, L, hidden)."""
        ...


class SparseLinear(nn.Module):
    """
    A linear layer that has only the wiring's synapses.

    Args:
        mask: True where there is a synapse, shape (out, in).
        generator: source of the initial weights; None: torch's global generator.
    """

    mask: Tensor

    def __init__(self, mask: Mask, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.register_buffer('mask', torch.as_tensor(mask, dtype=torch.float32))
        self.weight = nn.Parameter(masked_uniform(self.mask, generator))
        self.bias = nn.Parameter(torch.zeros(mask.shape[0]))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map shape (..., in) to (..., out)."""
        return functional.linear(inputs, self.weight * self.mask, self.bias)


class LiquidEncoder(nn.Module):
    """
    The first two layers: inter (sparse linear + Mish) and command (a cell such as :class:`CfCCell`).

    Args:
        wiring: the synapses, which also set every size and the kind of cell. The motor neurons are not used.
        generator: source of the initial weights; None: torch's global generator.
    """

    def __init__(self, wiring: Wiring, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.wiring = wiring
        self.inter = SparseLinear(wiring.inter, generator=generator)
        self.command: Cell = module_of(wiring.cell)(wiring.command, generator=generator)

    @property
    def hidden_size(self) -> int:
        """Number of command neurons: the size of the hidden state."""
        return int(self.command.hidden_size)

    def advance(self, inputs: Tensor, hidden: Tensor, dt: Tensor | float = 1.0) -> Tensor:
        """Take one observation, shape (B, sensory), and h; return h', both of shape (B, hidden)."""
        state: Tensor = self.command(functional.mish(self.inter(inputs)), hidden, dt)
        return state

    def states(self, inputs: Tensor, hidden: Tensor, dt: Tensor, first: Tensor | None = None) -> Tensor:
        """Run a sequence like :meth:`LiquidNetwork.forward`; return only h' after each step, shape (B, L, hidden)."""
        return self.command.sequence(functional.mish(self.inter(inputs)), hidden, dt, first)


class LiquidNetwork(LiquidEncoder):
    """
    Three layers of neurons: the two of :class:`LiquidEncoder`, and motor (sparse linear + tanh).

    Args:
        wiring: the synapses, which also set every size and the kind of cell.
        generator: source of the initial weights; None: torch's global generator.
    """

    def __init__(self, wiring: Wiring, *, generator: torch.Generator | None = None) -> None:
        super().__init__(wiring, generator=generator)
        self.motor = SparseLinear(wiring.motor, generator=generator)

    def step(self, inputs: Tensor, hidden: Tensor, dt: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
        """
        Run one observation.

        Args:
            inputs: normalised observation, shape (B, sensory).
            hidden: h, shape (B, hidden).
            dt: dt/T; a number or shape (B,).

        Returns:
            motor output in [-1, 1], shape (B, motor), and h', shape (B, hidden).
        """
        hidden = self.advance(inputs, hidden, dt)
        return torch.tanh(self.motor(hidden)), hidden

    def forward(self, inputs: Tensor, hidden: Tensor, dt: Tensor, first: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """
        Run a sequence.

        Args:
            inputs: normalised observations, shape (B, L, sensory).
            hidden: h before the first step, shape (B, hidden).
            dt: dt/T, shape (B, L).
            first: 1 where an episode starts inside the sequence, shape (B, L); None: nowhere.

        Returns:
            motor output in [-1, 1], shape (B, L, motor), and h' after each step, shape (B, L, hidden).
        """
        states = self.states(inputs, hidden, dt, first)
        return torch.tanh(self.motor(states)), states
