import numpy as np
import pytest

from velora_ros.tasks import find_task, rooms, rover, shortest_grid_paths
from velora_ros.tasks.record_episodes import Recording


@pytest.fixture
def env():
    env = find_task.find('rover').make_vec(8, seed=0)
    env.reset()
    return env


def test_rooms_are_solvable_and_their_start_is_free(env):
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


def test_the_next_goal_comes_after_a_second_at_the_last_one_in_the_same_room(env):
    sim = env.sim
    goals, walls = sim.command('goal').copy(), sim.batch.bind('mocap_pos').copy()
    for step in range(10):
        sim.free_joint.qpos[2, :2] = goals[2, :2]
        env.step(np.zeros((8, 2)))
        changed = (sim.command('goal') != goals).any(axis=1)
        np.testing.assert_array_equal(changed, (np.arange(8) == 2) & (step == 9))
    assert np.linalg.norm(sim.command('goal')[2] - goals[2]) >= 3.0
    np.testing.assert_array_equal(sim.batch.bind('mocap_pos'), walls)
    assert sim.memory[rooms.SHORTEST][2] >= 2.9


def test_the_way_to_go_leads_to_the_goal_around_obstacles(env):
    """A point that follows the direction of the way arrives at the goal, without coming too near to anything."""
    sim = env.sim
    field, room = sim.memory[rooms.TO_GO], sim.memory[rooms.ROOM]
    place, goal = sim.free_joint.qpos[:, :2].copy(), sim.command('goal')[:, :2]
    for _ in range(800):
        far = np.linalg.norm(place - goal, axis=1) > 0.2
        direction = shortest_grid_paths.descent(field, place)
        place += 0.02 * far[:, None] * direction / np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
        assert (shortest_grid_paths.read(room, place) > -rover.MARGIN).all()
    assert (np.linalg.norm(place - goal, axis=1) <= 0.2).all()


def test_the_reward_of_the_way_sums_to_what_the_way_became_shorter(env):
    before = rover.to_go(env.sim)
    total = sum(env.step(np.full((8, 2), 0.5))[4]['terms']['way_gained'] for _ in range(5))
    np.testing.assert_allclose(total / 10.0, before - rover.to_go(env.sim), atol=1e-9)


def test_a_room_counts_only_if_nothing_was_touched_before_the_goal():
    distance = np.array([[1.0, 1.0, 1.0], [0.5, 0.5, 0.5], [0.2, 0.5, 0.2], [3.0, 0.5, 3.0]])
    touched = np.zeros((4, 3))
    touched[1, 2], touched[3, 0] = 1, 1
    found = {'distance': distance, 'touched': touched, 'driven': np.ones((4, 3)), 'shortest': np.full((4, 3), 2.0)}
    failed = np.array([True, False, True])
    judged = rover.driving(Recording(0.1, np.ones((4, 3), bool), failed, np.zeros(3), found, {}))
    assert judged == pytest.approx(
        {'reached': 1 / 3, 'collisions': 1 / 3, 'path_ratio': 1.5, 'time_s': 0.3, 'failed': 2}
    )
