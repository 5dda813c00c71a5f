"""Returns, the penalty on the motor layer and the soft update in compiled loops, for the numba backend's arrays."""

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels.compiler import kernel
from velora_ros.models.backends.torch_backend import LARGEST_MOTOR

Array = npt.NDArray[np.float32]


@kernel
def column_returns(  # noqa: PLR0917
    reward: Array, terminated: Array, elapsed: Array, first: Array, burn_in: int,
    gamma: float, trace: Array, reward_scale: float, value: Array, returns: Array,
) -> None:  # fmt: skip
    """
    Compute :func:`velora_ros.models.targets.lambda_returns` for values in columns.

    The discount is ``gamma^elapsed``, and 0 after a termination.

    Args:
        reward: shape (B, L).
        terminated: 1 or 0, shape (B, L).
        elapsed: dt'/T, shape (B, L).
        first: 1 where an episode starts, shape (B, L).
        burn_in: number of steps at the start of each sequence that have no column.
        gamma: discount of one nominal period.
        trace: lambda of each step, in columns as ``value``, shape (M,).
        reward_scale: rewards are multiplied by it.
        value: column t * B + b belongs to step t after the burn-in of sequence b, shape (M,).
        returns: written, shape (M,).
    """
    n_sequences, length = reward.shape
    period, scale = np.float32(gamma), np.float32(reward_scale)
    for b in range(n_sequences):
        for t in range(length - 1, burn_in - 1, -1):
            n = (t - burn_in) * n_sequences + b
            following = value[n]
            if t < length - 1 and first[b, t + 1] == 0:
                following += trace[n + n_sequences] * (returns[n + n_sequences] - following)
            time = elapsed[b, t]
            discount = period if time == 1 else period**time
            returns[n] = scale * reward[b, t] + discount * (np.float32(1.0) - terminated[b, t]) * following


@kernel
def motor_penalty(motor: Array, weight: float, slope: Array) -> float:
    """
    Return the penalty ``weight * mean(z^2)``, and add its gradient to the gradient of the actor's loss.

    z is the input of the motor layer's tanh (MR.Q, arXiv 2501.16142): without a penalty it grows until the tanh has no
    gradient left.

    Args:
        motor: tanh(z), shape (L, motor, B).
        weight: weight of the penalty.
        slope: gradient of the loss with respect to ``motor``, of the same shape; written.
    """
    scale, limit = np.float32(weight) / np.float32(motor.size), np.float32(LARGEST_MOTOR)
    total, one = np.float32(0.0), np.float32(1.0)
    for t in range(motor.shape[0]):
        for i in range(motor.shape[1]):
            for b in range(motor.shape[2]):
                m = min(max(motor[t, i, b], -limit), limit)
                z = np.float32(0.5) * np.log((one + m) / (one - m))
                total += z * z
                if m == motor[t, i, b]:
                    slope[t, i, b] += np.float32(2.0) * scale * z / (one - m * m)
    return float(total * scale)


@kernel
def soft_update_arrays(target: Array, online: Array, tau: float) -> None:
    """Compute :func:`velora_ros.models.targets.soft_update` for flat arrays of weights."""
    tau32 = np.float32(tau)
    for i in range(target.size):
        target[i] += tau32 * (online[i] - target[i])
