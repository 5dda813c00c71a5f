"""Bootstrapped returns over a sequence."""

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.compiler import kernel

Array = npt.NDArray[np.float32]


def lambda_returns(reward: Array, discount: Array, value: Array, first: Array, trace: float) -> Array:
    """
    Mix the returns of every length within a sequence: Peng's Q(lambda) (arXiv 2103.00107).

    ``G_t = r_t + discount_t * ((1 - trace) * value_t + trace * G_{t+1})``, where the next step of the sequence is of
    the same episode; else ``r_t + discount_t * value_t``.

    Args:
        reward: shape (B, L).
        discount: gamma^(dt'/T), and 0 after a termination, shape (B, L).
        value: of what follows each step, shape (B, L).
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
    Do the same for values in columns, the discount ``gamma^elapsed``, 0 after a termination, included.

    Args:
        reward: shape (B, L).
        terminated: 1 or 0, shape (B, L).
        elapsed: dt'/T, shape (B, L).
        first: 1 where an episode starts, shape (B, L).
        burn_in: so many steps at the start of each sequence have no column.
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
