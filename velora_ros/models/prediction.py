"""``LiquidDDPG.predict``: numpy or torch, one state or a batch, in the environment's units."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from velora_ros.errors import ConfigError, ObservationError
from velora_ros.models.actor_and_critics import Networks
from velora_ros.spec import PolicySpec


@torch.no_grad()
def predict(
    networks: Networks,
    spec: PolicySpec,
    rng: np.random.Generator,
    state: Any,
    hidden: Any,
    *,
    noise_scale: float,
    ratio: float,
) -> tuple[Any, Any]:
    """
    Run the policy on one state or a batch; ``LiquidDDPG.predict`` explains the arguments.

    ``ratio`` is dt/T, already clamped to the range of training.

    Raises:
        ObservationError: a shape is wrong, or a number is not finite.
        ConfigError: the noise scale is negative or not finite.
    """
    if not (np.isfinite(noise_scale) and noise_scale >= 0):
        raise ConfigError(f'noise_scale is {noise_scale}; it must be 0 or a positive number.')
    as_tensor = isinstance(state, Tensor)
    device = networks.device
    inputs = _checked('state', state, spec.observation_dim, device)
    batched = inputs.dim() == 2
    inputs = inputs if batched else inputs[None]
    size = networks.deployed.hidden_size
    before = (
        torch.zeros(len(inputs), size, device=device) if hidden is None else _checked('hidden', hidden, size, device)
    )
    before = before.reshape(-1, size)
    if len(before) != len(inputs):
        raise ObservationError(
            f'there are {len(inputs)} states and {len(before)} hidden states; the numbers must match.'
        )
    output, after = networks.deployed.step(networks.observation_normaliser(inputs), before, ratio)
    if noise_scale > 0:
        noise = rng.standard_normal(tuple(output.shape), dtype=np.float32)
        output = (output + noise_scale * torch.as_tensor(noise, device=device)).clamp(-1, 1)
    action = _scaled(output, spec)
    if not batched:
        action, after = action[0], after[0]
    if as_tensor:
        return (action.to(state.device), after.to(state.device)) if state.is_cuda else (action, after)
    return action.cpu().numpy(), after.cpu().numpy()


def _checked(name: str, values: Any, size: int, device: torch.device) -> Tensor:
    """Return a float32 tensor of shape (size,) or (B, size), or raise an error that describes the given value."""
    try:
        tensor = torch.as_tensor(values, dtype=torch.float32, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ObservationError(
            f'{name} is a {type(values).__name__}; it must be an array or tensor of numbers.'
        ) from error
    if tensor.dim() not in {1, 2} or tensor.shape[-1] != size:
        raise ObservationError(f'{name} has the shape {tuple(tensor.shape)}; it must be ({size},) or (B, {size}).')
    if not torch.isfinite(tensor).all():
        raise ObservationError(
            f'{name} holds a number that is not finite; check the sensor or environment it came from.'
        )
    return tensor


def _scaled(output: Tensor, spec: PolicySpec) -> Tensor:
    """Map [-1, 1] onto the action bounds; clamped, because rounding may exceed them."""
    low = torch.as_tensor(spec.low, dtype=torch.float32, device=output.device)
    high = torch.as_tensor(spec.high, dtype=torch.float32, device=output.device)
    return torch.clamp(low + (output + 1) / 2 * (high - low), low, high)
