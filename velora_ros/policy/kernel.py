"""
One step of the policy, compiled: the same equations as in :mod:`velora_ros.policy.layout`, without an allocation.

Importing this module imports numba; only the numba engine does.
"""

import contextlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numba

from velora_ros.policy.layout import LARGEST_INPUT

OK, NOT_FINITE, TOO_LARGE = 0, 1, 2

# Without fastmath: it gains less than 5 %, and even without its "no NaN" flags LLVM folded a test for NaN away.
_inline = cast('Callable[[Callable[..., Any]], Callable[..., Any]]', numba.njit)


@_inline
def _affine(weight: Any, bias: Any, inputs: Any, out: Any) -> None:
    """Set out = weight^T inputs + bias; weight has shape (in, out), so that the inner loop is a vector operation."""
    for row in range(out.size):
        out[row] = bias[row]
    for column in range(inputs.size):
        value = inputs[column]
        for row in range(out.size):
            out[row] += weight[column, row] * value


@_inline
def _tanh(x: float) -> float:
    """Return tanh from one exponential, 3 times as fast as libm's; exact to 2e-16, not relative to small results."""
    if abs(x) > 20.0:
        return math.copysign(1.0, x)
    e = math.exp(2.0 * x)
    return (e - 1.0) / (e + 1.0)


@_inline
def _mish(x: float) -> float:
    """Return x tanh(log(1 + exp x)) from one exponential."""
    if x > 20.0:
        return x
    e = math.exp(x)
    n = e * (e + 2.0)
    return x * n / (n + 2.0)


def _step(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    observation: Any, ratio: float, sizes: Any, weights: Any, state: Any, bounds: Any, action: Any
) -> int:
    """
    Advance the hidden state by one observation and write the action; on an error leave both alone.

    One array for all weights and one for all state: each array that crosses from Python costs 60 ns.

    Args:
        observation: float64 (S,), in the environment's units.
        ratio: dt / T.
        sizes: (S, I, C, A).
        weights: float64, as :func:`pack` lays them out.
        state: float64; the hidden state (C,) first, then scratch.
        bounds: float64 (2, A), low and high.
        action: float64 (A,), written.

    Returns:
        OK, NOT_FINITE (the observation is not) or TOO_LARGE (it would make the sums overflow).
    """
    s, i, c, a = sizes
    offset, scale = weights[:s], weights[s : 2 * s]
    at = 2 * s
    inter_weight, inter_bias = weights[at : at + s * i].reshape(s, i), weights[at + s * i : at + s * i + i]
    at += s * i + i
    n, gates = i + c, 4 * c
    command_weight = weights[at : at + n * gates].reshape(n, gates)
    command_bias = weights[at + n * gates : at + n * gates + gates]
    at += n * gates + gates
    motor_weight, motor_bias = weights[at : at + c * a].reshape(c, a), weights[at + c * a :]
    hidden, x, inputs = state[:c], state[c : c + s], state[c + s : c + s + n]
    z, m = state[c + s + n : c + s + n + gates], state[c + s + n + gates :]

    for j in range(s):
        if not math.isfinite(observation[j]):
            return NOT_FINITE
        x[j] = (observation[j] - offset[j]) * scale[j]
        if abs(x[j]) > LARGEST_INPUT:
            return TOO_LARGE
    _affine(inter_weight, inter_bias, x, inputs[:i])
    for j in range(i):
        inputs[j] = _mish(inputs[j])
    for j in range(c):
        inputs[i + j] = hidden[j]

    _affine(command_weight, command_bias, inputs, z)
    for j in range(c):
        g, k = _tanh(z[j]), _tanh(z[c + j])
        share = 0.5 + 0.5 * _tanh(0.5 * (z[2 * c + j] * ratio + z[3 * c + j]))  # the sigmoid, safe from overflow
        z[j] = (1.0 - share) * g + share * k
        if not math.isfinite(z[j]):
            return TOO_LARGE

    _affine(motor_weight, motor_bias, z[:c], m)
    for j in range(a):
        up = 0.5 + 0.5 * _tanh(m[j])
        low, high = bounds[0, j], bounds[1, j]
        action[j] = min(max((1.0 - up) * low + up * high, low), high)  # rounding may overshoot by one ulp
    for j in range(c):
        hidden[j] = z[j]
    return OK


def compiled(*, cache: bool = True) -> Callable[..., int]:
    """
    Return the step, to be compiled by its first call; the machine code is kept on disk where there is a place.

    On a read-only installation without a home folder there is none, and each process compiles for itself.
    """
    if cache and _has_cache_folder():
        with contextlib.suppress(RuntimeError):  # numba's "no locator available": nowhere to write
            return cast('Callable[..., int]', numba.njit(cache=True)(_step))
    return cast('Callable[..., int]', numba.njit(_step))


def _has_cache_folder() -> bool:
    """Tell whether there is a home; without one numba would make a folder called ``~`` in the working directory."""
    try:
        return Path.home().is_absolute()
    except RuntimeError:
        return bool(os.environ.get('XDG_CACHE_HOME') or os.environ.get('NUMBA_CACHE_DIR'))
