"""The doctor as a process, beside a robot with a fault and a person who moves the joints that it names."""

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from policy_robot import SPEC, T

from velora_ros.nodes.ros.conversions import to_joint_state
from velora_ros.policy.golden_trace import with_golden_trace

pytestmark = pytest.mark.ros
DOCTOR = [sys.executable, '-m', 'velora_ros', 'doctor']
JOINTS = ('slider', 'hinge')
ASKED = re.compile(r"Move '(\w+)' by about")
REST = np.array([0.02, -0.01])


class Driver:
    """
    A robot whose joints can be moved by hand, and whose driver may have a fault.

    `fault(names, positions, velocities, stamp)` returns what the driver publishes instead.
    """

    def __init__(self, ros, fault=None, period=T):
        self.fault = fault or (lambda *state: state)
        self.positions, self.target = REST.copy(), REST.copy()
        self._node, self._period = ros.node, period
        self._publisher = ros.publisher('sensor_msgs/msg/JointState', 'joint_states', 10, matched=False)
        self._timer = ros.node.create_timer(period, self._publish)

    def move(self, joint):
        """Move a joint by hand, as asked."""
        self.target = REST.copy()
        self.target[JOINTS.index(joint)] += 0.2

    def release(self):
        self.target = REST.copy()

    def stop(self):
        self._node.destroy_timer(self._timer)

    def _publish(self):
        step = np.clip(self.target - self.positions, -0.5 * self._period, 0.5 * self._period)
        self.positions = self.positions + step
        stamp = self._node.get_clock().now().nanoseconds
        names, position, velocity, stamp = self.fault(list(JOINTS), self.positions, step / self._period, stamp)
        self._publisher.publish(to_joint_state(names, position, velocity, np.empty(0), stamp))


@pytest.fixture
def policy(make_policy_file, tmp_path):
    """A policy that was trained near the pose in which the robot rests, the joints moving little."""
    file = make_policy_file(spec=SPEC)
    tensors = {**file.tensors, 'normalisation.offset': np.zeros(4, np.float32)}
    tensors['normalisation.scale'] = np.array([15.0, 12.0, 1.0, 1.0], np.float32)  # deviations of 0.07 and 0.08
    path = tmp_path / 'policy.safetensors'
    with_golden_trace(replace(file, tensors=tensors)).save(path)
    return path


@pytest.fixture
def examine(ros, policy):
    """Runs the doctor beside a driver; a person moves what is asked for. Returns status, findings and output."""

    def run(*arguments, fault=None, period=T, moves=True, person=True):
        driver = Driver(ros, fault, period)
        extra = ['--move'] if moves else []
        process = ros.start([*DOCTOR, str(policy), '--seconds', '1', '--json', *arguments, *extra])
        done = 0

        def over():
            nonlocal done
            asked = ASKED.findall(process.output)
            if person and len(asked) > done:
                driver.move(asked[-1])
                done = len(asked)
            elif process.output.count(': it was moved') + process.output.count("' was moved, but") >= done:
                driver.release()
            return process.exit_code is not None

        ros.until(over, 'the report')
        driver.stop()
        report = json.loads(process.output.splitlines()[-1])
        assert report['ready'] == (process.exit_code == 0)
        wrong = [(one['check'], one['about']) for one in report['findings'] if one['level'] == 'mend']
        return process.exit_code, wrong, process.output

    return run


def test_a_robot_in_order_is_ready(examine):
    code, wrong, output = examine()
    assert (code, wrong) == (0, []), output
    assert output.splitlines()[-2] == 'ready'
    assert ASKED.findall(output) == ['slider', 'hinge']
    assert 'the golden trace of 12 steps differs by' in output


def test_a_swapped_joint_is_found(examine):
    code, wrong, output = examine(fault=lambda names, *rest: (names[::-1], *rest))
    assert code == 1
    assert ('order', 'slider') in wrong
    assert ('order', 'hinge') in wrong
    assert "'slider' was moved, but 'hinge' changed by 0.2" in output


def test_a_wrong_sign_is_found(examine):
    def turned(names, position, velocity, stamp):
        return names, position * [1, -1], velocity * [1, -1], stamp

    code, wrong, _ = examine(fault=turned)
    assert (code, wrong) == (1, [('sign', 'hinge')])


def test_degrees_are_found(examine):
    def degrees(names, position, velocity, stamp):
        return names, position * [1, 180 / np.pi], velocity * [1, 180 / np.pi], stamp

    code, wrong, _ = examine(fault=degrees)
    assert code == 1
    assert ('unit', 'hinge') in wrong


def test_an_offset_is_found(examine):
    code, wrong, output = examine(
        fault=lambda names, position, *rest: (names, position + np.array([0.0, 0.7]), *rest), moves=False
    )
    assert (code, wrong) == (1, [('offset', 'hinge')])
    assert 'the zero is off by 0.69' in output


def test_a_rate_half_of_the_policys_is_found(examine):
    code, wrong, output = examine(period=2 * T, moves=False)
    assert (code, wrong) == (1, [('rate', '/joint_states')])
    assert re.search(r'0\.[2-5]\d? times the 25 Hz of the policy', output), output  # less than half where it is busy


def test_a_stale_clock_is_found(examine):
    code, wrong, output = examine(fault=lambda *state: (*state[:3], state[3] - 3600 * 10**9), moves=False)
    assert (code, wrong) == (1, [('clock', '/joint_states')])
    assert 'the stamps are 3600 s old' in output


def test_another_policys_robot_is_found(examine):
    code, wrong, output = examine(fault=lambda names, *rest: (['shoulder', 'elbow'], *rest), moves=False)
    assert code == 1
    assert ('names', '/joint_states') in wrong
    assert 'it reads slider, hinge, but the robot has shoulder, elbow' in output


def test_a_parameter_file_that_corrects_the_sign_makes_it_ready(examine, tmp_path):
    params = tmp_path / 'robot.yaml'
    fields = ', '.join(f"'joints:{name}'" for name in SPEC.observation_names)
    params.write_text(
        f'/**/policy_node:\n  ros__parameters:\n    observation.fields: [{fields}]\n'
        '    observation.scale: [1.0, -1.0, 1.0, -1.0]\n'
    )

    def turned(names, position, velocity, stamp):
        return names, position * [1, -1], velocity * [1, -1], stamp

    code, wrong, output = examine('--params', str(params), fault=turned)
    assert (code, wrong) == (0, []), output


def test_without_a_robot_it_says_what_to_start(ros, policy):
    process = ros.start([*DOCTOR, str(policy), '--seconds', '0.5'])
    assert process.wait() == 1
    assert 'no sensor_msgs/msg/JointState arrived, but the policy reads it; start its driver' in process.output
    assert 'not ready, 1 to correct' in process.output


def test_a_joint_that_nobody_moves_stays_unknown(examine):
    code, wrong, output = examine('--patience', '1.5', person=False)
    assert (code, wrong) == (1, [('order', 'slider'), ('order', 'hinge')])
    assert 'no joint was moved within 1.5 s' in output


def test_it_publishes_nothing(ros, policy):
    driver = Driver(ros)
    process = ros.start([*DOCTOR, str(policy), '--seconds', '3'])
    ros.until(lambda: 'doctor' in ros.node.get_node_names(), 'the node')
    topics = {name for name, _ in ros.node.get_publisher_names_and_types_by_node('doctor', '/')}
    assert topics <= {'/parameter_events', '/rosout'}
    ros.until(lambda: process.exit_code is not None)
    driver.stop()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--namespace', 'robot-1'], "'/robot-1' is not a valid namespace"),
        (['--command-topic', 'robot-1/command'], "'robot-1/command' is not a valid topic name"),
    ],
)
def test_an_invalid_name_is_refused_in_one_line(ros, policy, arguments, words):
    process = ros.start([*DOCTOR, str(policy), *arguments])
    assert process.wait() == 2
    assert words in process.output and 'Traceback' not in process.output


def test_an_unknown_joint_is_refused_by_name(ros, policy):
    driver = Driver(ros)
    process = ros.start([*DOCTOR, str(policy), '--seconds', '0.5', '--move', 'elbow'])
    ros.until(lambda: process.exit_code is not None)
    driver.stop()
    assert process.exit_code == 2
    assert "--move names the joint 'elbow', but the policy reads the positions of slider, hinge; name" in process.output
