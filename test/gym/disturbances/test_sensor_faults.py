import gymnasium as gym
import numpy as np
import pytest

from velora_ros.errors import ConfigError
from velora_ros.gym import FaultSettings, add_faults, make, spec_from_env

PENDULUM = 'InvertedPendulum-v5'
T = 0.04


def rollout(env, steps=15, seed=3):
    observation, _ = env.reset(seed=seed)
    seen = [observation]
    for index in range(steps):
        observation, _, terminated, *_ = env.step(np.full(1, 0.1 * (-1) ** index, np.float32))
        seen.append(observation)
        if terminated:
            break
    return np.array(seen)


def both(**settings):
    return rollout(make(PENDULUM)), rollout(add_faults(make(PENDULUM), FaultSettings(**settings)))


def test_without_faults_nothing_changes():
    clean, same = both()
    np.testing.assert_array_equal(clean, same)


def test_names_and_period_stay():
    env = add_faults(make(PENDULUM), FaultSettings(noise=[0.1], jitter_s=0.01, command_delay_s=0.04))
    assert spec_from_env(env) == spec_from_env(make(PENDULUM))


def test_an_observation_is_late_by_its_delay():
    clean, late = both(observation_delay_s=2 * T)
    np.testing.assert_array_equal(late[3:], clean[1:-2])
    np.testing.assert_array_equal(late[:3], clean[[0, 0, 0]])


def test_a_command_is_late_by_whole_periods():
    observation = rollout(add_faults(make(PENDULUM), FaultSettings(command_delay_s=T)), 2)
    expected = make(PENDULUM)
    expected.reset(seed=3)
    np.testing.assert_array_equal(observation[1], expected.step(np.zeros(1, np.float32))[0])


def test_stuck_frozen_and_nan_readings():
    clean, stuck = both(stuck=['hinge/position'])
    assert (stuck[:, 1] == clean[0, 1]).all()
    np.testing.assert_array_equal(stuck[:, [0, 2, 3]], clean[:, [0, 2, 3]])
    _, frozen = both(frozen=True)
    assert (frozen == frozen[0]).all()
    _, broken = both(nan=['hinge/velocity'])
    assert np.isnan(broken[:, 3]).all() and np.isfinite(broken[:, :3]).all()


def test_lost_states_and_uneven_periods_show_in_the_measured_time():
    env = add_faults(make(PENDULUM), FaultSettings(drop_probability=0.5, jitter_s=0.01))
    env.reset(seed=0)
    times = [env.step(np.zeros(1, np.float32))[-1]['dt'] for _ in range(8)]
    assert max(times) > 1.5 * T
    assert len(set(np.round(np.array(times) / T, 3) % 1)) > 2


def test_one_seed_gives_one_run_and_noise_is_that_of_the_settings():
    settings = FaultSettings(noise=[0.5], drop_probability=0.3, nan=['hinge'], nan_probability=0.2)
    one, again = (rollout(add_faults(make(PENDULUM), settings), seed=5) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    clean, noisy = both(noise=[0.0, 0.5, 0.0, 0.0])
    assert (noisy != clean).any(axis=0).tolist() == [False, True, False, False]


def test_a_second_environment_can_be_made_from_the_spec():
    env = add_faults(make(PENDULUM), FaultSettings(noise=[0.5]))
    np.testing.assert_array_equal(rollout(gym.make(env.spec)), rollout(env))


def test_what_is_not_observed_cannot_break():
    with pytest.raises(ConfigError, match="stuck names 'elbow'"):
        add_faults(make(PENDULUM), FaultSettings(stuck=['elbow']))
