"""Bootstrapped returns over a sequence."""

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.fused import kernel

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
