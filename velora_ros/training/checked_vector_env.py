"""
The training loop's view of n environments: actions in [-1, 1], checked numbers, and one way to end episodes.

gymnasium has three ways to begin the next episode of a stream (``AutoresetMode``). Here they look alike: :meth:`step`
returns what every action led to, and :attr:`CheckedVectorEnv.begun` says which streams are at the start of an episode.
"""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv

from velora_ros.errors import DivergenceError, UnsupportedEnvironmentError
from velora_ros.gym.describe_env_errors import FAILURES
from velora_ros.spec import PolicySpec
from velora_ros.training.agent_protocol import Array
from velora_ros.training.checked_env import REPAIR, env_failure

logger = logging.getLogger(__name__)

Flags = npt.NDArray[np.bool_]


class VectorStep(NamedTuple):
    """
    What a step of n streams led to.

    Args:
        observation: o', the last one of an episode that ended, shape (n, observation).
        state: the critic's view of it, shape (n, state); None: the observation.
        reward: shape (n,).
        terminated: shape (n,).
        truncated: shape (n,).
        dt: elapsed time over the nominal period, shape (n,).
        taken: False for streams that were being reset instead (``AutoresetMode.NEXT_STEP``), shape (n,).
    """

    observation: Array
    state: Array | None
    reward: npt.NDArray[np.float64]
    terminated: Flags
    truncated: Flags
    dt: Array
    taken: Flags


class CheckedVectorEnv:
    """
    A vector of environments whose numbers are checked and copied.

    Args:
        env: the vector.
        spec: names and bounds of each of its environments.
        privileged_dim: entries of ``info['privileged_state']``; 0: there is none, None: as many as at the first reset.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], spec: PolicySpec, privileged_dim: int | None = None) -> None:
        self._env, self._spec, self._privileged_dim = env, spec, privileged_dim
        self.num_envs = env.num_envs
        self.mode = autoreset_mode(env)
        self._low, self._half_range = spec.low, (spec.high - spec.low) / 2
        self._dtype = env.single_action_space.dtype
        self.observation = np.zeros((env.num_envs, spec.observation_dim), np.float32)
        """What each stream's next action follows, shape (n, observation)."""
        self.state: Array | None = None
        """The critic's view of it, shape (n, state); None: it is the observation."""
        self.begun = np.ones(env.num_envs, bool)
        """Which streams are at the start of an episode, shape (n,)."""
        self._being_reset = np.zeros(env.num_envs, bool)  # at the next step, in AutoresetMode.NEXT_STEP

    @property
    def resets_itself(self) -> bool:
        """Whether the vector begins the next episodes by itself."""
        return self.mode is not AutoresetMode.DISABLED

    def reset(self, seeds: list[int | None], mask: Flags | None = None) -> None:
        """
        Begin episodes.

        Args:
            seeds: one for each stream that is reset.
            mask: streams to reset, shape (n,); None: all.

        Raises:
            UnsupportedEnvironmentError: the environment failed, or an observation is invalid.
        """
        every = mask is None or bool(mask.all())
        if self.resets_itself and not every:
            raise UnsupportedEnvironmentError(
                'this vector of environments begins episodes by itself, so that single streams cannot be reset; make '
                "it with autoreset_mode='Disabled'."
            )
        which = np.ones(self.num_envs, bool) if mask is None else mask
        options = {} if every else {'options': {'reset_mask': which.copy()}}
        try:
            observation, info = self._env.reset(seed=seeds, **options)  # type: ignore[arg-type]
        except FAILURES as error:
            raise env_failure(error, 'at a reset', REPAIR) from error
        self._take(observation, info, which, 'after a reset')
        self.begun[which] = True
        self._being_reset[which] = False

    def step(self, action: Array) -> VectorStep:
        """
        Step all streams with actions in [-1, 1], mapped onto the bounds.

        Args:
            action: shape (n, action).

        Raises:
            UnsupportedEnvironmentError: the environment failed, or something that it returned is invalid; the message
                names the stream.
            DivergenceError: an action is not finite.
        """
        if not np.isfinite(action).all():
            raise DivergenceError.of(f"the policy's action in {self._first_bad(action)}")
        command = np.clip(self._low + (action + 1) * self._half_range, self._spec.low, self._spec.high)
        try:
            observation, reward, terminated, truncated, info = self._env.step(command.astype(self._dtype))
        except FAILURES as error:
            raise env_failure(error, 'in a step') from error
        taken = ~self._being_reset
        reward = np.array(reward, np.float64)
        if not np.isfinite(reward[taken]).all():
            bad = int(np.flatnonzero(taken & ~np.isfinite(reward))[0])
            raise UnsupportedEnvironmentError(
                f'stream {bad} of {self.num_envs} returned the reward {reward[bad]}; rewards must be finite. Bound the '
                'reward, or end the episode before it diverges.'
            )
        ended = (np.asarray(terminated, bool) | np.asarray(truncated, bool)) & taken
        elapsed = self._elapsed(info, taken)
        if self.mode is AutoresetMode.SAME_STEP and ended.any():
            final, final_state, elapsed = self._final(observation, info, ended, elapsed)
            self._take(observation, info, taken, 'in a step')
            reached, reached_state = self.observation.copy(), None if self.state is None else self.state.copy()
            reached[ended] = final
            if reached_state is not None and final_state is not None:
                reached_state[ended] = final_state
        else:
            self._take(observation, info, np.ones_like(taken), 'in a step')
            reached, reached_state = self.observation.copy(), None if self.state is None else self.state.copy()
        self.begun = ended.copy() if self.mode is AutoresetMode.SAME_STEP else self._being_reset.copy()
        self._being_reset = ended.copy() if self.mode is AutoresetMode.NEXT_STEP else np.zeros_like(ended)
        return VectorStep(
            reached, reached_state, reward, np.asarray(terminated, bool) & taken, np.asarray(truncated, bool) & taken,
            elapsed, taken,
        )  # fmt: skip

    def get_state(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return the vector's state as arrays by name, with which :meth:`set_state` continues it; None: it has none."""
        get = getattr(self._env, 'get_state', None)
        if get is None:
            return None
        own = {'observation': self.observation, 'begun': self.begun}
        own |= {} if self.state is None else {'state': self.state}
        return {**_flat(get(), 'env.'), **{name: values.copy() for name, values in own.items()}}

    def set_state(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Continue from what :meth:`get_state` returned."""
        env: Any = self._env
        env.set_state(_nested({n.removeprefix('env.'): one for n, one in state.items() if n.startswith('env.')}))
        self.observation, self.begun = state['observation'].copy(), state['begun'].copy()
        self.state = state['state'].copy() if 'state' in state else None
        self._privileged_dim = 0 if self.state is None else self.state.shape[1]

    def _take(self, observation: Any, info: dict[str, Any], which: Flags, when: str) -> None:
        """Check and keep what the next actions follow; only the rows of ``which`` must be valid."""
        self.observation = self._checked(observation, which, (self._spec.observation_dim,), 'observation', when)
        self.state = self._privileged(info, which, when)

    def _privileged(self, info: dict[str, Any], which: Flags, when: str) -> Array | None:
        values = info.get('privileged_state')
        if values is None and not self._privileged_dim:
            self._privileged_dim = 0
            return None
        if values is None:
            raise UnsupportedEnvironmentError(
                f"infos['privileged_state'] is missing {when}; it must be there after every reset and step, with the "
                f'shape ({self.num_envs}, {self._privileged_dim}).'
            )
        if self._privileged_dim is None:
            self._privileged_dim = int(np.shape(values)[-1])
        given = info.get('_privileged_state')
        fresh = which if given is None else which & np.asarray(given, bool)
        state = self._checked(values, fresh, (self._privileged_dim,), "infos['privileged_state']", when)
        if self.state is not None and not fresh.all():  # a reset of some streams says nothing about the others
            state[~fresh] = self.state[~fresh]
        return state

    def _final(
        self, observation: Any, info: dict[str, Any], ended: Flags, elapsed: Array
    ) -> tuple[Array, Array | None, Array]:
        """Return o' and the critic's view of it for the streams that ended, and all times, from the final infos."""
        finals = info.get('final_obs')
        if finals is None:
            raise UnsupportedEnvironmentError(
                "episodes ended and infos['final_obs'] is missing; a vector with autoreset in the same step must give "
                "the last observations there. Make it with autoreset_mode='Disabled', or correct it."
            )
        rows = np.array([np.asarray(finals[stream], np.float32) for stream in np.flatnonzero(ended)])
        whole = np.array(observation, np.float32)
        whole[ended] = rows
        self._checked(whole, ended, (self._spec.observation_dim,), 'final observation', 'in a step')
        final_info = info.get('final_info', {})
        times = final_info.get('dt')
        if times is not None:
            elapsed = elapsed.copy()
            elapsed[ended] = np.asarray(times, np.float32)[ended] / self._spec.control_period
        states = final_info.get('privileged_state')
        return rows, None if states is None else np.asarray(states, np.float32)[ended], elapsed

    def _elapsed(self, info: dict[str, Any], taken: Flags) -> Array:
        seconds = info.get('dt')
        if seconds is None:
            return np.ones(self.num_envs, np.float32)
        given = np.asarray(info.get('_dt', taken), bool)
        elapsed: Array = np.where(given, np.asarray(seconds, np.float64) / self._spec.control_period, 1.0)
        bad = taken & ~(np.isfinite(elapsed) & (elapsed > 0))
        if bad.any():
            stream = int(np.flatnonzero(bad)[0])
            raise UnsupportedEnvironmentError(
                f"infos['dt'] of stream {stream} of {self.num_envs} is {np.asarray(seconds)[stream]!r}; it must be the "
                'elapsed time, a finite number of seconds above 0. Omit it if every step takes the nominal period.'
            )
        return elapsed.astype(np.float32)

    def _checked(self, values: Any, which: Flags, shape: tuple[int, ...], what: str, when: str) -> Array:
        wanted = (self.num_envs, *shape)
        try:
            array = np.array(values, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise UnsupportedEnvironmentError(
                f'the {what} {when} is a {type(values).__name__} and not an array of numbers; it must have the shape '
                f'{wanted}.'
            ) from error
        if array.shape != wanted:
            raise UnsupportedEnvironmentError(
                f'the {what} {when} has the shape {array.shape}; it must have {wanted}, one row for each environment.'
            )
        if not np.isfinite(array[which]).all():
            raise UnsupportedEnvironmentError(
                f'the {what} {when} is not finite in {self._first_bad(np.where(which[:, None], array, 0))}; end the '
                'episode before the simulation diverges.'
            )
        return array

    def _first_bad(self, values: npt.NDArray[Any]) -> str:
        stream, entry = (int(index[0]) for index in np.nonzero(~np.isfinite(values)))
        names = self._spec.observation_names
        name = f' ({names[entry]})' if values.shape[1] == len(names) else ''
        return f'stream {stream} of {self.num_envs}, entry {entry}{name}'


def _flat(state: Mapping[str, Any], prefix: str) -> dict[str, npt.NDArray[Any]]:
    """Return nested dictionaries of arrays as one, with paths of names joined by slashes."""
    flat: dict[str, npt.NDArray[Any]] = {}
    for name, value in state.items():
        flat |= _flat(value, f'{prefix}{name}/') if isinstance(value, Mapping) else {prefix + name: np.array(value)}
    return flat


def _nested(flat: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return what :func:`_flat` flattened; dictionaries without entries are lost."""
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *folders, name = path.split('/')
        place = nested
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = value
    return nested


def autoreset_mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    """
    Return how a vector begins the next episode of a stream that ended.

    Raises:
        UnsupportedEnvironmentError: its metadata do not say so.
    """
    mode = env.metadata.get('autoreset_mode')
    try:
        return AutoresetMode(mode)
    except ValueError:
        valid = ', '.join(f"'{one.value}'" for one in AutoresetMode)
        raise UnsupportedEnvironmentError(
            f"metadata['autoreset_mode'] of the vector is {mode!r}; it must be one of {valid}."
        ) from None
