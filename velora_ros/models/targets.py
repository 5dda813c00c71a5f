"""
What the critics learn from, and how the target networks follow.

Here are target policy smoothing (:func:`smoothing_noise`), the discount (:func:`discounts`), the returns
(:func:`lambda_returns`) and the soft update of the target networks (:func:`soft_update`), each beside its compiled
version.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.replay import Batch

Array = npt.NDArray[np.float32]


def smoothing_noise(shape: tuple[int, int, int], target_noise: float, rng: np.random.Generator) -> Array:
    """
    Draw the noise on the target policy's action (TD3, arXiv 1802.09477), clipped at 2.5 standard deviations.

    Args:
        shape: (B, L - burn-in, action).
        target_noise: standard deviation in normalised actions; 0: no noise, and nothing is drawn.
        rng: the source of chance.
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


def lambda_returns(reward: Array, discount: Array, value: Array, first: Array, trace: float) -> Array:
    """
    Mix the returns of every length within a sequence: Peng's Q(lambda) (arXiv 2103.00107).

    ``G_t = r_t + discount_t * ((1 - trace) * value_t + trace * G_{t+1})``, where the next step of the sequence is of
    the same episode; else ``r_t + discount_t * value_t``.

    Args:
        reward: shape (B, L).
        discount: gamma^(dt'/T), and 0 after a termination, shape (B, L).
        value: value of what follows each step, shape (B, L).
        first: 1 where an episode starts, shape (B, L).
        trace: lambda; 0: one-step returns.

    Returns:
        G, shape (B, L).
    """
    returns = np.empty(reward.shape, np.float32)
    _mix(reward, discount, value, first, np.float32(trace), returns)
    return returns


@kernel
def _mix(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    reward: Array, discount: Array, value: Array, first: Array, trace: float, returns: Array
) -> None:
    length = reward.shape[1]
    for b in range(reward.shape[0]):
        for t in range(length - 1, -1, -1):
            following = value[b, t]
            if t < length - 1 and first[b, t + 1] == 0:
                following += trace * (returns[b, t + 1] - following)
            returns[b, t] = reward[b, t] + discount[b, t] * following


@kernel
def column_returns(  # noqa: PLR0917
    reward: Array, terminated: Array, elapsed: Array, first: Array, burn_in: int,
    gamma: float, trace: float, reward_scale: float, value: Array, returns: Array,
) -> None:  # fmt: skip
    """
    Do the same for values in columns; the discount is ``gamma^elapsed``, and 0 after a termination.

    Args:
        reward: shape (B, L).
        terminated: 1 or 0, shape (B, L).
        elapsed: dt'/T, shape (B, L).
        first: 1 where an episode starts, shape (B, L).
        burn_in: number of steps at the start of each sequence that have no column.
        gamma: discount of one nominal period.
        trace: lambda.
        reward_scale: rewards are multiplied by it.
        value: column t * B + b belongs to step t after the burn-in of sequence b, shape (M,).
        returns: written, shape (M,).
    """
    n_sequences, length = reward.shape
    period, share, scale = np.float32(gamma), np.float32(trace), np.float32(reward_scale)
    for b in range(n_sequences):
        for t in range(length - 1, burn_in - 1, -1):
            n = (t - burn_in) * n_sequences + b
            following = value[n]
            if t < length - 1 and first[b, t + 1] == 0:
                following += share * (returns[n + n_sequences] - following)
            time = elapsed[b, t]
            discount = period if time == 1 else period**time
            returns[n] = scale * reward[b, t] + discount * (np.float32(1.0) - terminated[b, t]) * following


@torch.no_grad()
def soft_update(target: nn.Module, online: nn.Module, tau: float) -> None:
    """Let the target's weights follow the online network's: theta' <- (1 - tau) theta' + tau theta."""
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), tau)


@kernel
def soft_update_arrays(target: Array, online: Array, tau: float) -> None:
    """Do the same for flat arrays of weights, as in the numba backend."""
    tau32 = np.float32(tau)
    for i in range(target.size):
        target[i] += tau32 * (online[i] - target[i])
