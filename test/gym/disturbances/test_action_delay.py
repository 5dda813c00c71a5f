import gymnasium as gym
import numpy as np
import pytest

from velora_ros.errors import ConfigError
from velora_ros.gym import ActionDelay
from velora_ros.gym.disturbances.action_delay import ActionQueue
from velora_ros.gym.disturbances.random_generators import StreamGenerators


class Echo(gym.Env):
    """Observes the action that arrived."""

    observation_space = gym.spaces.Box(-9, 9, (1,), np.float64)
    action_space = gym.spaces.Box(np.float32([0.5]), np.float32([9]))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1), {}

    def step(self, action):
        return np.array(action, dtype=np.float64), 0.0, False, False, {}


@pytest.mark.parametrize('delay', [0, 1, 3])
def test_actions_arrive_that_many_periods_late(delay):
    env = ActionDelay(Echo(), delay)
    for _ in range(2):
        env.reset()
        action = np.zeros(1, np.float32)
        arrived = []
        for value in range(1, 7):
            action[0] = value  # one array, reused: the queue must hold copies
            arrived.append(env.step(action)[0][0])
        assert arrived == [0.5] * delay + list(range(1, 7 - delay))


def test_a_delay_range_is_drawn_at_each_reset():
    env = ActionDelay(Echo(), (0, 3))
    delays = set()
    for seed in range(40):
        env.reset(seed=seed)
        arrived = [env.step(np.full(1, 2, np.float32))[0][0] for _ in range(5)]
        delays.add(arrived.count(0.5))
    assert delays == {0, 1, 2, 3}


class Told(Echo):
    """Has a privileged state of its own."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0], {'privileged_state': np.array([7.0, 8.0])}

    def step(self, action):
        return *super().step(action)[:4], {'privileged_state': np.array([8.0, 9.0])}


def test_the_critic_keeps_what_the_environment_shows_it():
    env = ActionDelay(Told(), 1, privileged=True)
    assert env.reset()[1]['privileged_state'].tolist() == [7.0, 8.0, 0.5, 1.0]
    assert env.step(np.full(1, 2, np.float32))[-1]['privileged_state'].tolist() == [8.0, 9.0, 2.0, 1.0]
    plain = ActionDelay(Echo(), 1, privileged=True)
    assert plain.reset()[1]['privileged_state'].tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize('steps', [-1, 1.5, (2, 1), (0, 1.5)])
def test_a_senseless_delay_is_refused(steps):
    with pytest.raises(ConfigError, match='steps'):
        ActionDelay(Echo(), steps)


def test_each_stream_of_a_queue_has_the_delay_that_it_drew():
    streams = StreamGenerators('delay', 6)
    streams.reset(range(6))
    queue = ActionQueue(0, 3, 2, streams)
    queue.reset(np.full((6, 2), -1.0))
    assert set(queue.delays) <= {0, 1, 2, 3} and len(set(queue.delays)) > 1
    arrived = np.array([queue.step(np.full((6, 2), float(period))) for period in range(8)])
    for stream, delay in enumerate(queue.delays):
        assert arrived[:, stream, 0].tolist() == [-1.0] * delay + [float(period) for period in range(8 - delay)]
        assert queue.waiting[stream, :, 1].tolist() == list(range(8 - delay, 8)) + [0] * (3 - delay)


def test_a_stream_of_a_queue_is_reset_alone():
    streams = StreamGenerators('delay', 3)
    queue = ActionQueue(2, 2, 1, streams)
    queue.reset(np.zeros((3, 1)))
    for period in (1.0, 2.0, 3.0):
        queue.step(np.full((3, 1), period))
    queue.reset(np.full((3, 1), 9.0), np.array([False, True, False]))
    assert queue.step(np.full((3, 1), 4.0)).ravel().tolist() == [2.0, 9.0, 2.0]
    assert queue.step(np.full((3, 1), 5.0)).ravel().tolist() == [3.0, 9.0, 3.0]
    assert queue.step(np.full((3, 1), 6.0)).ravel().tolist() == [4.0, 4.0, 4.0]
