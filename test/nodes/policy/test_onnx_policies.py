"""
policy_node runs ONNX policies over real DDS.

What they command is compared with torch and with numbers that are computed here from the messages.
"""

import shutil
import signal

import numpy as np
import pytest
import yaml
from foreign_policies import DEFAULTS, HIGH, JOINTS, LOW, SCALE, Reference, actor, attach, description, export
from foreign_policies import mjlab_metadata as metadata
from policy_robot import Robot

from velora_ros.nodes.ros.conversions import to_joint_state
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.policy.policy import read_spec

pytestmark = pytest.mark.ros

ROLL = 0.3
VELOCITY, TURNING, COMMAND = (0.4, -0.1, 0.05), (0.2, -0.3, 0.1), (0.6, 0.1, -0.5)
GRAVITY = (0.0, -np.sin(ROLL), -np.cos(ROLL))
CONFIRMED = (
    'engine:=auto', 'gains_confirmed:=true', 'start_pose_speed:=0.0', 'rate_hz:=0.0',
    'observation.cmd_vel.max_age_s:=0.0',
)  # fmt: skip


class Quadruped(Robot):
    """A robot with an inertial sensor, odometry and a commanded velocity, all of them constant, and 12 joints."""

    def __init__(self, ros, path, *extra):
        super().__init__(ros, path, *CONFIRMED, *extra)
        kinds = {
            'imu/data': 'sensor_msgs/msg/Imu',
            'odom': 'nav_msgs/msg/Odometry',
            'cmd_vel': 'geometry_msgs/msg/Twist',
        }
        self._others = {topic: ros.publisher(kind, topic) for topic, kind in kinds.items()}
        self._messages = {topic: interface_class(kind)() for topic, kind in kinds.items()}
        imu, odom, twist = self._messages.values()
        imu.orientation.x, imu.orientation.w = np.sin(ROLL / 2), np.cos(ROLL / 2)
        for vector, values in (
            (imu.angular_velocity, TURNING), (odom.twist.twist.linear, VELOCITY),
            (twist.linear, (*COMMAND[:2], 0.0)), (twist.angular, (0.0, 0.0, COMMAND[2])),
        ):  # fmt: skip
            vector.x, vector.y, vector.z = (float(value) for value in values)

    def publish(self, values=(*DEFAULTS, *[0.0] * 12), joints=JOINTS, stamp=None):
        """Publish a joint state."""
        position, velocity = np.split(np.asarray(values, dtype=float), 2)
        self._states.publish(to_joint_state(joints, position, velocity, np.empty(0), self.now))

    def sense(self):
        """Publish what the other sensors measure, and wait until the node has it."""
        for topic, publisher in self._others.items():
            if hasattr(self._messages[topic], 'header'):
                self._messages[topic].header.stamp = self.ros.node.get_clock().now().to_msg()
            publisher.publish(self._messages[topic])
        self.ros.spin(0.1)

    def until_it_answers(self):
        def answered():
            self.sense()
            self.publish()
            self.ros.spin(0.02)
            return self.commands

        self.ros.until(answered, 'the first command')
        return self

    def fresh(self):
        """Armed, the hidden state forgotten, everything measured again."""
        self.ready()
        self.until_status('armed')
        self.sense()
        return self


class Expected:
    """What a robot is sent, computed from its messages with mjlab's order, offsets and scales."""

    def __init__(self, network):
        self._network, self._last = Reference(network), np.zeros(12)

    def command(self, values):
        position, velocity = np.split(np.asarray(values), 2)
        observation = [*VELOCITY, *TURNING, *GRAVITY, *(position - DEFAULTS), *velocity, *self._last, *COMMAND]
        self._last = self._network.step(observation)
        return np.clip(np.asarray(DEFAULTS) + np.asarray(SCALE) * self._last, LOW, HIGH)


def write(folder, name, cell, seed):
    network = actor(cell=cell, seed=seed)
    path = export(network, folder / f'{name}.onnx')
    attach(path, metadata())
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description()))
    return path, network


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """An LSTM, a GRU and a network without a memory, all with base_lin_vel among their observations."""
    folder = tmp_path_factory.mktemp('policies')
    return {cell: write(folder, cell or 'mlp', cell, seed) for seed, cell in enumerate(('lstm', 'gru', ''))}


@pytest.fixture(scope='module')
def running(ros_bench, files):
    with ros_bench() as ros:
        yield Quadruped(ros, files['lstm'][0]).until_it_answers()


def give(robot, path):
    """Name another policy to a disarmed robot, which takes it at once; an armed one lets it run silently first."""
    robot.call('arm', data=False)
    result = robot.ros.set_parameters('policy_node', policy=str(path))[0]
    return result.reason if not result.successful else ''


def drive(robot, network, steps=6):
    """Compare the commands for random joint states with the reference, from a fresh hidden state."""
    robot.fresh()
    expected, rng = Expected(network), np.random.default_rng(0)
    for _ in range(steps):
        values = [*(np.asarray(DEFAULTS) + rng.normal(size=12) * 0.2), *rng.normal(size=12)]
        np.testing.assert_allclose(robot.command(values), expected.command(values), atol=2e-5)


@pytest.mark.parametrize('cell', ['lstm', 'gru', ''])
def test_names_offsets_scales_and_hidden_state_are_those_of_the_reference(running, files, cell):
    path, network = files[cell]
    assert give(running, path) == ''
    running.ros.until(lambda: running.diagnostics()['digest'] != '', 'diagnostics')
    running.ros.until(lambda: running.diagnostics()['policy'].endswith(path.name), f'the policy {path.name}')
    for _ in range(2):  # the second time from a hidden state that was reset
        drive(running, network)
    assert running.diagnostics()['engine'] == 'onnx'


def test_own_and_foreign_policies_of_one_contract_replace_each_other(running, files, make_policy_file):
    path, network = files['gru']
    own = make_policy_file(48, 20, 12, spec=read_spec(path))
    own.save(path.with_name('own.safetensors'))
    for given, engine in ((path.with_name('own.safetensors'), 'numba'), (path, 'onnx')):
        assert give(running, given) == ''
        running.ros.until(lambda engine=engine: running.diagnostics()['engine'] == engine, f'the engine {engine}')
    drive(running, network)


def test_a_swap_while_the_robot_is_commanded_takes_over_after_a_second_of_silent_steps(running, files):
    path, (other, successor) = files['lstm'][0], files['gru']
    assert give(running, path) == ''
    running.ros.until(lambda: running.diagnostics()['policy'].endswith(path.name), 'the policy')
    running.fresh()
    taken = int(running.diagnostics().get('swap.taken_over', 0))
    assert running.ros.set_parameters('policy_node', policy=str(other))[0].successful

    def taken_over():
        running.sense()
        for _ in range(10):
            running.command()
        return int(running.diagnostics().get('swap.taken_over', 0)) > taken

    running.ros.until(taken_over, 'the other policy')
    drive(running, successor)


def test_a_swap_to_a_damaged_or_different_model_leaves_the_old_policy_running(running, files):
    path, network = files['lstm']
    assert give(running, path) == ''
    running.ros.until(lambda: running.diagnostics()['policy'].endswith(path.name), 'the policy')
    damaged, slower = path.with_name('damaged.onnx'), path.with_name('slower.onnx')
    damaged.write_bytes(path.read_bytes()[:5000])
    damaged.with_suffix('.yaml').write_text(yaml.safe_dump(description()))
    shutil.copy(path, slower)
    slower.with_suffix('.yaml').write_text(yaml.safe_dump(description(period=0.04)))
    for bad, words in ((damaged, 'damaged ONNX model'), (slower, 'control_period is 0.04 instead of 0.02')):
        assert give(running, bad) == ''  # it is looked at beside the control loop
        running.ros.until(lambda words=words: words in str(running.diagnostics()), words)
        drive(running, network, steps=2)


def test_observations_that_are_not_finite_are_refused(running, files):
    running.fresh()
    assert running.no_command([np.nan, *DEFAULTS[1:], *[0.0] * 12])
    assert not running.no_command()


def test_it_ends_with_the_last_position_when_it_is_told_to(ros, files):
    robot = Quadruped(ros, files[''][0]).until_it_answers()
    last = robot.command()
    robot.commands.clear()
    robot.process.signal(signal.SIGTERM)
    assert robot.process.wait() == 0
    ros.until(lambda: robot.commands, 'the fallback')
    np.testing.assert_array_equal(robot.commands[-1].data, last)


def test_a_model_without_its_description_is_not_run(ros_bench, files, tmp_path):
    shutil.copy(files[''][0], tmp_path / 'walk.onnx')
    with ros_bench() as ros:
        process = ros.start('policy_node', '-p', f'policy:={tmp_path / "walk.onnx"}', '-p', 'autostart:=true')
        assert process.wait() == 1
    assert "draft 'walk.yaml' with 'velora_ros deploy walk.onnx'" in process.output
    assert 'Traceback' not in process.output
