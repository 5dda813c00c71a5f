"""Actions that take effect late: for arrays of n streams, and as a gymnasium wrapper."""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from velora_ros.errors import ConfigError
from velora_ros.gym.check_spaces import check_env
from velora_ros.gym.disturbances.random_generators import Array, Mask, StreamGenerators
from velora_ros.gym.joints_of_actions import are_controls, keep_their_pose

Env = gym.Env[Any, Any]


class ActionQueue:
    """
    Delays the actions of n streams by whole control periods, drawn at each reset.

    Args:
        least: smallest delay [control periods].
        greatest: largest delay [control periods].
        size: number of actions of a stream, m.
        streams: the random generators.
    """

    def __init__(self, least: int, greatest: int, size: int, streams: StreamGenerators) -> None:
        self._limits, self._streams = (least, greatest), streams
        self.delays = np.zeros(len(streams), dtype=np.int64)
        """The delay of each stream, shape (n,) [control periods]."""
        # The first entry of a stream takes effect now, the others in the following control periods.
        self._places, self._rows = np.zeros((len(streams), greatest + 1, size)), np.arange(len(streams))

    def reset(self, resting: npt.NDArray[np.floating], mask: Mask | None = None) -> None:
        """
        Draw the delays of new episodes.

        Args:
            resting: the actions in effect until the first action arrives, shape (n, m).
            mask: the streams that are reset, shape (n,); None: all.
        """
        chosen = slice(None) if mask is None else mask
        self.delays[chosen] = self._streams.integers(*self._limits, mask)[chosen]
        delayed = np.arange(self._places.shape[1]) < self.delays[chosen, None]
        self._places[chosen] = np.where(delayed[:, :, None], resting[chosen][:, None], 0.0)

    def step(self, actions: npt.NDArray[np.floating]) -> Array:
        """Queue the actions of this control period, shape (n, m), and return the actions that take effect in it."""
        self._places[self._rows, self.delays] = actions
        arrived: Array = self._places[:, 0].copy()
        self._places[:, :-1] = self._places[:, 1:]
        self._places[:, -1] = 0.0
        return arrived

    @property
    def waiting(self) -> Array:
        """The delayed actions, shape (n, greatest, m), the next to take effect first; 0 in entries beyond the delay."""
        return self._places[:, :-1].copy()


class ActionDelay(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """
    Apply each action some control periods late; until the first action takes effect, 0 or the nearest bound applies.

    A position servo of a MuJoCo model, whose action is its target, holds its current position until then.

    Args:
        env: the environment.
        steps: the delay, or the smallest and the largest delay, between which it is drawn at each reset [control
            periods].
        privileged: whether ``info['privileged_state']`` holds, for the critic, the observation (or the privileged
            state of the environment inside, if it has one), the delayed actions (the next to take effect first, zeros
            up to the largest delay) and the delay. Without them the critic cannot know the effect of an action.

    Raises:
        ConfigError: a delay is not a whole number of at least 0, or the two are in the wrong order.
    """

    def __init__(self, env: Env, steps: int | tuple[int, int] = 1, *, privileged: bool = False) -> None:
        RecordConstructorArgs.__init__(self, steps=steps, privileged=privileged)
        gym.Wrapper.__init__(self, env)
        check_env(env)
        least, greatest = steps if isinstance(steps, tuple | list) else (steps, steps)
        if not (isinstance(least, int) and isinstance(greatest, int) and 0 <= least <= greatest):
            raise ConfigError(
                f'steps is {steps}; it must be an integer of at least 0, or a pair: the smallest and the largest delay.'
            )
        self._privileged = privileged
        assert isinstance(env.action_space, spaces.Box)
        self._resting = np.clip(0, env.action_space.low, env.action_space.high).astype(env.action_space.dtype)
        self._servos = _position_servos(env)
        self._streams = StreamGenerators('ActionDelay')
        self._queue = ActionQueue(least, greatest, self._resting.size, self._streams)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and draw the delay."""
        self._streams.reset([seed])
        observation, info = self.env.reset(seed=seed, options=options)
        self._queue.reset(self._resting_action()[None])
        return observation, self._info(info, observation)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment with the delayed action."""
        action = np.asarray(action)
        applied = self._queue.step(action[None])[0].astype(action.dtype)
        observation, reward, terminated, truncated, info = self.env.step(applied)
        return observation, reward, terminated, truncated, self._info(info, observation)

    def _resting_action(self) -> Any:
        if self._servos is None:
            return self._resting
        from velora_ros.gym.servos_and_control_limits import resting_controls  # noqa: PLC0415 - MuJoCo is loaded by now, not before

        base: Any = self.env.unwrapped
        space = self.env.action_space
        assert isinstance(space, spaces.Box)
        controls = np.clip(resting_controls(base.model, base.data), space.low, space.high)
        return np.where(self._servos, controls, self._resting).astype(space.dtype)

    def _info(self, info: dict[str, Any], observation: Any) -> dict[str, Any]:
        if not self._privileged:
            return info
        return {
            **info,
            'privileged_state': np.concatenate([
                info.get('privileged_state', observation), self._queue.waiting.ravel(), self._queue.delays
            ]),
        }  # fmt: skip


def _position_servos(env: Env) -> npt.NDArray[np.bool_] | None:
    """Return which actions are the targets of position servos, shape (m,); None if there are none."""
    base: Any = env.unwrapped
    found = np.array(keep_their_pose(base, int(np.prod(env.action_space.shape or (0,)))), dtype=bool)
    if found.any():
        found &= np.array(are_controls(env), dtype=bool)
    return found if found.any() else None
