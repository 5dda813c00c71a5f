import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from rollouts import rollout

from velora_ros.gym import (
    ActionDelay,
    ObservationNoise,
    PartialObservation,
    TimingJitter,
    make,
)

PENDULUM = 'InvertedPendulum-v5'
T = 0.04

WRAPPERS = {
    'jitter': TimingJitter,
    'noise': lambda env: ObservationNoise(env, 0.01),
    'delay': lambda env: ActionDelay(env, (0, 3)),
    'partial': PartialObservation,
    'all': lambda env: ActionDelay(ObservationNoise(PartialObservation(TimingJitter(env)), 0.01), (1, 2)),
}


@pytest.fixture(params=WRAPPERS)
def wrap(request):
    return WRAPPERS[request.param]


def flat(seen):
    return [np.concatenate([np.ravel(o), [r, t, u, i.get('dt', T)]]) for o, r, t, u, i in seen]


def test_one_seed_gives_one_run(wrap):
    env = wrap(make(PENDULUM))
    one, other, again = (flat(rollout(env, seed)) for seed in (5, 6, 5))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one[: len(other)], other[: len(one)])
    np.testing.assert_array_equal(flat(rollout(wrap(make(PENDULUM)), 5)), one)


def test_a_reset_without_a_seed_goes_on_in_the_stream(wrap):
    def two_episodes():
        env = wrap(make(PENDULUM))
        rollout(env, 5, 10)
        first, _ = env.reset()
        return [first, *(env.step(np.zeros(1, np.float32))[0] for _ in range(5))]

    np.testing.assert_array_equal(two_episodes(), two_episodes())


def test_gymnasium_finds_no_fault(wrap):
    env = wrap(make(PENDULUM))
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='.*different from the unwrapped version.*')
        warnings.filterwarnings('ignore', message='.*minimum value is -infinity.*')
        warnings.filterwarnings('ignore', message='.*maximum value is infinity.*')
        warnings.filterwarnings('ignore', message='.*symmetric and normalized space.*')
        gymnasium_check(env, skip_render_check=True)


def test_a_second_environment_can_be_made_from_the_spec(wrap):
    env = wrap(make(PENDULUM))
    second = gym.make(env.spec)
    assert type(second) is type(env)
    np.testing.assert_array_equal(flat(rollout(second, 5)), flat(rollout(env, 5)))
