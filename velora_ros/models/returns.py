"""Bootstrapped returns over a sequence."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def lambda_returns(reward: Array, discount: Array, value: Array, last: Array, trace: float) -> Array:
    """
    Mix the returns of every length within a sequence: Peng's Q(lambda) (arXiv 2103.00107).

    ``G_t = r_t + discount_t * ((1 - trace) * value_t + trace * G_{t+1})``, where a later step of the same episode
    follows in the sequence; else ``r_t + discount_t * value_t``.

    Args:
        reward: shape (B, L).
        discount: gamma^(dt'/T), and 0 after a termination, shape (B, L).
        value: of what follows each step, shape (B, L).
        last: True where the next step is of another episode, shape (B, L); the end of the sequence need not be marked.
        trace: lambda; 0: one-step returns.

    Returns:
        G, shape (B, L).
    """
    returns: Array = reward + discount * value
    if trace == 0:
        return returns
    for step in range(reward.shape[1] - 2, -1, -1):
        longer = reward[:, step] + discount[:, step] * (
            np.float32(1 - trace) * value[:, step] + np.float32(trace) * returns[:, step + 1]
        )
        returns[:, step] = np.where(last[:, step], returns[:, step], longer)
    return returns
