"""
The fast engine, for the liquid cell: a compiled function, which allocates nothing, computes a whole step.

It computes the equations of :mod:`velora_ros.policy.numpy_engine`. Importing this module imports numba, which takes
0.5 s; :class:`velora_ros.policy.Policy` does so only when it uses this engine.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np
import numpy.typing as npt

from velora_ros.errors import ObservationError
from velora_ros.liquid.kernels.compiler import jit
from velora_ros.policy.engine_protocol import not_finite, too_large
from velora_ros.policy.policy_file import PolicyFile
from velora_ros.policy.tensor_layout import LARGEST_INPUT

OK, NOT_FINITE, TOO_LARGE = 0, 1, 2

# Products and sums may fuse. Other fast-math options are off, because with them LLVM removes tests for NaN. Divisions
# are not tested for zero, because the test would keep loops from being vectorised.
_OPTIONS: dict[str, Any] = {'fastmath': {'contract'}, 'error_model': 'numpy'}
# Read-only or strided observations match too; another signature would be compiled in the middle of a run.
_SIGNATURE = numba.int64(
    numba.types.Array(numba.float64, 1, 'A', readonly=True), numba.float64, numba.float32[::1], numba.float64[::1]
)

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_compiled = cast('_Decorator', numba.njit(**_OPTIONS))
_inlined = cast('_Decorator', numba.njit(inline='always', **_OPTIONS))


class NumbaEngine:
    """
    Steps a policy with the liquid cell; see :class:`velora_ros.policy.engine_protocol.Engine`.

    Weights and state are one array each. Building an engine compiles the step or loads it from the cache.
    """

    def __init__(self, file: PolicyFile) -> None:
        s, c, a = file.spec.observation_dim, file.hidden_size, file.spec.action_dim
        self._weights = pack(file)
        scratch = np.zeros(s + file.n_neurons + 4 * c + a)
        self._state = np.concatenate([np.zeros(c + a), file.spec.low, file.spec.high, scratch])
        self.hidden, self._action = self._state[:c], self._state[c : c + a]
        self.start: npt.NDArray[np.float64] | float = 0.0
        self._offset = file.tensors['normalisation.offset'].astype(np.float64)
        self._function = compiled_step()

    def step(self, observation: npt.NDArray[np.float64], ratio: float) -> npt.NDArray[np.float64]:
        """Step with an observation, shape (S,); return the action, shape (A,). On an error, the state is unchanged."""
        code = self._function(observation, ratio, self._weights, self._state)
        if code:
            raise ObservationError(not_finite(observation) if code == NOT_FINITE else too_large(observation))
        return self._action.copy()

    def warm_up(self) -> None:
        """Take one step, and restore the hidden state."""
        hidden = self.hidden.copy()
        self.step(self._offset, 1.0)
        self.hidden[:] = hidden


def pack(file: PolicyFile) -> npt.NDArray[np.float32]:
    """
    Return the weights in the order in which the compiled step reads them.

    Returns:
        A flat array: the sizes S, I, C, A; the normalisation; then the layers, with matrices transposed to (in, out).
    """
    c = file.hidden_size
    sizes = np.array([file.spec.observation_dim, file.n_neurons - c, c, file.spec.action_dim], dtype=np.float32)
    order = ('normalisation.offset', 'normalisation.scale')
    layers = [f'{layer}.{part}' for layer in ('inter', 'command', 'motor') for part in ('weight', 'bias')]
    parts: list[npt.NDArray[np.float32]] = [file.tensors[name].T.ravel() for name in (*order, *layers)]
    return np.concatenate([sizes, *parts])


@functools.cache
def compiled_step() -> Callable[..., int]:
    """
    Return the compiled step; it is compiled once per process.

    The machine code is cached on disk if possible; see :mod:`velora_ros.liquid.kernels.compiler`.
    """
    try:
        return cast('Callable[..., int]', jit(_SIGNATURE, **_OPTIONS)(_step))
    except Exception:  # of a damaged cache or a full disk; an error in the code itself is raised again below
        return cast('Callable[..., int]', numba.njit(_SIGNATURE, **_OPTIONS)(_step))


def _step(observation: Any, ratio: float, weights: Any, state: Any) -> int:
    """
    Advance the hidden state by one observation and write the action; on an error, both are unchanged.

    There are few arguments, because each array that is passed from Python costs 60 ns.

    Args:
        observation: float64 (S,), in the environment's units.
        ratio: dt / T, already clamped.
        weights: float32, from :func:`pack`. As float32, they fit in the processor's first-level cache, which saves more
            time than the conversion to float64 costs.
        state: float64: the hidden state (C,), the action (A,), its bounds low (A,) and high (A,), then scratch memory.
            The gates have the order of ``tensor_layout.py``.

    Returns:
        OK, NOT_FINITE (the observation has a NaN or an infinity) or TOO_LARGE (sums would overflow).
    """
    s, i, c, a = int(weights[0]), int(weights[1]), int(weights[2]), int(weights[3])
    at = 4
    offset, scale = weights[at : at + s], weights[at + s : at + 2 * s]
    at += 2 * s
    inter_weight, inter_bias = weights[at : at + s * i].reshape(s, i), weights[at + s * i : at + s * i + i]
    at += s * i + i
    n, gates = i + c, 4 * c
    command_weight = weights[at : at + n * gates].reshape(n, gates)
    command_bias = weights[at + n * gates : at + n * gates + gates]
    at += n * gates + gates
    motor_weight, motor_bias = weights[at : at + c * a].reshape(c, a), weights[at + c * a :]
    hidden, action = state[:c], state[c : c + a]
    low, high = state[c + a : c + 2 * a], state[c + 2 * a : c + 3 * a]
    at = c + 3 * a
    x, inputs = state[at : at + s], state[at + s : at + s + n]
    z, m = state[at + s + n : at + s + n + gates], state[at + s + n + gates :]

    for j in range(s):
        if not math.isfinite(observation[j]):
            return NOT_FINITE
        x[j] = (observation[j] - offset[j]) * scale[j]
        if abs(x[j]) > LARGEST_INPUT:
            return TOO_LARGE
    _affine(inter_weight, inter_bias, x, inputs[:i])
    _mish(inputs[:i])
    for j in range(c):
        inputs[i + j] = hidden[j]

    _affine(command_weight, command_bias, inputs, z)
    for j in range(c):
        z[2 * c + j] = 0.5 * (z[2 * c + j] * ratio + z[3 * c + j])
    _tanh(z[: 3 * c])
    for j in range(c):
        share = 0.5 + 0.5 * z[2 * c + j]  # the sigmoid
        z[j] = (1.0 - share) * z[j] + share * z[c + j]
        if not math.isfinite(z[j]):
            return TOO_LARGE

    _affine(motor_weight, motor_bias, z[:c], m)
    _tanh(m)
    for j in range(a):
        up = 0.5 + 0.5 * m[j]
        action[j] = min(max((1.0 - up) * low[j] + up * high[j], low[j]), high[j])  # rounding may exceed the bounds
    for j in range(c):
        hidden[j] = z[j]
    return OK


@_compiled
def _affine(weight: Any, bias: Any, inputs: Any, out: Any) -> None:
    """Set out = weight^T inputs + bias; weight has shape (in, out), so that the inner loops are vector operations."""
    for row in range(out.size):
        out[row] = bias[row]
    in_fours = inputs.size // 4 * 4
    for i in range(0, in_fours, 4):  # four inputs at once, so that out is read and written a quarter as often
        p, q, r, s = inputs[i], inputs[i + 1], inputs[i + 2], inputs[i + 3]
        for row in range(out.size):
            first = weight[i, row] * p + weight[i + 1, row] * q
            out[row] += first + (weight[i + 2, row] * r + weight[i + 3, row] * s)
    for i in range(in_fours, inputs.size):
        for row in range(out.size):
            out[row] += weight[i, row] * inputs[i]


@_inlined
def _exp(x: float) -> float:
    """
    Return e^x for |x| <= 40, by products and sums only, which the compiler can vectorise, unlike libm's function.

    This is the Taylor series of e^(x/64), squared six times. The relative error grows from 1e-15 at 0 to 2e-8 at 40,
    where it no longer matters for the two functions below.
    """
    y = x / 64.0
    p = 1.0 + y / 10.0
    for k in range(9, 0, -1):
        p = 1.0 + p * y * (1.0 / k)
    for _ in range(6):
        p *= p
    return p


@_inlined
def _clamped(x: float, low: float, high: float) -> float:
    """Return x within the limits; NaN stays NaN."""
    x = high if x > high else x
    return low if x < low else x


@_compiled
def _tanh(x: Any) -> None:
    """Replace every entry by its tanh, in place; the absolute error is at most 1e-14."""
    for j in range(x.size):
        e = _exp(2.0 * _clamped(x[j], -20.0, 20.0))
        x[j] = (e - 1.0) / (e + 1.0)


@_compiled
def _mish(x: Any) -> None:
    """Replace every entry by x tanh(log(1 + e^x)), in place; the absolute error is at most 1e-14 max(|x|, 1)."""
    for j in range(x.size):
        e = _exp(_clamped(x[j], -40.0, 20.0))
        n = e * (e + 2.0)
        x[j] = max(x[j], -40.0) * (n / (n + 2.0))
