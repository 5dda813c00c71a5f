"""
The reference engine: computes the equations of :mod:`velora_ros.policy.tensor_layout` in plain numpy.

It supports all cells and needs no compiler. Tests compare :mod:`velora_ros.policy.numba_engine` with it.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ObservationError
from velora_ros.policy.engine_protocol import not_finite, too_large
from velora_ros.policy.policy_file import PolicyFile
from velora_ros.policy.tensor_layout import LARGEST_INPUT

Array = npt.NDArray[np.float64]
Weights = Mapping[str, Array]


class NumpyEngine:
    """Steps a policy with any cell; see :class:`velora_ros.policy.engine_protocol.Engine`."""

    def __init__(self, file: PolicyFile) -> None:
        self._weights = {n: t.astype(np.float64) for n, t in file.tensors.items() if not n.startswith('wiring.')}
        self._low, self._high = file.spec.low, file.spec.high
        self._next_hidden = CELLS[file.cell]
        self.hidden = np.zeros(file.hidden_size)
        self.start: Array | float = 0.0

    @np.errstate(all='ignore')  # an overflow is detected in the result
    def step(self, observation: Array, ratio: float) -> Array:
        """Step with an observation, shape (S,); return the action, shape (A,). On an error, the state is unchanged."""
        if not np.isfinite(observation).all():
            raise ObservationError(not_finite(observation))
        w = self._weights
        x = (observation - w['normalisation.offset']) * w['normalisation.scale']
        if np.abs(x).max() > LARGEST_INPUT:
            raise ObservationError(too_large(observation))
        v = w['inter.weight'] @ x + w['inter.bias']
        u = v * np.tanh(np.logaddexp(0.0, v))
        hidden = self._next_hidden(w, u, self.hidden, ratio)
        if not np.isfinite(hidden).all():
            raise ObservationError(too_large(observation))
        up = 0.5 + 0.5 * np.tanh(w['motor.weight'] @ hidden + w['motor.bias'])
        self.hidden[:] = hidden
        action: Array = np.clip((1.0 - up) * self._low + up * self._high, self._low, self._high)
        return action

    def warm_up(self) -> None:
        """Take one step, and restore the hidden state."""
        hidden = self.hidden.copy()
        self.step(self._weights['normalisation.offset'], 1.0)
        self.hidden[:] = hidden


def cfc(weights: Weights, u: Array, hidden: Array, ratio: float) -> Array:
    """Return the next hidden state of the liquid cell, shape (C,); ``u`` is the output of the inter neurons, (I,)."""
    z = weights['command.weight'] @ np.concatenate([u, hidden]) + weights['command.bias']
    g, k, a, b = z.reshape(4, -1)
    s = _sigmoid(a * ratio + b)
    state: Array = (1.0 - s) * np.tanh(g) + s * np.tanh(k)
    return state


def gru(weights: Weights, u: Array, hidden: Array, ratio: float) -> Array:
    """Return the next hidden state of the gated recurrent unit; arguments as for :func:`cfc`."""
    n_inputs = len(u) + 1
    weight = weights['command.weight']
    from_input = (weight[:, :n_inputs] @ [*u, ratio - 1.0] + weights['command.bias']).reshape(3, -1)
    from_hidden = (weight[:, n_inputs:] @ hidden).reshape(3, -1)
    r, z = _sigmoid(from_input[:2] + from_hidden[:2])
    state: Array = (1.0 - z) * np.tanh(from_input[2] + r * from_hidden[2]) + z * hidden
    return state


def mlp(weights: Weights, u: Array, hidden: Array, ratio: float) -> Array:
    """Return the output of the feed-forward layer, which does not read ``hidden``; arguments as for :func:`cfc`."""
    n_inputs = len(u) + 1
    state: Array = np.tanh(weights['command.weight'][:, :n_inputs] @ [*u, ratio - 1.0] + weights['command.bias'])
    return state


CELLS: dict[str, Callable[[Weights, Array, Array, float], Array]] = {'cfc': cfc, 'gru': gru, 'mlp': mlp}


def _sigmoid(x: Array) -> Array:
    value: Array = 0.5 + 0.5 * np.tanh(0.5 * x)  # cannot overflow
    return value
