"""Runs one policy for many robots or simulations at once, in numpy; each has its own hidden state."""

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ObservationError
from velora_ros.policy.policy_file import PolicyFile

Array = npt.NDArray[np.float64]


class ManyPolicies:
    """
    A policy with n hidden states; it computes the equations of :mod:`velora_ros.policy.tensor_layout`.

    Args:
        file: the content of the policy file.
        n: number of robots.
    """

    def __init__(self, file: PolicyFile, n: int) -> None:
        self.file = file
        self._weights = {k: t.astype(np.float64).T for k, t in file.tensors.items() if not k.startswith('wiring.')}
        self._cell = {'cfc': self._cfc, 'gru': self._gru, 'mlp': self._mlp}[file.cell]
        self.hidden: Array = np.zeros((n, file.hidden_size))

    def reset(self, which: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the hidden states of the robots in ``which``, shape (n,), to zero; None means all robots."""
        self.hidden[slice(None) if which is None else which] = 0

    def step(self, observations: npt.ArrayLike, ratio: float | Array = 1.0) -> Array:
        """
        Advance all hidden states and return the actions, shape (n, action), in the policy's own units.

        Args:
            observations: one observation for each robot, shape (n, observation).
            ratio: the elapsed time in nominal periods, dt / T: one for all robots, or shape (n, 1).

        Raises:
            ObservationError: the observations have another shape or are not finite.
        """
        w, x = self._weights, np.asarray(observations, np.float64)
        expected = (len(self.hidden), self.file.spec.observation_dim)
        if x.shape != expected or not np.isfinite(x).all():
            raise ObservationError(f'the observations have the shape {x.shape}; they must be {expected} and finite.')
        v = (x - w['normalisation.offset']) * w['normalisation.scale'] @ w['inter.weight'] + w['inter.bias']
        self.hidden = self._cell(v * np.tanh(np.logaddexp(0.0, v)), np.broadcast_to(ratio, (len(x), 1)))
        up = 0.5 + 0.5 * np.tanh(self.hidden @ w['motor.weight'] + w['motor.bias'])
        low, high = self.file.spec.low, self.file.spec.high
        actions: Array = np.clip((1.0 - up) * low + up * high, low, high)
        return actions

    def _cfc(self, u: Array, ratio: Array) -> Array:
        z = np.concatenate([u, self.hidden], axis=1) @ self._weights['command.weight'] + self._weights['command.bias']
        g, k, a, b = np.split(z, 4, axis=1)
        s = _sigmoid(a * ratio + b)
        state: Array = (1.0 - s) * np.tanh(g) + s * np.tanh(k)
        return state

    def _gru(self, u: Array, ratio: Array) -> Array:
        weight, inputs = self._weights['command.weight'], np.concatenate([u, ratio - 1.0], axis=1)
        size = inputs.shape[1]
        y = np.split(inputs @ weight[:size] + self._weights['command.bias'], 3, axis=1)
        w = np.split(self.hidden @ weight[size:], 3, axis=1)
        r, z = _sigmoid(y[0] + w[0]), _sigmoid(y[1] + w[1])
        state: Array = (1.0 - z) * np.tanh(y[2] + r * w[2]) + z * self.hidden
        return state

    def _mlp(self, u: Array, ratio: Array) -> Array:
        inputs = np.concatenate([u, ratio - 1.0], axis=1)
        weight = self._weights['command.weight'][: inputs.shape[1]]
        state: Array = np.tanh(inputs @ weight + self._weights['command.bias'])
        return state


def _sigmoid(x: Array) -> Array:
    value: Array = 0.5 + 0.5 * np.tanh(0.5 * x)
    return value
