"""One step of each kind of command layer in plain numpy, as :mod:`velora_ros.policy.tensor_layout` writes them."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = Mapping[str, Array]


def cfc(weights: Weights, u: Array, hidden: Array, ratio: float) -> Array:
    """Return h' of the liquid cell."""
    z = weights['command.weight'] @ np.concatenate([u, hidden]) + weights['command.bias']
    g, k, a, b = z.reshape(4, -1)
    s = _sigmoid(a * ratio + b)
    state: Array = (1.0 - s) * np.tanh(g) + s * np.tanh(k)
    return state


def gru(weights: Weights, u: Array, hidden: Array, ratio: float) -> Array:
    """Return h' of the gated recurrent unit."""
    n_inputs = len(u) + 1
    weight = weights['command.weight']
    from_input = (weight[:, :n_inputs] @ [*u, ratio - 1.0] + weights['command.bias']).reshape(3, -1)
    from_hidden = (weight[:, n_inputs:] @ hidden).reshape(3, -1)
    r, z = _sigmoid(from_input[:2] + from_hidden[:2])
    state: Array = (1.0 - z) * np.tanh(from_input[2] + r * from_hidden[2]) + z * hidden
    return state


def mlp(weights: Weights, u: Array, hidden: Array, ratio: float) -> Array:
    """Return the output of the feed-forward layer; ``hidden`` is not read."""
    n_inputs = len(u) + 1
    state: Array = np.tanh(weights['command.weight'][:, :n_inputs] @ [*u, ratio - 1.0] + weights['command.bias'])
    return state


ADVANCE: dict[str, Callable[[Weights, Array, Array, float], Array]] = {'cfc': cfc, 'gru': gru, 'mlp': mlp}


def _sigmoid(x: Array) -> Array:
    value: Array = 0.5 + 0.5 * np.tanh(0.5 * x)  # safe from overflow
    return value
