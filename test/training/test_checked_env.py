from typing import Any

import numpy as np
import pytest
from toy import Reach

from velora_ros.errors import DivergenceError, UnsupportedEnvironmentError
from velora_ros.gym import spec_from_env
from velora_ros.training import evaluate
from velora_ros.training.checked_env import CheckedEnv, reward_of

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


class Returning(Reach):
    """Returns something else than it should."""

    def __init__(self, *, observation: Any = None, reward: Any = 1.0) -> None:
        super().__init__()
        self.observation, self.reward = observation, reward

    def step(self, action: np.ndarray) -> Any:
        observation, _, *rest = super().step(action)
        return observation if self.observation is None else self.observation, self.reward, *rest


def step_of(env: Returning) -> Any:
    checked = CheckedEnv(env, spec_from_env(env))
    checked.reset(seed=1, episode=1)
    return checked.step(STILL, 1)


@pytest.mark.parametrize('reward', [2, np.float32(2), np.array(2.0), np.array([2.0]), np.array([[2]])])
def test_a_reward_is_a_number_or_an_array_of_one(reward: Any) -> None:
    assert step_of(Returning(reward=reward))[2] == 2.0
    assert evaluate(Still(), Returning(reward=reward), episodes=1).returns == (20.0,)


@pytest.mark.parametrize('reward', [None, np.array([1.0, 2.0]), 'much', [1.0]])
def test_any_other_reward_is_refused(reward: Any) -> None:
    with pytest.raises(UnsupportedEnvironmentError, match=r'returned the reward .* in step 1; it must be one number'):
        step_of(Returning(reward=reward))
    with pytest.raises(UnsupportedEnvironmentError, match='in step 1 of an evaluation; it must be one number'):
        evaluate(Still(), Returning(reward=reward), episodes=1)


class Still:
    def reset(self) -> None:
        pass

    def step(self, observation: Any, dt: float | None = None) -> np.ndarray:
        return STILL


@pytest.mark.parametrize(
    ('observation', 'message'),
    [
        (np.zeros((1, 2)), r'of shape \(1, 2\) in step 1; its observation space has the shape \(2,\)'),
        (np.zeros(3), r'of shape \(3,\) in step 1'),
        ({'place': 1.0}, 'that is a dict and not a vector of numbers in step 1'),
    ],
)
def test_an_observation_is_of_the_shape_that_was_promised(observation: Any, message: str) -> None:
    with pytest.raises(UnsupportedEnvironmentError, match=message):
        step_of(Returning(observation=observation))


class Telling(Reach):
    """Its infos come from a list: first that of the reset, then one for each step."""

    def __init__(self, *infos: dict[str, Any]) -> None:
        super().__init__()
        self.infos = infos

    def reset(self, **arguments: Any) -> tuple[np.ndarray, dict[str, Any]]:
        observation, _ = super().reset(**arguments)
        return observation, self.infos[0]

    def step(self, action: np.ndarray) -> Any:
        *others, _ = super().step(action)
        return *others, self.infos[self.count]


@pytest.mark.parametrize('dt', [np.nan, np.inf, 0.0, -0.1, None, 'soon'])
def test_an_elapsed_time_that_is_none_is_refused(dt: Any) -> None:
    env = Telling({}, {'dt': 0.2}, {'dt': dt})
    checked = CheckedEnv(env, spec_from_env(env))
    checked.reset(seed=1, episode=1)
    assert checked.step(STILL, 1)[-1] == 2.0
    with pytest.raises(UnsupportedEnvironmentError, match=r"info\['dt'\] is .* in step 2; it must be"):
        checked.step(STILL, 2)


@pytest.mark.parametrize('told', [None, 2])
@pytest.mark.parametrize(
    ('state', 'message'),
    [
        ([0.0, np.nan], r'is not finite \(entry 1\) in step 1'),
        ([0.0, 1.0, 2.0], r'has the shape \(3,\) in step 1; it must have the shape \(2,\)'),
        ([[0.0, 1.0]], r'has the shape \(1, 2\) in step 1'),
        (None, 'is missing in step 1'),
        ('full', 'must be a vector of numbers'),
    ],
)
def test_what_the_critic_sees_stays_a_vector_of_finite_numbers(state: Any, message: str, told: int | None) -> None:
    env = Telling({'privileged_state': [0.0, 1.0]}, {'privileged_state': state})
    checked = CheckedEnv(env, spec_from_env(env), told)
    checked.reset(seed=1, episode=1)
    with pytest.raises(UnsupportedEnvironmentError, match=message):
        checked.step(STILL, 1)


def test_what_only_the_critic_sees_does_not_appear_in_mid_run() -> None:
    env = Telling({}, {'privileged_state': [1.0]})
    checked = CheckedEnv(env, spec_from_env(env))
    checked.reset(seed=1, episode=1)
    with pytest.raises(UnsupportedEnvironmentError, match='it must be omitted, as when training began'):
        checked.step(STILL, 1)


def test_an_action_that_is_not_finite_is_the_policys_fault() -> None:
    env = Reach()
    checked = CheckedEnv(env, spec_from_env(env))
    checked.reset(seed=1, episode=1)
    with pytest.raises(DivergenceError, match="the policy's action in step 7 is not finite: training has diverged"):
        checked.step(np.full(1, np.nan, np.float32), 7)


@pytest.mark.parametrize('error', [SystemExit(3), SystemExit('simulator licence ended')])
@pytest.mark.parametrize('what', ['reset', 'step'])
def test_an_environment_that_ends_the_program_is_a_sentence(error: SystemExit, what: str) -> None:
    def end(*_: Any, **__: Any) -> None:
        raise error

    env = Reach()
    checked = CheckedEnv(env, spec_from_env(env))
    checked.reset(0, 1)
    setattr(env, what, end)
    with pytest.raises(UnsupportedEnvironmentError, match=f'SystemExit: {error.code}'):
        checked.reset(0, 1) if what == 'reset' else checked.step(STILL, 1)


@pytest.mark.parametrize('value', ['1.0', b'2', 'nan'])
def test_a_reward_that_is_a_text_is_refused(value: Any) -> None:
    with pytest.raises(UnsupportedEnvironmentError, match='it must be one number'):
        reward_of(value, 'in step 3')
