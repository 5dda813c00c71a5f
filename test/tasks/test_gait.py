import numpy as np
import pytest

from velora_ros.tasks import find_task, gait
from velora_ros.tasks.quadruped import IN_TIME, QUADRUPED

STEPS = 60


@pytest.fixture(scope='module')
def env():
    env = find_task.find('quadruped').make_vec(2, seed=0, threads=1, undisturbed=True)
    env.reset()
    return env


@pytest.fixture
def standing_and_walking(env):
    """A simulation with the command to stand and one with the command to walk, both with actions of zero."""
    env.reset(seed=0)
    env.sim.commands['twist'][:] = [[0, 0, 0], [0.5, 0, 0]]
    env.sim.memory['command twist: next at'][:] = np.inf
    rows = []
    for _ in range(STEPS):
        observations, _, _, _, infos = env.step(np.zeros((2, 12)))
        rows.append((observations[:, -2:].copy(), {name: values.copy() for name, values in infos['terms'].items()}))
    return rows


def test_the_clock_turns_while_the_command_is_to_walk_and_rests_while_it_is_to_stand(standing_and_walking):
    clock = np.array([row[0] for row in standing_and_walking])
    assert (clock[:, 0] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(clock[:, 1], axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(clock[25:, 1], clock[:-25, 1], atol=1e-6)  # a stride of 0.5 s


def test_diagonal_feet_have_the_same_phase_and_the_pairs_take_turns(env):
    trot = gait.Gait(('FR_foot', 'FL_foot', 'RR_foot', 'RL_foot'), (0.0, 0.5, 0.5, 0.0), 0.5, 0.5, 0.09, 0.02)
    phase = trot.phase(env.sim)
    np.testing.assert_allclose(phase[:, 0], phase[:, 3])
    np.testing.assert_allclose(phase[:, 1], phase[:, 2])
    np.testing.assert_allclose((phase[:, 0] - phase[:, 1]) % 1.0, 0.5)


def test_standing_still_is_in_time_when_told_to_stand_and_half_in_time_when_told_to_walk(standing_and_walking):
    weight = QUADRUPED.reward[IN_TIME]
    in_time = np.array([row[1]['in_time'] for row in standing_and_walking[10:]])
    assert (in_time[:, 0] == weight).all()
    assert in_time[:, 1].mean() == pytest.approx(weight / 2, abs=0.05)
    alive = np.array([row[1]['alive'] for row in standing_and_walking[10:]])
    np.testing.assert_array_equal(alive, -weight / 2)  # so a robot that stands when told to walk gains nothing by it
    lift = np.array([row[1]['lift'] for row in standing_and_walking[10:]])
    assert (lift[:, 0] == 0).all()
    assert lift[:, 1].min() < -0.1


def test_the_phases_of_feet_grow_until_contact_changes_and_tell_air_from_ground(env):
    env.reset(seed=0)
    for _ in range(30):
        env.step(np.zeros((2, 12)))
    sim = env.sim
    spent = gait.times(sim, '_foot').copy()
    env.step(np.zeros((2, 12)))
    assert sim.contacts('_foot').all()
    np.testing.assert_allclose(gait.times(sim, '_foot'), spent + 0.02)
    assert (gait.phases('_foot').compute(sim) < 0).all()


def test_feet_that_stand_do_not_slip_and_sliding_ones_cost_their_speed(env):
    env.reset(seed=0)
    for _ in range(50):
        env.step(np.zeros((2, 12)))
    slip = gait.slip_speed('_foot').compute(env.sim)
    assert (slip < 0.1).all()
    env.sim.free_joint.qvel[:, 0] = 3.0
    env.sim.batch.forward()
    assert (gait.slip_speed('_foot').compute(env.sim) == 4.0).all()  # each foot at most 1 m/s
