import numpy as np
import pytest

from velora_ros.tasks import references, rooms
from velora_ros.tasks.recording import record


@pytest.fixture(params=['quadruped', 'arm', 'rover'], scope='module')
def task(request):
    return references.find(request.param)


def test_a_shipped_task_is_found_by_its_name_and_steps(task):
    env = task.make_vec(3, seed=0)
    observations, infos = env.reset()
    rng = np.random.default_rng(0)
    for _ in range(20):
        observations, rewards, *_, infos = env.step(rng.uniform(-1, 1, env.action_space.shape))
    assert np.isfinite(observations).all()
    assert np.isfinite(rewards).all()
    assert np.isfinite(infos['privileged_state']).all()
    assert np.abs(observations).max() < 20  # fixed scales bring all observations to about 1


def test_a_shipped_task_has_figures_of_its_own(task):
    env = task.make_vec(3, seed=0, undisturbed=True)
    recording = record(env, lambda _: np.zeros(env.action_space.shape), seed=0, seconds=3.0)
    figures = task.score(recording)
    wanted = {
        'quadruped': {'tracking', 'falls', 'air_time_s', 'slip_m_s', 'action_change'},
        'arm': {'reached', 'error_m'},
        'rover': {'reached', 'collisions', 'path_ratio'},
    }[task.name]
    assert wanted <= set(figures)
    if task.name != 'quadruped':
        assert figures['reached'] == 0.0


def test_the_quadruped_stands_with_an_action_of_zero():
    env = references.find('quadruped').make_vec(4, seed=0, undisturbed=True)
    env.reset()
    for _ in range(100):
        *_, terminated, _, _ = env.step(np.zeros((4, 12)))
        assert not terminated.any()


def test_goals_of_the_arm_are_reachable_and_differ():
    env = references.find('arm').make_vec(16, seed=0)
    env.reset()
    goals = env.sim.command('goal')
    assert (goals[:, 2] > 0).all()
    assert (np.linalg.norm(goals - [0, 0, 0.1625], axis=1) < 1.0).all()
    assert len(np.unique(goals, axis=0)) == 16


def test_rooms_are_solvable_and_their_start_is_free():
    env = references.find('rover').make_vec(8, seed=0)
    env.reset()
    sim = env.sim
    start, goal = sim.free_joint.qpos[:, :2], sim.command('goal')[:, :2]
    straight = np.linalg.norm(start - goal, axis=1)
    assert (straight >= 3.0).all()
    assert (sim.memory[rooms.SHORTEST] >= straight * 0.97).all()
    assert (sim.sensors('lidar').min(axis=1) > 0.171).all()
    before = sim.batch.bind('mocap_pos').copy()
    env.reset(options={'reset_mask': np.arange(8) == 3})
    moved = (sim.batch.bind('mocap_pos') != before).any(axis=(1, 2))
    np.testing.assert_array_equal(moved, np.arange(8) == 3)


def test_the_shortest_way_goes_around_a_wall_and_is_infinite_behind_a_closed_one():
    side = round(rooms.SIZE / rooms.CELL)
    free = np.ones((2, side, side), bool)
    free[:, side // 2, : side - 2] = False
    free[1, side // 2] = False
    ends = np.array([[[-2.0, -2.0], [2.0, -2.0]]] * 2)
    around, closed = rooms.shortest(free, ends)
    assert 8.0 < around < 12.0
    assert closed == np.inf
    straight = rooms.shortest(np.ones((1, side, side), bool), ends[:1])
    assert straight[0] == pytest.approx(4.0, abs=0.16)
