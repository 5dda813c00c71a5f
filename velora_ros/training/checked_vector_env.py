"""
The training loop's view of n environments: actions in [-1, 1], checked numbers, and one way to end episodes.

gymnasium has three ways to begin the next episode of a stream (``AutoresetMode``). Here they behave alike: :meth:`step`
returns the outcome of every action, and :attr:`CheckedVectorEnv.begun` says which streams are at the start of an
episode.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv

from velora_ros.errors import DivergenceError, UnsupportedEnvironmentError
from velora_ros.gym.describe_env_errors import FAILURES
from velora_ros.spec import PolicySpec
from velora_ros.training import save_vector_env_state
from velora_ros.training.agent_protocol import Array
from velora_ros.training.checked_env import REPAIR, env_failure
from velora_ros.training.vector_number_checks import Flags, VectorNumbers


class VectorStep(NamedTuple):
    """
    The outcome of a step of n streams.

    Args:
        observation: o'; for an episode that ended, its last observation, shape (n, observation).
        state: what the critic sees with that observation, shape (n, state); None: the observation.
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
        privileged_dim: entries of ``info['privileged_state']``; 0: there are none; None: as many as at the first reset.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], spec: PolicySpec, privileged_dim: int | None = None) -> None:
        self._env, self._spec, self._privileged_dim = env, spec, privileged_dim
        self.num_envs = env.num_envs
        self.mode = autoreset_mode(env)
        self.can_save = save_vector_env_state.can_save(env)
        """Whether the whole state of the vector can be saved with :meth:`get_state`."""
        self._numbers = VectorNumbers(env.num_envs, spec)
        self._low, self._half_range = spec.low, (spec.high - spec.low) / 2
        self._dtype = env.single_action_space.dtype
        self.observation = np.zeros((env.num_envs, spec.observation_dim), np.float32)
        """The observation before each stream's next action, shape (n, observation)."""
        self.state: Array | None = None
        """What the critic sees with that observation, shape (n, state); None: the observation."""
        self.begun = np.ones(env.num_envs, bool)
        """Which streams are at the start of an episode, shape (n,)."""
        self.info: dict[str, Any] = {}
        """The infos of the last step."""
        self._when = ''
        self._being_reset = np.zeros(env.num_envs, bool)  # at the next step, in AutoresetMode.NEXT_STEP

    @property
    def resets_itself(self) -> bool:
        """Whether the vector environment begins the next episodes by itself."""
        return self.mode is not AutoresetMode.DISABLED

    def reset(self, seeds: Mapping[int, int]) -> None:
        """
        Begin episodes.

        Args:
            seeds: seeds of the streams to reset, by stream.

        Raises:
            UnsupportedEnvironmentError: the environment failed, or an observation is invalid.
        """
        which = np.zeros(self.num_envs, bool)
        which[list(seeds)] = True
        every = bool(which.all())
        if self.resets_itself and not every:
            raise UnsupportedEnvironmentError(
                'this vector of environments begins episodes by itself, so single streams cannot be reset; make '
                "it with autoreset_mode='Disabled'."
            )
        options = {} if every else {'options': {'reset_mask': which.copy()}}
        chosen: Any = [seeds.get(stream) for stream in range(self.num_envs)]
        try:
            observation, info = self._env.reset(seed=chosen, **options)
        except FAILURES as error:
            raise env_failure(error, 'at a reset', REPAIR) from error
        self._take(observation, info, which, 'after a reset')
        self.begun[which] = True
        self._being_reset[which] = False

    def step(self, action: Array, number: int = 0) -> VectorStep:
        """
        Step all streams with actions in [-1, 1], mapped onto the bounds.

        Args:
            action: shape (n, action).
            number: number of earlier transitions, for messages.

        Raises:
            UnsupportedEnvironmentError: the environment failed or returned something invalid; the message names the
                stream.
            DivergenceError: an action is not finite.
        """
        self._when = when = f'after {number} transitions'
        if not np.isfinite(action).all():
            raise DivergenceError.of(f"the policy's action in {self._numbers.first_bad(action)}")
        command = np.clip(self._low + (action + 1) * self._half_range, self._spec.low, self._spec.high)
        try:
            observation, reward, terminated, truncated, info = self._env.step(command.astype(self._dtype))
        except FAILURES as error:
            raise env_failure(error, when) from error
        self.info = info
        taken = ~self._being_reset
        reward = self._numbers.rewards(reward, taken, when)
        terminated, truncated = (
            self._numbers.flags(terminated, 'terminations'),
            self._numbers.flags(truncated, 'truncations'),
        )
        ended = (terminated | truncated) & taken
        last: Any = (info.get('final_obs'), info.get('final_info') or {})
        same_step = self.mode is AutoresetMode.SAME_STEP and bool(ended.any())
        elapsed = self._numbers.elapsed(info, taken & ~ended if same_step else taken)
        self._take(observation, info, np.ones_like(taken), when)
        reached, reached_state = self.observation, self.state
        if same_step:
            reached, reached_state = reached.copy(), None if reached_state is None else reached_state.copy()
            reached[ended] = self._final_observations(last[0], ended)
            elapsed[ended] = self._numbers.elapsed(last[1], ended)[ended]
            if reached_state is not None:
                reached_state[ended] = self._final_states(last[1], ended)
        self.begun = ended.copy() if self.mode is AutoresetMode.SAME_STEP else self._being_reset.copy()
        self._being_reset = ended.copy() if self.mode is AutoresetMode.NEXT_STEP else np.zeros_like(ended)
        return VectorStep(
            reached, reached_state, reward, terminated & taken, truncated & taken, elapsed, taken
        )  # fmt: skip

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the vector's state as arrays by name, from which :meth:`set_state` continues."""
        own = {'observation': self.observation, 'begun': self.begun, 'being_reset': self._being_reset}
        own |= {} if self.state is None else {'state': self.state}
        env = save_vector_env_state.get_state(self._env)
        return {**{f'env.{name}': value for name, value in env.items()}, **{n: v.copy() for n, v in own.items()}}

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Continue from the output of :meth:`get_state`."""
        env = {name.removeprefix('env.'): one for name, one in state.items() if name.startswith('env.')}
        save_vector_env_state.set_state(self._env, env)
        self.observation, self.begun = state['observation'].copy(), state['begun'].copy()
        self._being_reset = state['being_reset'].copy()
        self.state = state['state'].copy() if 'state' in state else None
        self._privileged_dim = 0 if self.state is None else self.state.shape[1]

    def _take(self, observation: Any, info: dict[str, Any], which: Flags, when: str) -> None:
        """Check and store the observations before the next actions; only the rows of ``which`` must be valid."""
        taken = self._numbers.rows(observation, which, (self._spec.observation_dim,), 'observation', when)
        taken[~which] = self.observation[~which]
        self.observation, self.state = taken, self._privileged(info, which, when)

    def _privileged(self, info: dict[str, Any], which: Flags, when: str) -> Array | None:
        values = info.get('privileged_state')
        if values is None and not self._privileged_dim:
            self._privileged_dim = 0
            return None
        if values is None:
            raise UnsupportedEnvironmentError(
                f"infos['privileged_state'] is missing {when}; every reset and step must return it, with the "
                f'shape ({self.num_envs}, {self._privileged_dim}).'
            )
        if self._privileged_dim is None:
            self._privileged_dim = int(np.shape(values)[-1])
        given = info.get('_privileged_state')
        fresh = which if given is None else which & np.asarray(given, bool)
        state = self._numbers.rows(values, fresh, (self._privileged_dim,), "infos['privileged_state']", when)
        if self.state is not None and not fresh.all():  # a reset of some streams returns nothing valid for the others
            state[~fresh] = self.state[~fresh]
        return state

    def _final_observations(self, finals: Any, ended: Flags) -> Array:
        """Return the last observations of the streams that ended, in a vector that has begun their next episode."""
        if finals is None:
            raise UnsupportedEnvironmentError(
                "episodes ended and infos['final_obs'] is missing; a vector with autoreset in the same step must give "
                "the last observations there. Make it with autoreset_mode='Disabled', or correct its infos."
            )
        whole: list[Any] = list(self.observation)
        for stream in np.flatnonzero(ended).tolist():
            whole[stream] = finals[stream]
        return self._numbers.rows(whole, ended, (self._spec.observation_dim,), "infos['final_obs']", self._when)[ended]

    def _final_states(self, final_info: Mapping[str, Any], ended: Flags) -> Array:
        """Return what the critic sees with the last observations of the streams that ended."""
        values = final_info.get('privileged_state')
        if values is None or not np.asarray(final_info.get('_privileged_state', ended), bool)[ended].all():
            raise UnsupportedEnvironmentError(
                "episodes ended and infos['final_info']['privileged_state'] is missing; a vector with autoreset in the "
                "same step must give it for the last observations. Make it with autoreset_mode='Disabled'."
            )
        what = "infos['final_info']['privileged_state']"
        return self._numbers.rows(values, ended, (int(self._privileged_dim or 0),), what, self._when)[ended]


def autoreset_mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    """
    Return how a vector begins the next episode of a stream that ended.

    Raises:
        UnsupportedEnvironmentError: the vector's metadata does not state the mode.
    """
    mode = env.metadata.get('autoreset_mode')
    try:
        return AutoresetMode(mode)
    except ValueError:
        valid = ', '.join(f"'{one.value}'" for one in AutoresetMode)
        raise UnsupportedEnvironmentError(
            f"metadata['autoreset_mode'] of the vector is {mode!r}; it must be one of {valid}."
        ) from None
