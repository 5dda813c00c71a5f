"""
The critics' targets, and the updates of the target networks.

In the order of an update: target policy smoothing (:func:`smoothing_noise`), the discount (:func:`discounts`), the
value of several critics (:func:`value_of_critics`), the traces (:func:`traces`), the returns (:func:`lambda_returns`),
and the soft update of the target networks (:func:`soft_update`). The numba backend has its own versions in
``backends/numba_losses.py``.
"""

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.replay_buffers import Batch

Array = npt.NDArray[np.float32]


def smoothing_noise(shape: tuple[int, int, int], target_noise: float, rng: np.random.Generator) -> Array:
    """
    Draw the noise on the target policy's action (TD3, arXiv 1802.09477), clipped at 2.5 standard deviations.

    Args:
        shape: shape of the noise, (B, L - burn-in, action).
        target_noise: standard deviation in normalised actions; 0: no noise, and nothing is drawn.
        rng: the random generator.
    """
    if target_noise == 0:
        return np.zeros(shape, dtype=np.float32)
    noise = rng.standard_normal(shape, dtype=np.float32)
    scale_and_clip(noise.reshape(-1), target_noise, 2.5 * target_noise)
    return noise


@kernel
def scale_and_clip(noise: Array, scale: float, limit: float) -> None:
    """Multiply noise, shape (n,), by ``scale`` and clip it at ``limit``; numpy takes several times as long."""
    scale32, limit32 = np.float32(scale), np.float32(limit)
    for n in range(noise.size):
        x = scale32 * noise[n]
        noise[n] = limit32 if x > limit32 else -limit32 if x < -limit32 else x


def discounts(batch: Batch, gamma: float, burn_in: int) -> Array:
    """Return gamma^(dt'/T), 0 after a termination, shape (B, L - burn-in); a truncation bootstraps."""
    elapsed = batch.next_dt if batch.elapsed is None else batch.elapsed
    discount: Array = np.float32(gamma) ** elapsed[:, burn_in:] * (1 - batch.terminated[:, burn_in:])
    return discount


def value_of_critics(values: Sequence[Array], mean_share: float) -> Array:
    """
    Combine the values of several critics: the smallest (TD3), or a value between the smallest and the mean.

    The smaller of two values is too low on average. ``mean_share`` is the share of the mean in the result.

    Args:
        values: values of the target critics, arrays of equal shape.
        mean_share: 0 gives the smallest value, 1 the mean.
    """
    smallest: Array = functools.reduce(np.minimum, values)
    if mean_share == 0 or len(values) == 1:
        return smallest
    mean: Array = sum(values[1:], values[0]) / np.float32(len(values))
    return smallest + np.float32(mean_share) * (mean - smallest)


def traces(action: Array, policy: Array, trace: float, width: float, axis: int) -> Array:
    """
    Return the lambda of each step, reduced where the action is far from the target actor's action.

    ``lambda_t = trace * exp(-mean((a_t - mu'(o_t))^2) / (2 width^2))``. Rewards that follow an action that the policy
    would not take say little about the policy (Retrace, arXiv 1606.02647, for a deterministic actor).

    Args:
        action: the actions taken, in [-1, 1].
        policy: the target actor's actions, of the same shape.
        trace: lambda where both agree.
        width: root mean square of the difference at which lambda falls to 0.61 * ``trace``; 0: lambda is not reduced.
        axis: the axis of the actions.
    """
    if width == 0:
        return np.full(np.delete(action.shape, axis), trace, np.float32)
    distance = np.square(action - policy).mean(axis=axis)
    cut: Array = np.float32(trace) * np.exp(distance * np.float32(-0.5 / width**2))
    return cut


def lambda_returns(reward: Array, discount: Array, value: Array, first: Array, trace: Array) -> Array:
    """
    Mix the returns of every length within a sequence: Peng's Q(lambda) (arXiv 2103.00107).

    ``G_t = r_t + discount_t * ((1 - trace_{t+1}) * value_t + trace_{t+1} * G_{t+1})``, if the next step of the sequence
    belongs to the same episode, otherwise ``r_t + discount_t * value_t``.

    Args:
        reward: shape (B, L).
        discount: gamma^(dt'/T), and 0 after a termination, shape (B, L).
        value: value of the state after each step, shape (B, L).
        first: 1 where an episode starts, shape (B, L).
        trace: lambda of each step, from :func:`traces`, shape (B, L); 0: one-step returns.

    Returns:
        G, shape (B, L).
    """
    returns = np.empty(reward.shape, np.float32)
    _mix(reward, discount, value, first, trace, returns)
    return returns


@kernel
def _mix(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    reward: Array, discount: Array, value: Array, first: Array, trace: Array, returns: Array
) -> None:
    length = reward.shape[1]
    for b in range(reward.shape[0]):
        for t in range(length - 1, -1, -1):
            following = value[b, t]
            if t < length - 1 and first[b, t + 1] == 0:
                following += trace[b, t + 1] * (returns[b, t + 1] - following)
            returns[b, t] = reward[b, t] + discount[b, t] * following


@torch.no_grad()
def soft_update(target: nn.Module, online: nn.Module, tau: float) -> None:
    """Let the target's weights follow the online network's: theta' <- (1 - tau) theta' + tau theta."""
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), tau)
