"""Every term beside the same quantity computed in another way, from MuJoCo's data of one simulation."""

import mujoco
import numpy as np
import pytest
from toy_tasks import HOPPER, reacher, walker

from velora_ros.errors import TaskError
from velora_ros.tasks import Task, act, command, fail, metrics, observe, reward, vary


def moved(task, n=3, steps=12, seed=0, **options):
    """An environment after some random steps, and MuJoCo's data of its simulations, with everything computed."""
    env = task.make_vec(n, seed=seed, **options)
    env.reset()
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        result = env.step(rng.uniform(-1, 1, env.action_space.shape))
    return env, [computed(env, s) for s in range(n)], result


def computed(env, s):
    model, data = env.sim.batch.get_model(s), env.sim.batch.get_data(s)
    mujoco.mj_forward(model, data)
    return data


@pytest.fixture(scope='module')
def walked():
    return moved(walker(fail=[]), undisturbed=True)


def frame_velocity(data, body):
    velocity = np.zeros(6)
    mujoco.mj_objectVelocity(
        data.model if hasattr(data, 'model') else MODEL, data, mujoco.mjtObj.mjOBJ_XBODY, body, velocity, 1
    )
    return velocity


MODEL = walker().built.model


def test_the_motion_of_the_base_is_that_in_its_own_frame(walked):
    env, data, _ = walked
    base = env.sim.base
    for s, one in enumerate(data):
        motion = frame_velocity(one, MODEL.body('trunk').id)
        np.testing.assert_allclose(base.velocity[s], motion[3:], atol=1e-9)
        np.testing.assert_allclose(base.angular_velocity[s], motion[:3], atol=1e-9)
        axes = one.body('trunk').xmat.reshape(3, 3)
        np.testing.assert_allclose(base.gravity[s], axes.T @ [0, 0, -1], atol=1e-9)


def test_the_gyro_of_the_base_is_that_of_the_sensor(walked):
    env, _, _ = walked
    np.testing.assert_allclose(observe.gyro().compute(env.sim), observe.gyro('imu').compute(env.sim), atol=1e-9)
    np.testing.assert_allclose(observe.gravity().compute(env.sim), observe.gravity('imu').compute(env.sim), atol=1e-9)


def test_joints_are_read_by_name_and_relative_to_the_start_pose():
    env, data, _ = moved(walker(fail=[], start={'left_hip': 0.2}), undisturbed=True)
    for s, one in enumerate(data):
        hips = [one.joint(name).qpos[0] for name in ('left_hip', 'right_hip')]
        np.testing.assert_allclose(observe.joint_positions().compute(env.sim)[s], np.subtract(hips, [0.2, 0]))
        np.testing.assert_allclose(observe.joint_positions('left', relative=False).compute(env.sim)[s], hips[:1])
        np.testing.assert_allclose(observe.joint_velocities('right').compute(env.sim)[s], one.joint('right_hip').qvel)
        np.testing.assert_allclose(env.sim.joint('left_hip').qpos[s], hips[:1])
        np.testing.assert_allclose(env.sim.body('trunk').xpos[s], one.body('trunk').xpos, atol=1e-12)


def test_angles_are_read_as_sines_and_cosines_by_name():
    env = reacher(observe=[observe.joint_angles('elbow', 'shoulder', noise=0.0)]).make_vec(2, seed=0)
    names = env.task.policy_spec.observation_names
    position = {name: env.sim.joint(name).qpos[:, 0].copy() for name in ('elbow', 'shoulder')}
    env.sim.qpos[:] += 2 * np.pi
    values = env.task.observe[0].compute(env.sim)
    assert names[:2] == ('sin(elbow/position)', 'cos(elbow/position)')
    for i, name in enumerate(('elbow', 'shoulder')):
        np.testing.assert_allclose(values[:, 2 * i], np.sin(position[name]), atol=1e-9)
        np.testing.assert_allclose(values[:, 2 * i + 1], np.cos(position[name]), atol=1e-9)


def test_contacts_and_velocities_of_feet_are_those_of_the_simulation(walked):
    env, data, _ = walked
    feet = env.sim.geoms('foot')
    assert feet == ('left_foot', 'right_foot')
    for s, one in enumerate(data):
        for f, name in enumerate(feet):
            touching = any(MODEL.geom(name).id in one.contact.geom[i] for i in range(one.ncon))
            assert env.sim.contacts('foot')[s, f] == touching
            velocity = np.zeros(6)
            mujoco.mj_objectVelocity(MODEL, one, mujoco.mjtObj.mjOBJ_GEOM, MODEL.geom(name).id, velocity, 0)
            np.testing.assert_allclose(env.sim.geom_velocities('foot')[s, f], velocity[3:], atol=1e-9)
    slip = sum(
        np.minimum((env.sim.geom_velocities('foot')[:, f, :2] ** 2).sum(axis=1), 1) * env.sim.contacts('foot')[:, f]
        for f in range(2)
    )
    np.testing.assert_allclose(reward.slip('foot').compute(env.sim), slip)


def test_tracking_is_one_at_the_commanded_velocity_and_falls_with_the_error(walked):
    env, _, _ = walked
    sim = env.sim
    sim.commands['twist'][:] = [*sim.base.velocity[0, :2], sim.base.angular_velocity[0, 2]]
    sim.commands['twist'][1] += [0.5, 0, 0]
    tracked = reward.track_linear().compute(sim)
    assert tracked[0] == 1
    assert reward.track_yaw().compute(sim)[0] == 1
    error = sim.base.velocity[1, :2] - sim.commands['twist'][1, :2]
    np.testing.assert_allclose(tracked[1], np.exp(-(error @ error) / 0.25))


def test_the_reward_uses_the_command_that_the_policy_read():
    task = walker(
        fail=[], reward_floor=None, reward={reward.track_linear('twist'): 1.0}, vary=[],
        commands={'twist': command.twist(x=(-1, 1), y=(-1, 1), every=(0.02, 0.04), still=0.1)},
    )  # fmt: skip
    env = task.make_vec(4, seed=0, undisturbed=True)
    env.reset()
    changed = 0
    for _ in range(10):
        read = env.sim.commands['twist'].copy()
        observations, rewards, *_ = env.step(np.zeros((4, 2)))
        error = env.sim.base.velocity[:, :2] - read[:, :2]
        np.testing.assert_allclose(rewards, np.exp(-(error**2).sum(axis=1) / 0.25))
        np.testing.assert_allclose(observations[:, -3:], env.sim.commands['twist'], atol=1e-6)  # what it reads next
        changed += (read != env.sim.commands['twist']).any()
    assert changed > 5


def test_commands_change_after_times_in_their_range_and_some_are_still():
    task = walker(fail=[], vary=[], episode=20.0)
    env = task.make_vec(64, seed=0, undisturbed=True)
    env.reset()
    last, since, gaps, drawn = env.sim.commands['twist'].copy(), np.zeros(64), [], []
    for step in range(1, 121):
        env.step(np.zeros((64, 2)))
        changed = (env.sim.commands['twist'] != last).any(axis=1)
        gaps += (step - since[changed]).tolist()
        since[changed] = step
        drawn += env.sim.commands['twist'][changed].tolist()
        last = env.sim.commands['twist'].copy()
    drawn = np.array(drawn)
    assert 10 <= min(gaps) < 13  # 0.2 s; a still command after a still one is no change
    assert np.median(np.minimum(gaps, 20)) * 1.3 > 18
    still = (drawn == 0).all(axis=1).mean()
    assert 0.03 < still < 0.25
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    assert (low >= [-0.5, -0.2, -1]).all()
    assert (high <= [1.0, 0.2, 1]).all()
    assert (high - low > [1.3, 0.35, 1.8]).all()


def test_a_command_changes_when_a_function_says_so():
    after = command.goal(box=[(-0.1, 0.1)] * 3, when=lambda sim: sim.steps == 3 + np.arange(sim.n))
    env = reacher(commands={'goal': after}).make_vec(2, seed=0)
    env.reset()
    goals = [env.sim.command('goal').copy()]
    for _ in range(5):
        env.step(np.zeros((2, 2)))
        goals.append(env.sim.command('goal').copy())
    changed = (np.diff(goals, axis=0) != 0).any(axis=2)
    np.testing.assert_array_equal(np.argwhere(changed), [[2, 0], [3, 1]])


def test_the_last_action_is_the_clipped_one_before_any_delay():
    env = walker(vary=[vary.delay((2, 2))], fail=[]).make_vec(2, seed=0)
    env.reset()
    names = list(env.policy_spec.observation_names)
    place = names.index('last_action.0')
    observations, *_ = env.step(np.full((2, 2), 3.0))
    np.testing.assert_array_equal(observations[:, place : place + 2], 1)


def test_actions_act_after_their_delay():
    task = walker(vary=[vary.delay((0, 3))], fail=[])
    env = task.make_vec(16, seed=0)
    _, infos = env.reset()
    delays = infos['drawn']['delay of actions'].astype(int)
    assert set(delays.tolist()) == {0, 1, 2, 3}
    for step in range(5):
        env.step(np.full((16, 2), 0.3))
        np.testing.assert_array_equal(env.sim.ctrl[:, 0] != 0, step >= delays)


def test_a_critic_sees_every_action_that_is_still_delayed():
    delayed = vary.delay(action=(2, 2))
    for own, newest in (([observe.last_action()], []), ([], [2])):
        task = walker(observe=[observe.joint_positions(), *own], vary=[delayed], fail=[])
        env = task.make_vec(1, seed=0)
        env.reset()
        for value in (0.0, 0.1, 0.2):
            *_, infos = env.step(np.full((1, 2), value))
        state = infos['privileged_state'][0].tolist()
        pending = [0.2, 0.2, 0.1, 0.1, 0.0, 0.0] if newest else [0.1, 0.1, 0.0, 0.0]
        assert state[-len(pending) :] == pytest.approx(pending)
        assert {0.2, 0.1} <= {round(one, 9) for one in state}


def test_sensed_observations_are_late_and_the_command_and_last_action_are_not():
    late = walker(
        vary=[vary.delay(observation=(2, 2))], fail=[], observe=[observe.joint_positions(), observe.last_action()]
    )
    env = late.make_vec(2, seed=0)
    first, _ = env.reset()
    seen, true = [first.copy()], [first.copy()]
    rng = np.random.default_rng(0)
    for _ in range(8):
        action = rng.uniform(-1, 1, (2, 2))
        observations, _, _, _, infos = env.step(action)
        seen.append(observations.copy())
        true.append(infos['privileged_state'][:, :4].astype(np.float32))
        np.testing.assert_allclose(observations[:, 2:], action, atol=1e-6)
    for step in range(2, 9):
        np.testing.assert_allclose(seen[step][:, :2], true[step - 2][:, :2], atol=1e-6)


def test_a_lost_frame_repeats_the_values_before_it():
    task = walker(vary=[vary.drop_frames(0.5)], fail=[], observe=[observe.joint_velocities(), observe.last_action()])
    env = task.make_vec(32, seed=0)
    last = env.reset()[0].copy()
    lost = []
    for _ in range(20):
        observations, _, _, _, infos = env.step(np.random.default_rng(0).uniform(-1, 1, (32, 2)))
        repeated = (observations[:, :2] == last[:, :2]).all(axis=1)
        fresh = np.isclose(observations[:, :2], infos['privileged_state'][:, :2], atol=1e-6).all(axis=1)
        assert (repeated | fresh).all()
        lost.append(repeated.mean())
        last = observations.copy()
    assert 0.4 < np.mean(lost) < 0.6


def test_noise_and_bias_have_the_deviations_that_were_asked_for():
    task = walker(vary=[], fail=[], observe=[observe.gravity(noise=0.05), observe.gyro(bias=0.3, scale=1.0)])
    env = task.make_vec(2000, seed=0)
    observations, infos = env.reset()
    error = observations - infos['privileged_state'][:, :6]
    np.testing.assert_allclose(error.std(axis=0), [0.05] * 3 + [0.3] * 3, rtol=0.1)
    np.testing.assert_allclose(error.mean(axis=0), 0, atol=0.03)
    later, _, _, _, infos = env.step(np.zeros((2000, 2)))
    np.testing.assert_allclose((later - infos['privileged_state'][:, :6])[:, 3:], error[:, 3:], atol=1e-5)


def test_what_varies_is_in_the_models_and_in_the_info():
    task = walker(
        fail=[],
        vary=[
            vary.friction('foot', (0.4, 1.2)), vary.mass('trunk', (0.8, 1.2)), vary.com('trunk', 0.02),
            vary.gains((0.9, 1.1)), vary.armature((1.0, 2.0)), vary.effort_limit((0.5, 1.0)),
            vary.payload('left', (0.1, 0.2)),
        ],
    )  # fmt: skip
    env = task.make_vec(50, seed=0)
    _, infos = env.reset()
    drawn, plain = infos['drawn'], task.built.model
    for s in (0, 49):
        model = env.sim.batch.get_model(s)
        assert model.geom('left_foot').friction[0] == model.geom('right_foot').friction[0] == drawn['friction'][s]
        assert model.geom('left_foot').priority[0] > model.geom('floor').priority[0]
        np.testing.assert_allclose(model.body('trunk').mass, plain.body('trunk').mass * drawn['mass'][s])
        np.testing.assert_allclose(model.body('trunk').inertia, plain.body('trunk').inertia * drawn['mass'][s])
        np.testing.assert_allclose(model.body('trunk').ipos, plain.body('trunk').ipos + drawn['com'][s])
        np.testing.assert_allclose(model.body('left').mass, plain.body('left').mass + drawn['payload'][s])
        np.testing.assert_allclose(model.actuator_gainprm[:, 0], plain.actuator_gainprm[:, 0] * drawn['gains'][s, :2])
        np.testing.assert_allclose(model.actuator_biasprm[:, 2], plain.actuator_biasprm[:, 2] * drawn['gains'][s, 2:])
        np.testing.assert_allclose(model.actuator_forcerange[:, 1], 10 * drawn['effort_limit'][s])
        expected = env.sim.batch.get_model(s)
        mujoco.mj_setConst(expected, mujoco.MjData(expected))
        np.testing.assert_allclose(model.dof_invweight0, expected.dof_invweight0)
        assert (model.dof_invweight0 != plain.dof_invweight0).any()
    assert 0.4 <= drawn['friction'].min() < 0.5
    assert 1.1 < drawn['friction'].max() <= 1.2
    before = {name: values.copy() for name, values in drawn.items()}
    _, infos = env.reset(options={'reset_mask': np.arange(50) == 3})
    for name, values in infos['drawn'].items():
        assert (values[3] != before[name][3]).any()
        np.testing.assert_array_equal(np.delete(values, 3, 0), np.delete(before[name], 3, 0))


def test_the_masses_of_several_bodies_vary_each_in_its_range_and_the_critic_sees_all():
    bodies = {'trunk': (2.0, 3.0), 'left': (4.0, 5.0), 'right': (6.0, 7.0)}
    task = walker(vary=[vary.mass(body, by) for body, by in bodies.items()], fail=[])
    _, infos = task.make_vec(3, seed=0).reset()
    for name, (low, high) in zip(('mass', 'mass 2', 'mass 3'), bodies.values(), strict=True):
        assert infos['drawn'][name].shape == (3, 1)
        assert ((infos['drawn'][name] >= low) & (infos['drawn'][name] <= high)).all()
        assert all(infos['drawn'][name][s, 0] in infos['privileged_state'][s] for s in range(3))


def test_pushes_change_the_velocity_by_at_most_their_speed():
    task = walker(fail=[], vary=[vary.push(0.5, every=(0.1, 0.2))], episode=20.0)
    env, calm = task.make_vec(16, seed=0), task.make_vec(16, seed=0, undisturbed=True)
    env.reset()
    calm.reset()
    jumps = []
    for _ in range(30):
        before = env.sim.qvel[:, :2].copy()
        calm.sim.batch.state[:] = env.sim.batch.state
        env.step(np.zeros((16, 2)))
        pushed = env.sim.memory['push: last at'] > env.sim.time - 1.5 * env.dt
        calm.step(np.zeros((16, 2)))
        jumps += np.linalg.norm(env.sim.qvel[pushed, :2] - calm.sim.qvel[pushed, :2], axis=1).tolist()
        assert before.shape == (16, 2)
    assert len(jumps) > 16 * 2
    assert 0.1 < np.median(jumps) <= max(jumps) < 0.75


def test_air_time_is_paid_on_landing():
    env = walker(fail=[], vary=[], reward={reward.air_time('foot', 0.2): 1.0}, reward_floor=None).make_vec(1, seed=0)
    env.reset()
    sim = env.sim
    sim.commands['twist'][:] = [1, 0, 0]
    sim.qpos[:, 2] += 0.05  # it falls for about 0.1 s
    flown, paid = 0, []
    for _ in range(30):
        sim.commands['twist'][:] = [1, 0, 0]
        _, rewards, *_ = env.step(np.zeros((1, 2)))
        flown += int(not sim.contacts('foot')[0, 0])
        paid.append(rewards[0])
        if rewards[0]:
            break
    assert 0.05 < flown * env.dt < 0.2
    landed = sim.contacts('foot').sum()
    np.testing.assert_allclose(paid[-1], landed * max(flown * env.dt - 0.2, -0.1), atol=0.021)
    assert paid[:-1] == [0.0] * (len(paid) - 1)


def test_touching_means_the_named_body_not_its_children():
    env = walker(fail=[fail.touches('trunk', 'floor')], vary=[]).make_vec(1, seed=0)
    env.reset()
    for _ in range(20):
        assert not env.step(np.zeros((1, 2)))[2].any()
    assert env.sim.contacts('foot').any()
    env.sim.qpos[:, 2:7] = [0.04, 0, 1, 0, 0]  # on its back
    assert env.step(np.zeros((1, 2)))[2].all()


def test_a_robot_that_is_tilted_or_low_fails():
    env = walker(
        fail=[fail.tilted(0.5), fail.height_below(0.36), fail.out_of_bounds('trunk', (-1, 1), (-1, 1))]
    ).make_vec(4)
    env.reset(seed=0)
    turned = np.array([np.cos(0.3), np.sin(0.3), 0, 0])
    env.sim.qpos[0, 3:7] = turned
    env.sim.qpos[[0, 2, 3], 2] += 0.1
    env.sim.qpos[2, 0] = 2.0
    _, _, terminated, _, infos = env.step(np.zeros((4, 2)))
    assert terminated.tolist() == [True, True, True, False]
    assert infos['failed']['tilted'].tolist() == [True, False, False, False]
    assert infos['failed']['out_of_bounds'].tolist() == [False, False, True, False]


def test_progress_sums_to_the_distance_that_was_won():
    env = reacher(reward={reward.progress('hand', 'goal'): 1.0}).make_vec(3, seed=0)
    env.reset()
    start = reward.distance(env.sim, 'hand')
    total = sum(env.step(np.full((3, 2), 0.4))[1] for _ in range(20))
    np.testing.assert_allclose(total, start - reward.distance(env.sim, 'hand'), atol=1e-9)


def test_poses_and_goals_are_relative_to_what_was_asked_for():
    env, data, _ = moved(reacher(), 2)
    sim = env.sim
    goal = sim.commands['goal']
    for s, one in enumerate(data):
        hand = one.site('hand').xpos
        np.testing.assert_allclose(observe.goal(relative_to='hand').compute(sim)[s], goal[s] - hand, atol=1e-9)
        near = observe.goal(relative_to='hand', within=0.1).compute(sim)[s]
        np.testing.assert_allclose(near, np.clip(goal[s] - hand, -0.1, 0.1), atol=1e-9)
        pose = observe.body_pose('hand', relative_to='forearm').compute(sim)[s]
        np.testing.assert_allclose(pose, [0, 0, 0.25, 1, 0, 0, 0], atol=1e-6)
        world = observe.body_pose('hand').compute(sim)[s]
        quaternion = np.zeros(4)
        mujoco.mju_mat2Quat(quaternion, one.site('hand').xmat)
        np.testing.assert_allclose(world[3:], quaternion * np.sign(quaternion[0]), atol=1e-6)
        np.testing.assert_allclose(world[:3], hand, atol=1e-9)


ROVER = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.005" integrator="implicitfast"/>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 0.05"/>
    <geom name="wall" type="box" size="0.1 5 1" pos="2.1 0 1"/>
    <body name="base" pos="0 0 0.05">
      <freejoint/>
      <geom type="box" size="0.12 0.08 0.02" mass="2" pos="0 0 0.04"/>
      <geom type="sphere" size="0.02" pos="0.1 0 -0.03" friction="0.01 0.005 0.0001" priority="1" mass="0.1"/>
      <geom type="sphere" size="0.02" pos="-0.1 0 -0.03" friction="0.01 0.005 0.0001" priority="1" mass="0.1"/>
      <site name="lidar_0" pos="0 0 0.1" zaxis="1 0 0"/>
      <site name="lidar_1" pos="0 0 0.1" zaxis="0 1 0"/>
      <body name="left_wheel" pos="0 0.1 0">
        <joint name="left_wheel" axis="0 1 0"/>
        <geom type="cylinder" size="0.05 0.01" zaxis="0 1 0" mass="0.2"/>
      </body>
      <body name="right_wheel" pos="0 -0.1 0">
        <joint name="right_wheel" axis="0 1 0"/>
        <geom type="cylinder" size="0.05 0.01" zaxis="0 1 0" mass="0.2"/>
      </body>
    </body>
  </worldbody>
  <sensor>
    <rangefinder name="lidar_0" site="lidar_0"/>
    <rangefinder name="lidar_1" site="lidar_1"/>
  </sensor>
</mujoco>
"""


def test_a_differential_drive_moves_as_its_twist_says_and_reads_its_lidar():
    task = Task(
        model=mujoco.MjSpec.from_string(ROVER), period=0.1, episode=10.0,
        act=act.twist('left_wheel', 'right_wheel', radius=0.05, separation=0.2, linear=0.3, angular=1.0, gain=1.0),
        observe=[observe.lidar('lidar', sectors=2, range_max=3.0), observe.base_velocity(), observe.gyro(scale=1.0)],
        reward={reward.alive(): 1.0},
    )  # fmt: skip
    assert task.policy_spec.action_names == ('linear.x', 'angular.z')
    np.testing.assert_allclose(task.policy_spec.to_si([1, -1]), [0.3, -1.0])
    env = task.make(seed=0)
    env.reset()
    for _ in range(20):
        observation, *_ = env.step([1.0, 0.0])
    assert observation[2] == pytest.approx(0.3, abs=0.02)
    assert observation[0] == pytest.approx((2 - env.vector.sim.qpos[0, 0]) / 3, abs=0.02)
    assert observation[1] == 1.0  # nothing within range
    for _ in range(20):
        observation, *_ = env.step([0.0, 1.0])
    assert observation[-1] == pytest.approx(1.0, abs=0.15)


def test_efforts_are_scaled_to_the_actuators_limits():
    spec = mujoco.MjSpec.from_string(HOPPER)
    for joint in ('left_hip', 'right_hip'):
        motor = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.gear = [5, 0, 0, 0, 0, 0]
        motor.ctrllimited, motor.ctrlrange = 1, [-2, 2]
    task = walker(model=spec, act=act.joint_efforts(), vary=[], fail=[])
    np.testing.assert_allclose(task.policy_spec.to_si([1, -0.5]), [10, -5])
    env = task.make(seed=0)
    env.reset()
    env.step([1, -0.5])
    np.testing.assert_allclose(env.vector.sim.joints('hip').effort[0], [10, -5])
    other = walker(act=act.joint_efforts(scale=4.0), vary=[], fail=[])
    np.testing.assert_allclose(other.policy_spec.to_si([1, 1]), [4, 4])


def test_the_efforts_of_a_motor_with_a_gain_are_those_of_the_simulation():
    spec = mujoco.MjSpec.from_string(HOPPER)
    for joint in ('left_hip', 'right_hip'):
        motor = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.gainprm[0], motor.gear = 3.0, [5, 0, 0, 0, 0, 0]
        motor.ctrllimited, motor.ctrlrange = 1, [-1, 1]
    task = walker(model=spec, act=act.joint_efforts(), vary=[], fail=[])
    env = task.make(seed=0)
    env.reset()
    env.step([1, -0.5])
    np.testing.assert_allclose(env.vector.sim.joints('hip').effort[0], task.policy_spec.to_si([1, -0.5]))
    assert task.policy_spec.contract.command.high == (15.0, 15.0)


def test_targets_stay_within_the_range_of_the_models_servos_and_the_policy_file_has_it():
    env = reacher().make(seed=0)  # its joints reach 1.6 and 2.4 rad, its servos take 1.5
    env.reset()
    for _ in range(200):
        env.step([1, -1])
    np.testing.assert_allclose(env.vector.sim.ctrl, [[1.5, -1.5]])
    command = env.policy_spec.contract.command
    assert (command.low, command.high) == ((-1.5, -1.5), (1.5, 1.5))


def test_gains_of_a_joint_leave_an_actuator_of_a_tendon_alone():
    tendons = '<tendon><fixed><joint joint="left_hip" coef="1"/></fixed><fixed name="both"><joint joint="left_hip" '
    tendons += 'coef="1"/></fixed></tendon><actuator><position tendon="both" kp="1" ctrlrange="-1 1"/></actuator>'
    model = mujoco.MjSpec.from_string(HOPPER.replace('<sensor>', f'{tendons}<sensor>'))
    task = walker(model=model, vary=[vary.gains((0.9, 1.1), 'left')])
    assert task.built.model.actuator_trnid[0, 0] == task.built.model.joint('left_hip').id
    assert task.make_vec(2, seed=0).reset()[1]['drawn']['gains'].shape == (2, 2)  # one stiffness and one damping


def test_targets_stay_within_the_effort_of_their_servo():
    env = walker(act=act.joint_targets(scale=1.0, stiffness=20.0, damping=0.5, effort_limit=2.0), vary=[], fail=[])
    env = env.make(seed=0)
    env.reset()
    before = env.vector.sim.joints().position.copy()
    env.step([1, -1])
    np.testing.assert_allclose(env.vector.sim.ctrl, before + np.array([[0.1, -0.1]]), atol=1e-9)


def test_targets_stay_within_limits_that_the_task_narrows_and_the_policy_file_has_them():
    narrow = act.joint_targets(scale=1.0, stiffness=20.0, damping=0.5, effort_limit=50.0, limits={'left': (-0.1, 0.2)})
    task = walker(act=narrow, vary=[], fail=[])
    env = task.make(seed=0)
    env.reset()
    env.step([1, 1])
    np.testing.assert_allclose(env.vector.sim.ctrl, [[0.2, 1.0]])
    command = task.policy_spec.contract.command
    assert (command.low, command.high) == ((-0.1, -1.0), (0.2, 1.0))


def test_own_functions_are_terms():
    @observe.term('slope', 'rad', 'Float64MultiArray', noise=0.1)
    def slope(sim):
        return sim.body('trunk').xpos[:, 2]

    @vary.term('wind', always=True)
    def wind(sim, ids):
        force = sim.draws.uniform(ids, -1, 1, 1)
        sim.body('trunk').xfrc_applied[ids, 0] = force[:, 0]
        return force

    def height(sim):
        return sim.body('trunk').xpos[:, 2]

    task = walker(observe=[slope, height], reward={height: 2.0}, vary=[wind], fail=[], metrics=[height])
    assert task.policy_spec.observation_names == ('slope', 'height')
    assert task.policy_spec.observation_units == ('rad', '')
    env = task.make_vec(3, seed=0)
    _, infos = env.reset()
    np.testing.assert_array_equal(infos['drawn']['wind'][:, 0], env.sim.body('trunk').xfrc_applied[:, 0])
    _, rewards, _, _, infos = env.step(np.zeros((3, 2)))
    np.testing.assert_allclose(rewards, 2 * infos['metrics']['height'])


def test_metrics_tell_settled_steps_and_the_speed_of_feet():
    task = walker(fail=[], metrics=metrics.walking('foot'))
    _, _, result = moved(task, 4, 20)
    found = result[-1]['metrics']
    assert found['contact'].shape == found['foot_speed'].shape == found['air_time'].shape == (4, 2)
    assert set(np.unique(found['settled'])) <= {0.0, 1.0}
    assert (found['action_change'] > 0).all()


def test_uneven_periods_are_told_and_simulated():
    task = walker(fail=[], vary=[vary.period((0.8, 1.2))], episode=20.0)
    env = task.make_vec(8, seed=0)
    env.reset()
    elapsed = np.zeros(8)
    for _ in range(30):
        _, _, _, _, infos = env.step(np.zeros((8, 2)))
        elapsed += infos['dt']
        assert not infos['failed']['unstable'].any()
        assert (np.abs(infos['dt'] / env.dt - 1) <= 0.2).all()
    np.testing.assert_allclose(env.sim.batch.time, elapsed, atol=1e-9)
    assert np.ptp(elapsed) > 0.005
    state = env.get_state()
    expected = [env.step(np.zeros((8, 2)))[0].copy() for _ in range(5)]
    other = task.make_vec(8)
    other.set_state(state)
    np.testing.assert_array_equal([other.step(np.zeros((8, 2)))[0].copy() for _ in range(5)], expected)
    calm = task.make_vec(2, undisturbed=True)
    calm.reset(seed=0)
    assert 'dt' not in calm.step(np.zeros((2, 2)))[-1]


URDF = """
<robot name="lever">
  <link name="base"/>
  <link name="arm">
    {inertia}
    <collision><geometry><box size="0.02 0.02 0.4"/></geometry></collision>
  </link>
  <joint name="pivot" type="revolute">
    <parent link="base"/><child link="arm"/><axis xyz="0 1 0"/>
    <limit lower="-1" upper="1" effort="5" velocity="3"/>
  </joint>
</robot>
"""
INERTIA = '<inertial><mass value="0.5"/><inertia ixx="0.01" iyy="0.01" izz="0.001" ixy="0" ixz="0" iyz="0"/></inertial>'


def lever(tmp_path, inertia):
    path = tmp_path / 'lever.urdf'
    path.write_text(URDF.format(inertia=inertia))
    return Task(
        model=path, period=0.02, episode=1.0, act=act.joint_targets(0.5, stiffness=10.0, damping=1.0, effort_limit=5.0),
        observe=[observe.joint_positions()], reward={reward.pose(): -1.0},
    )  # fmt: skip


def test_a_urdf_is_a_model_and_one_without_inertias_is_refused(tmp_path):
    env = lever(tmp_path, INERTIA).make(seed=0)
    env.reset()
    for _ in range(30):
        observation, *_ = env.step([0.5])
    assert observation[0] == pytest.approx(0.25, abs=0.05)
    with pytest.raises(TaskError, match=r'cannot be compiled: .*(mass|inertia)'):
        lever(
            tmp_path, '<inertial><mass value="0"/><inertia ixx="0" iyy="0" izz="0" ixy="0" ixz="0" iyz="0"/></inertial>'
        )
