"""The two engines that step a policy: plain numpy to read, numba to run. Both compute in float64."""

import functools
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError, MissingDependencyError, ObservationError
from velora_ros.liquid.cell_registry import CFC
from velora_ros.policy.policy_file import PolicyFile
from velora_ros.policy.numpy_engine import ADVANCE
from velora_ros.policy.tensor_layout import LARGEST_INPUT

Array = npt.NDArray[np.float64]

ENGINES = ('auto', 'numba', 'numpy')
TOO_LARGE = 'the observation is so large that the policy overflows; check its units and order: {observation}.'


class Engine(Protocol):
    """What :class:`velora_ros.policy.runtime.Policy` needs of an engine."""

    hidden: Array
    """The hidden state, shape (C,); writable in place."""

    def step(self, observation: Array, ratio: float) -> Array:
        """
        Advance the hidden state and return a new action, shape (A,).

        Args:
            observation: shape (S,).
            ratio: dt / T, already clamped.

        Raises:
            ObservationError: the observation is not finite, or too large; the hidden state is as before.
        """
        ...

    def warm_up(self) -> None:
        """Compile and touch whatever the first step would have to; the hidden state is as before."""
        ...


class NumpyEngine:
    """The equations of :mod:`velora_ros.policy.tensor_layout`, as they are written there."""

    def __init__(self, file: PolicyFile) -> None:
        self._weights = {n: t.astype(np.float64) for n, t in file.tensors.items() if not n.startswith('wiring.')}
        self._low, self._high = file.spec.low, file.spec.high
        self._advance = ADVANCE[file.cell]
        self.hidden = np.zeros(file.hidden_size)

    @np.errstate(all='ignore')  # what overflows is found by its result
    def step(self, observation: Array, ratio: float) -> Array:
        """See :class:`Engine`."""
        if not np.isfinite(observation).all():
            raise ObservationError(not_finite(observation))
        w = self._weights
        x = (observation - w['normalisation.offset']) * w['normalisation.scale']
        if np.abs(x).max() > LARGEST_INPUT:
            raise ObservationError(TOO_LARGE.format(observation=observation))
        v = w['inter.weight'] @ x + w['inter.bias']
        u = v * np.tanh(np.logaddexp(0.0, v))
        hidden = self._advance(w, u, self.hidden, ratio)
        if not np.isfinite(hidden).all():
            raise ObservationError(TOO_LARGE.format(observation=observation))
        up = 0.5 + 0.5 * np.tanh(w['motor.weight'] @ hidden + w['motor.bias'])
        self.hidden[:] = hidden
        action: Array = np.clip((1.0 - up) * self._low + up * self._high, self._low, self._high)
        return action

    def warm_up(self) -> None:
        """See :class:`Engine`."""
        hidden = self.hidden.copy()
        self.step(self._weights['normalisation.offset'], 1.0)
        self.hidden[:] = hidden


class NumbaEngine:
    """The compiled step; weights and state lie in one array each. Building one compiles, or loads what was compiled."""

    def __init__(self, file: PolicyFile) -> None:
        s, c, a = file.spec.observation_dim, file.hidden_size, file.spec.action_dim
        self._weights = pack(file)
        scratch = np.zeros(s + file.n_neurons + 4 * c + a)
        self._state = np.concatenate([np.zeros(c + a), file.spec.low, file.spec.high, scratch])
        self.hidden, self._action = self._state[:c], self._state[c : c + a]
        self._offset = file.tensors['normalisation.offset'].astype(np.float64)
        self._function = _compiled_step()

    def step(self, observation: Array, ratio: float) -> Array:
        """See :class:`Engine`."""
        code = self._function(observation, ratio, self._weights, self._state)
        if code:
            raise ObservationError(TOO_LARGE.format(observation=observation) if code > 1 else not_finite(observation))
        return self._action.copy()

    def warm_up(self) -> None:
        """See :class:`Engine`."""
        hidden = self.hidden.copy()
        self.step(self._offset, 1.0)
        self.hidden[:] = hidden


@functools.cache
def _compiled_step() -> Callable[..., int]:
    """Compile the kernel, once a process; a cache on disk that cannot be read or written is done without."""
    from velora_ros.policy import kernel  # noqa: PLC0415 - numba takes 0.5 s to import

    try:
        return kernel.compiled(cache=True)
    except Exception:  # a damaged cache or a full disk can raise anything; an error of the code itself comes again
        return kernel.compiled(cache=False)


def make_engine(name: str, file: PolicyFile) -> tuple[str, Engine]:
    """
    Build an engine; ``auto`` is numba where it is installed and the policy's cell is the liquid one, else numpy.

    Returns:
        the engine's own name and the engine.

    Raises:
        ConfigError: there is no such engine, or it cannot run this policy's cell.
        MissingDependencyError: numba was asked for and is not installed.
    """
    if name not in ENGINES:
        raise ConfigError(f"the engine is '{name}'; valid are {', '.join(ENGINES)}.")
    if name == 'numba' and file.cell != CFC:
        raise ConfigError(f"the engine 'numba' runs the cell '{CFC}', and this policy has '{file.cell}'; use 'numpy'.")
    if name != 'numpy' and file.cell == CFC:
        try:
            return 'numba', NumbaEngine(file)
        except ImportError as error:
            if name == 'numba':
                raise MissingDependencyError(
                    f"the engine 'numba' cannot import numba ({error}); install it, or use 'numpy'."
                ) from error
    return 'numpy', NumpyEngine(file)


def not_finite(observation: Array) -> str:
    """Return the sentence that names the entries which are no numbers."""
    bad = np.flatnonzero(~np.isfinite(observation))
    entries = ', '.join(f'entry {index} is {observation[index]}' for index in bad[:5])
    return f'the observation must be finite numbers; {entries}.'


def pack(file: PolicyFile) -> npt.NDArray[np.float32]:
    """
    Lay the weights out as the kernel reads them.

    Returns:
        Sizes S, I, C, A; normalisation; then layer by layer, matrices transposed to (in, out); flat.
    """
    c = file.hidden_size
    sizes = np.array([file.spec.observation_dim, file.n_neurons - c, c, file.spec.action_dim], dtype=np.float32)
    order = ('normalisation.offset', 'normalisation.scale')
    layers = [f'{layer}.{part}' for layer in ('inter', 'command', 'motor') for part in ('weight', 'bias')]
    parts: list[npt.NDArray[np.float32]] = [file.tensors[name].T.ravel() for name in (*order, *layers)]
    return np.concatenate([sizes, *parts])
