"""The critic: a feed-forward Q(s, a) with layer normalisation. It is used in training only and never deployed."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from velora_ros.errors import ConfigError


class Critic(nn.Module):
    """
    Q(s, a) = MLP([s; a]); each hidden layer is linear, LayerNorm, ReLU.

    LayerNorm bounds how far Q extrapolates to actions that the replay has not seen, which stabilises off-policy
    learning (RLPD, arXiv 2302.02948).

    Args:
        state_dim: entries of the critic's view of the state.
        action_dim: entries of the action.
        hidden_sizes: neurons of each hidden layer.
        generator: source of the initial weights; torch's global one when None.

    Raises:
        ConfigError: a size is below 1, or there is no hidden layer.
    """

    def __init__(
        self,
        state_dim: int,
        action_dim: int,
        hidden_sizes: Sequence[int] = (64, 64),
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not hidden_sizes or min(hidden_sizes) < 1:
            raise ConfigError(f'critic_sizes is {list(hidden_sizes)}; it must be one or more sizes, each at least 1.')
        sizes = [state_dim + action_dim, *hidden_sizes, 1]
        self.layers = nn.ModuleList(_linear(n_in, n_out, generator) for n_in, n_out in itertools.pairwise(sizes))
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in hidden_sizes)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """
        Value state-action pairs.

        Args:
            state: normalised, shape (..., state).
            action: in [-1, 1], shape (..., action).

        Returns:
            Q, shape (...).
        """
        hidden = torch.cat([state, action], dim=-1)
        for layer, norm in zip(self.layers, self.norms, strict=False):
            hidden = torch.relu(norm(layer(hidden)))
        value: Tensor = self.layers[-1](hidden)
        return value.squeeze(-1)


def _linear(n_in: int, n_out: int, generator: torch.Generator | None) -> nn.Linear:
    """Return a linear layer with torch's usual initial range, drawn from the generator given."""
    layer = nn.Linear(n_in, n_out)
    bound = n_in**-0.5
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound)
    return layer
