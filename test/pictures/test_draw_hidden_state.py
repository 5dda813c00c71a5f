import numpy as np
import pytest

from velora_ros.gym import TimingJitter, make, spec_from_env
from velora_ros.pictures.draw_hidden_state import draw_hidden
from velora_ros.pictures.rollout import roll_out
from velora_ros.policy import Policy

PENDULUM = 'InvertedPendulum-v5'


@pytest.fixture
def file(make_policy_file):
    return make_policy_file(4, 20, 1, spec=spec_from_env(make(PENDULUM)))


def test_a_rollout_can_be_replayed(file):
    rollout = roll_out(Policy(file, 'numpy'), make(PENDULUM), steps=40, seed=3)
    policy, starts = Policy(file, 'numpy'), set(rollout.starts)
    assert len(rollout.time) == 40
    for step, observation in enumerate(rollout.observations):
        if step in starts:
            policy.reset()
        np.testing.assert_array_equal(policy.step(observation), rollout.actions[step])
        np.testing.assert_array_equal(policy.hidden, rollout.hidden[step])
    np.testing.assert_allclose(rollout.time, 0.04 * np.arange(40))


def test_one_seed_gives_one_rollout(file):
    one, again, other = (roll_out(Policy(file, 'numpy'), make(PENDULUM), steps=30, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.observations, again.observations)
    assert not np.array_equal(one.observations, other.observations)


def test_an_episode_that_ends_is_followed_by_another(file):
    rollout = roll_out(Policy(file, 'numpy'), make(PENDULUM), steps=200)
    assert rollout.starts[0] == 0 and len(rollout.starts) in (len(rollout.returns), len(rollout.returns) + 1)
    for episode, (start, end) in enumerate(zip(rollout.starts, rollout.starts[1:], strict=False)):
        assert rollout.returns[episode] == rollout.rewards[start:end].sum()


def test_the_elapsed_time_of_the_environment_counts(file):
    rollout = roll_out(Policy(file, 'numpy'), TimingJitter(make(PENDULUM), period_range=(0.5, 1.5)), steps=30)
    assert np.ptp(np.diff(rollout.time)) > 0.005


def test_lines_show_the_rollout_as_it_was(file):
    rollout = roll_out(Policy(file, 'numpy'), make(PENDULUM), steps=50)
    panels = draw_hidden(rollout, 'a name').axes
    names = [panel.get_title(loc='left') for panel in panels[:5]]
    assert names == ['observations', 'hidden state', 'hidden state, neuron by neuron', 'actions', 'reward']
    labels = [line.get_label() for line in panels[0].lines[:4]]
    assert labels == ['slider/position [m]', 'hinge/position [rad]', 'slider/velocity [m/s]', 'hinge/velocity [rad/s]']
    for neuron, line in enumerate(panels[1].lines[:8]):
        np.testing.assert_array_equal(line.get_ydata(), rollout.hidden[:, neuron])


@pytest.mark.parametrize(('steps', 'sizes'), [(1, (4, 20, 1)), (30, (4, 64, 1)), (2, (4, 2, 1))])
def test_any_size_can_be_drawn(make_policy_file, steps, sizes):
    file = make_policy_file(*sizes, spec=spec_from_env(make(PENDULUM)))
    figure = draw_hidden(roll_out(Policy(file, 'numpy'), make(PENDULUM), steps=steps), '')
    figure.canvas.draw()


def test_many_signals_become_a_map(make_policy_file):
    spec = spec_from_env(make('InvertedDoublePendulum-v5'))
    file = make_policy_file(spec.observation_dim, 20, 1, spec=spec, dt_range=(0.05, 0.05))
    panel = draw_hidden(roll_out(Policy(file, 'numpy'), make('InvertedDoublePendulum-v5'), steps=10), '').axes[0]
    assert panel.get_yticklabels()[0].get_text() == 'slider/position [m]'
    assert len(panel.get_yticklabels()) == 9
