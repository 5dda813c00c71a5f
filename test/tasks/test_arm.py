import mujoco
import numpy as np
import pytest

from velora_ros.tasks import arm, find_task
from velora_ros.tasks.record_episodes import Recording
from velora_ros.tasks.task_robot import TaskRobot


@pytest.fixture(scope='module')
def env():
    env = find_task.find('arm').make_vec(16, seed=0)
    env.reset()
    return env


def judged(distance, age, failed=(False, False)):
    alive = np.ones_like(distance, bool)
    zeros = np.zeros_like(distance)
    found = {'distance': distance, 'goal_age': age, 'joint_speed': zeros, 'at_limit': zeros, 'action_change': zeros}
    return arm.reaching(Recording(0.5, alive, np.array(failed), np.zeros(2), found, {}))


def test_goals_of_the_arm_are_reachable_and_differ(env):
    goals = env.sim.command('goal')
    assert (goals[:, 2] > 0).all()
    assert (np.linalg.norm(goals - [0, 0, 0.1625], axis=1) < 1.0).all()
    assert len(np.unique(goals, axis=0)) == 16


def test_episodes_begin_in_different_poses_with_room_around_them(env):
    assert len(np.unique(env.sim.qpos, axis=0)) == 16
    assert (arm.distances(env.sim) > 0.02).all()


def test_what_the_arm_reads_of_the_tool_and_the_goal_does_not_depend_on_its_first_joint(env):
    sim = env.sim
    tool, goal = env.task.observe[3], env.task.observe[4]
    before = tool.compute(sim), goal.compute(sim)
    angle, turned = 0.7, sim.qpos.copy()
    turned[:, 0] += angle
    cos, sin = np.cos(angle), np.sin(angle)
    goals = sim.commands['goal'] @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    kept = sim.qpos.copy(), sim.commands['goal'].copy()
    sim.qpos[:], sim.commands['goal'][:] = turned, goals
    sim.batch.forward()
    try:
        np.testing.assert_allclose(tool.compute(sim), before[0], atol=1e-9)
        np.testing.assert_allclose(goal.compute(sim), before[1], atol=1e-9)
    finally:
        sim.qpos[:], sim.commands['goal'][:] = kept
        sim.batch.forward()


def test_the_critic_knows_how_much_nearer_each_joint_brings_the_tool(env):
    sim = env.sim
    expected, before, kept = arm.pull.compute(sim), arm.goal_distance(sim), sim.qpos.copy()
    try:
        for joint in range(6):
            sim.qpos[:] = kept
            sim.qpos[:, joint] += 1e-5
            sim.batch.forward()
            np.testing.assert_allclose((before - arm.goal_distance(sim)) / 1e-5, expected[:, joint], atol=1e-4)
    finally:
        sim.qpos[:] = kept
        sim.batch.forward()


def test_the_critic_knows_how_far_apart_parts_of_the_arm_are_and_closeness_costs(env):
    sim, found = env.sim, arm.distances(env.sim)
    term = next(one for one, _ in env.task.built.reward if one.name == 'too_close')
    cost = np.zeros(sim.n)
    for s in range(sim.n):
        model, data = sim.model, sim.batch.get_data(s)
        mujoco.mj_forward(model, data)
        for pair, parts in enumerate(arm.PAIRS):
            first, second = ([g for g in range(model.ngeom) if name in owners(model, g)] for name in parts)
            least = min(mujoco.mj_geomDistance(model, data, a, b, arm.SEEN, None) for a in first for b in second)
            assert found[s, pair] == pytest.approx(least, abs=1e-6)
            cost[s] += max(1 - least / 0.05, 0)
    np.testing.assert_allclose(term.compute(sim), cost, atol=1e-4)
    assert cost.any()


def test_within_the_limits_of_its_targets_the_arm_touches_only_the_floor(env):
    model, command = env.sim.model, env.task.policy_spec.contract.command
    data, rng, touched = mujoco.MjData(model), np.random.default_rng(0), 0
    for pose in rng.uniform(command.low, command.high, (2000, 6)):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        for contact in data.contact[: data.ncon]:
            owners_of_both = {owners(model, int(geom))[1] for geom in contact.geom}
            assert 'world' in owners_of_both, owners_of_both
            assert 'upper_arm_link' not in owners_of_both
            touched += 1
    assert touched


def test_the_first_joint_is_paid_to_turn_back_and_the_critic_sees_how_far_joints_are_behind_their_targets(env):
    sim, kept = env.sim, (env.sim.qpos.copy(), env.sim.ctrl.copy())
    try:
        sim.qpos[:, 0] = np.linspace(-6, 6, sim.n)
        np.testing.assert_allclose(arm.wound(sim), np.maximum(np.abs(sim.qpos[:, 0]) - 4, 0))
        sim.ctrl[:] = sim.qpos + 0.1
        np.testing.assert_allclose(arm.lag(sim), 0.1, atol=1e-12)
    finally:
        sim.qpos[:], sim.ctrl[:] = kept
        sim.batch.forward()


def owners(model, geom):
    return model.geom(geom).name, model.body(int(model.geom_bodyid[geom])).name


def test_a_goal_is_judged_two_seconds_after_it_came():
    age = np.array([[0.5, 0.5], [1.0, 1.0], [1.5, 1.5], [2.0, 2.0], [2.5, 0.5], [3.0, 1.0]])
    distance = np.array([[1, 1], [1, 1], [0.01, 0.01], [0.01, 0.03], [0.01, 0.0], [0.03, 0.0]])
    found = judged(distance, age)
    assert (found['goals'], found['reached'], found['held']) == (2, 0.5, 0.0)
    assert found['error_m'] == pytest.approx(0.02)
    assert judged(distance[:5], age[:5])['held'] == 0.5


def test_a_goal_during_which_the_arm_touched_something_is_missed():
    age = np.array([[0.5, 0.5], [1.0, 1.0], [1.5, 1.5], [2.0, 0.5]])
    found = judged(np.full((4, 2), 0.01), age, failed=(False, True))
    assert (found['goals'], found['reached'], found['failed']) == (2, 0.5, 1)


def test_a_robot_that_is_driven_gets_the_goals_of_training_and_can_reach_each_of_them():
    task = find_task.find('arm')
    robot, vector = TaskRobot(task, seed=3), task.make_vec(300, undisturbed=True)
    vector.reset(seed=4)
    goals = np.array([robot.sample_command('goal') for _ in range(300)]), vector.sim.command('goal')[:, :3]
    far = [np.linalg.norm(one - [0, 0, 0.1625], axis=1) for one in goals]
    assert max(far[0]) < 1.0 and goals[0][:, 2].min() > 0
    for driven, trained in [far, *((goals[0][:, axis], goals[1][:, axis]) for axis in range(3))]:
        places = np.sort(np.concatenate([driven, trained]))
        shares = [np.searchsorted(np.sort(one), places, side='right') / 300 for one in (driven, trained)]
        assert np.abs(shares[0] - shares[1]).max() < 0.15, 'the greatest difference of the distributions'
