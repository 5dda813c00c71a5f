from typing import Any

import numpy as np
from toy import Reach

from velora_ros.gym import spec_from_env
from velora_ros.training.checked_env import CheckedEnv

STILL = np.zeros(1, np.float32)


class SameArray(Reach):
    """Writes each observation, and what the critic sees, into the same array."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.observation_space.dtype = np.dtype(np.float32)
        self.seen, self.privileged = np.zeros(2, np.float32), np.zeros(3, np.float32)

    def _observation(self) -> np.ndarray:
        self.seen[:] = super()._observation()
        return self.seen

    def reset(self, **arguments: Any) -> tuple[np.ndarray, dict[str, Any]]:
        observation, _ = super().reset(**arguments)
        self.privileged[:] = 0
        return observation, {'privileged_state': self.privileged}

    def step(self, action: np.ndarray) -> Any:
        *others, _ = super().step(action)
        self.privileged += 1
        return *others, {'privileged_state': self.privileged}


def test_what_was_returned_stays_where_the_environment_writes_into_the_same_array() -> None:
    env = SameArray()
    checked = CheckedEnv(env, spec_from_env(env))
    observation, state = checked.reset(seed=1, episode=1)
    before = observation.copy()
    after, next_state, *_ = checked.step(STILL, 1)
    assert np.array_equal(observation, before)
    assert not np.array_equal(observation, after)
    assert state is not None
    assert next_state is not None
    assert (state[0], next_state[0]) == (0, 1)
