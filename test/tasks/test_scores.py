import numpy as np
import pytest
from toy_tasks import reacher, walker

from velora_ros.tasks import metrics
from velora_ros.tasks.record_episodes import Recording, record
from velora_ros.tasks.scores import means, reaching, walking


def recording(**metrics_by_name):
    """Three simulations over four steps; the last one fails in its second step."""
    alive = np.ones((4, 3), bool)
    alive[2:, 2] = False
    found = {name: np.asarray(values, float) for name, values in metrics_by_name.items()}
    failed = np.array([False, False, True])
    return Recording(0.5, alive, failed, np.zeros(3), found, {'tilted': failed})


def test_walking_is_judged_where_it_settled_and_counts_each_fallen_simulation_once():
    ones = np.ones((4, 3))
    tracking, settled, moving = ones.copy(), ones.copy(), ones.copy()
    tracking[0], settled[0] = 0, 0  # after the command changed
    tracking[:, 1], moving[:, 1] = 0.5, 0
    tracking[2:, 2] = 100  # after the fall, nothing counts
    contact, speed, air = np.ones((4, 3, 2)), np.full((4, 3, 2), 0.1), np.zeros((4, 3, 2))
    contact[1], speed[1], air[2, 0], air[3, 0, 1] = 0, 9.0, (0.3, 0.2), 0.4
    found = walking(
        recording(
            tracking=tracking,
            yaw_tracking=ones,
            settled=settled,
            moving=moving,
            contact=contact,
            foot_speed=speed,
            air_time=air,
            action_change=ones * 0.1,
            at_limit=ones * 0,
        )
    )
    assert found['tracking'] == pytest.approx((3 * 1 + 3 * 0.5 + 1) / 7)
    assert found['moving_tracking'] == 1
    assert found['raw_tracking'] == pytest.approx((3 + 4 * 0.5 + 1) / 10)
    assert found['falls'] == 1
    assert found['slip_m_s'] == pytest.approx(0.1)
    assert found['air_times_s'] == pytest.approx([0.3, 0.3])
    assert found['action_change'] == pytest.approx(0.1)


def test_a_goal_is_reached_where_the_distance_stays_small():
    distance = np.array([[1, 1, 1], [0.01, 0.5, 0.01], [0.01, 0.01, 0.01], [0.015, 0.5, 0.01]], float)
    found = reaching(0.02, after=1.0)(recording(distance=distance))
    assert found['reached'] == pytest.approx(1 / 3)
    assert found['error_m'] == pytest.approx(0.015)
    assert found['failed'] == 1


def test_a_goal_is_not_reached_before_the_time_at_which_it_counts():
    distance = np.zeros((4, 3))
    whole = recording(distance=distance)
    assert reaching(0.02, after=2.0)(whole)['reached'] == pytest.approx(2 / 3)
    running = whole._replace(alive=whole.alive[:2], metrics={'distance': distance[:2]}, failed=np.zeros(3, bool))
    assert reaching(0.02, after=2.0)(running)['reached'] == 0.0


def test_a_recording_ends_each_episode_once():
    env = walker(metrics=metrics.walking('foot'), episode=2.0).make_vec(16)
    rng = np.random.default_rng(0)
    found = record(env, lambda observations: np.sign(rng.normal(size=(16, 2))), seed=1)
    assert found.failed.any()
    assert (np.diff(found.alive.astype(int), axis=0) <= 0).all()
    assert (found.lengths[~found.failed] == 100).all()
    assert found.failed.sum() == np.logical_or.reduce(list(found.failures.values())).sum()
    figures = walking(found)
    assert figures['falls'] == found.failed.sum()


def test_without_a_score_the_means_of_the_metrics_are_reported():
    env = reacher(metrics=[metrics.goal_distance('hand')]).make_vec(2)
    found = means(record(env, lambda observations: np.zeros((2, 2)), seed=0, seconds=0.1))
    assert set(found) == {'distance', 'failed'}
