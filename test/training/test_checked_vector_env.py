from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv
from toy_vector import Walk, walks

from velora_ros.errors import DivergenceError, UnsupportedEnvironmentError
from velora_ros.gym import spec_from_env
from velora_ros.spec import PolicySpec
from velora_ros.training.checked_vector_env import CheckedVectorEnv


@pytest.fixture
def spec() -> PolicySpec:
    return spec_from_env(Walk())


class Told(VectorEnv[Any, Any, Any]):
    """Sixty-four streams that return what a test puts in."""

    def __init__(self, mode: AutoresetMode = AutoresetMode.DISABLED, **step: Any) -> None:
        self.num_envs = n = 64
        self.metadata = {'autoreset_mode': mode}
        self.single_observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.single_action_space = gymnasium.spaces.Box(-2, 2, (1,), np.float32)
        self.values: dict[str, Any] = {
            'observation': np.zeros((n, 2)), 'reward': np.zeros(n), 'terminated': np.zeros(n, bool),
            'truncated': np.zeros(n, bool), 'infos': {}, 'reset_infos': {},
        } | step  # fmt: skip
        self.commands: list[np.ndarray] = []

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return np.zeros((64, 2)), self.values['reset_infos']

    def step(self, actions: Any) -> Any:
        self.commands.append(actions)
        return tuple(self.values[name] for name in ('observation', 'reward', 'terminated', 'truncated', 'infos'))


def with_bad(shape: tuple[int, ...], place: Any, bad: float = np.nan) -> np.ndarray:
    values = np.ones(shape)
    values[place] = bad
    return values


def step(env: Told, spec: PolicySpec, action: float = 0.0) -> Any:
    checked = CheckedVectorEnv(env, spec)
    checked.reset(dict.fromkeys(range(64), 0))
    return checked.step(np.full((64, 1), action, np.float32), 640)


ENDED = np.arange(64) == 7


@pytest.mark.parametrize(
    ('env', 'said'),
    [
        (Told(observation=with_bad((64, 2), (7, 1))), 'observation after 640 .* not finite in stream 7 of 64'),
        (Told(reward=with_bad((64,), 7)), 'stream 7 of 64 returned the reward nan after 640 transitions'),
        (Told(reward=np.zeros(63)), 'the rewards of a step are an array of shape .63,.'),
        (Told(reward=1.0), 'the rewards of a step are a float'),
        (Told(terminated=np.zeros(3, bool)), 'the terminations of a step have the shape .3,.'),
        (Told(observation=np.zeros((64, 3))), r'has the shape \(64, 3\); it must have \(64, 2\)'),
        (Told(observation='text'), 'is a str and not an array of numbers'),
        (Told(infos={'dt': with_bad((64,), 7)}), "infos\\['dt'\\] of stream 7 of 64 is nan"),
        (Told(infos={'dt': with_bad((64,), 7, 0.0)}), "infos\\['dt'\\] of stream 7 of 64 is 0.0"),
        (
            Told(
                reset_infos={'privileged_state': np.zeros((64, 3))},
                infos={'privileged_state': with_bad((64, 3), (7, 2))},
            ),
            'privileged_state.* is not finite in stream 7 of 64, entry 2',
        ),
        (Told(reset_infos={'privileged_state': np.zeros((64, 3))}), "infos\\['privileged_state'\\] is missing"),
        (Told(AutoresetMode.SAME_STEP, truncated=ENDED), "infos\\['final_obs'\\] is missing"),
        (
            Told(AutoresetMode.SAME_STEP, truncated=ENDED, infos={'final_obs': with_bad((64, 2), (7, 0))}),
            'final_obs.* is not finite in stream 7 of 64',
        ),
        (
            Told(
                AutoresetMode.SAME_STEP, truncated=ENDED, reset_infos={'privileged_state': np.zeros((64, 3))},
                infos={'final_obs': np.zeros((64, 2)), 'privileged_state': np.zeros((64, 3))},
            ),
            "infos\\['final_info'\\]\\['privileged_state'\\] is missing",
        ),
    ],
)  # fmt: skip
def test_what_is_invalid_is_refused_and_the_stream_is_named(env: Told, said: str, spec: PolicySpec) -> None:
    with pytest.raises(UnsupportedEnvironmentError, match=said) as caught:
        step(env, spec)
    assert '\n' not in str(caught.value)


def test_an_action_that_is_not_finite_is_a_divergence(spec: PolicySpec) -> None:
    with pytest.raises(DivergenceError, match='stream 0 of 64'):
        step(Told(), spec, np.nan)


def test_actions_are_mapped_onto_the_bounds(spec: PolicySpec) -> None:
    env = Told()
    step(env, spec, 1.0)
    assert env.commands[0].dtype == np.float32
    assert np.unique(env.commands[0]).tolist() == [2.0]


def test_values_where_a_mask_says_that_there_are_none_are_not_read(spec: PolicySpec) -> None:
    there = np.arange(64) != 7
    taken = step(Told(infos={'dt': with_bad((64,), 7), '_dt': there}), spec)
    assert taken.dt[7] == 1
    assert set(taken.dt[there].tolist()) == {2.0}  # a second, over a period of half of one


def test_what_a_step_returns_is_copied(spec: PolicySpec) -> None:
    env = Told()
    reached = step(env, spec).observation
    env.values['observation'][:] = 9
    assert not reached.any()


def test_a_vector_that_does_not_say_how_it_resets_is_refused(spec: PolicySpec) -> None:
    env = Told()
    env.metadata = {}
    with pytest.raises(UnsupportedEnvironmentError, match=r"autoreset_mode'. of the vector is None; it must be one of"):
        CheckedVectorEnv(env, spec)


def test_streams_of_a_vector_that_resets_itself_are_not_reset_one_by_one(spec: PolicySpec) -> None:
    with pytest.raises(UnsupportedEnvironmentError, match="make it with autoreset_mode='Disabled'"):
        CheckedVectorEnv(walks(3, AutoresetMode.NEXT_STEP), spec).reset({1: 5})


def test_a_reset_of_some_streams_leaves_the_others(spec: PolicySpec) -> None:
    checked = CheckedVectorEnv(walks(3), spec)
    checked.reset({0: 1, 1: 2, 2: 3})
    checked.step(np.ones((3, 1), np.float32))
    before, state = checked.observation.copy(), checked.state.copy()  # type: ignore[union-attr]
    checked.reset({1: 2})
    assert checked.begun.tolist() == [False, True, False]
    for values, old in ((checked.observation, before), (checked.state, state)):
        assert (values[:, 1] == [1, 0, 1]).all()  # type: ignore[index]
        np.testing.assert_array_equal(values[[0, 2]], old[[0, 2]])  # type: ignore[index]
