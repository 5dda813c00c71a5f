"""A policy with a contract: sensors in several messages, its own last action, the clock of its gait."""

import struct

import numpy as np
import pytest
from rclpy.serialization import serialize_message

from velora_ros.nodes.replay.recorded_robot import RecordedRobot
from velora_ros.nodes.replay.recorded_run import armed_at
from velora_ros.nodes.replay.what_if import what_if
from velora_ros.nodes.ros.conversions import to_diagnostic, to_joint_state, to_stamp, to_vector
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.policy import Policy
from velora_ros.recordings.mcap_reader import Recording
from velora_ros.recordings.messages import POLICY_NOTE, Channel, Note, RawMessage
from velora_ros.utils.shipped_files import share_path

MS, START, PERIOD_MS = 1_000_000, 10**18, 20
VECTOR = 'std_msgs/msg/Float64MultiArray'
KINDS = {
    '/joint_states': 'sensor_msgs/msg/JointState', '/imu/data': 'sensor_msgs/msg/Imu',
    '/cmd_vel': 'geometry_msgs/msg/Twist', '/command': VECTOR, '/policy_node/debug/hidden': VECTOR,
    '/policy_node/debug/observation': VECTOR, '/policy_node/status': 'diagnostic_msgs/msg/DiagnosticStatus',
}  # fmt: skip


@pytest.fixture(scope='module')
def path():
    return share_path('policies', 'quadruped.safetensors')


def sensors(n):
    """What a walking quadruped publishes: `n` states, a command to walk after the tenth."""
    rng, contract = np.random.default_rng(0), Policy.load(share_path('policies', 'quadruped.safetensors')).spec.contract
    messages = []
    for k in range(n):
        at = START + k * PERIOD_MS * MS
        imu, twist = interface_class(KINDS['/imu/data'])(), interface_class(KINDS['/cmd_vel'])()
        imu.header.stamp, imu.orientation.w, imu.angular_velocity.x = to_stamp(at), 1.0, float(rng.normal())
        twist.linear.x = 0.5 if k > 10 else 0.0
        pose = np.array(contract.command.start_pose) + 0.1 * rng.normal(size=12)
        joints = to_joint_state(contract.command.fields, pose, rng.normal(size=12), np.zeros(0), at)
        for j, (topic, message) in enumerate((('/imu/data', imu), ('/cmd_vel', twist), ('/joint_states', joints))):
            messages.append(RawMessage(topic, at + j * MS, at + j * MS, serialize_message(message)))
    return messages


def recording_of(messages, digest):
    note = Note(POLICY_NOTE, {'digest': digest, 'controller': 'policy_node', 'policy': 'p'})
    channels = {topic: Channel(topic, kind, '') for topic, kind in KINDS.items()}
    return Recording(channels, sorted(messages, key=lambda one: one.published), [note], complete=True)


def run(path, n=80):
    """The sensors together with what policy_node publishes for them."""
    messages, policy = sensors(n), Policy.load(path, 'numpy')
    robot = RecordedRobot(recording_of(messages, policy.digest), policy)
    robot.controller.activate(arm=True)
    for step in robot.steps():
        read = step.observation.copy()
        command = robot.controller.decide(read, step.stamp, step.published, step.published * 1e-9, step.measured)
        debug = {'observation': read, 'hidden': policy.hidden}
        sent = {'/command': command, **{f'/policy_node/debug/{name}': values for name, values in debug.items()}}
        for j, (topic, values) in enumerate(sent.items()):
            at = step.published + (2 + j) * MS
            messages.append(RawMessage(topic, at, at, serialize_message(to_vector(values))))
    return messages, policy.digest


def test_a_recording_from_the_middle_of_a_run_gives_the_recorded_commands_again(path):
    messages, digest = run(path)
    late = [one for one in messages if one.published >= START + 30 * PERIOD_MS * MS]
    policy, recording = Policy.load(path, 'numpy'), recording_of(late, digest)
    result = what_if(recording, RecordedRobot(recording, policy), policy)
    assert (result.same_policy, result.corrections) == (True, 1)
    assert len(result.comparison.times) == 49
    assert np.abs(result.comparison.differences).max() == 0


def test_another_policy_walks_in_step_with_the_recorded_clock(path):
    messages, _ = run(path)
    late = [one for one in messages if one.published >= START + 37 * PERIOD_MS * MS]  # in the middle of a stride
    policy, recording = Policy.load(path, 'numpy'), recording_of(late, 'of another policy')
    result = what_if(recording, RecordedRobot(recording, policy), policy)
    assert not result.same_policy
    early, later = np.abs(result.comparison.differences[:3]).max(), np.abs(result.comparison.differences[-10:]).max()
    assert later < 0.1 * early, 'the same policy forgets that its hidden state began with zeros'


def test_what_was_commanded_while_standing_up_is_not_compared(path):
    messages, digest = run(path)
    for k, state in ((0, 'standing up'), (40, 'armed')):
        at = START + k * PERIOD_MS * MS
        status = to_diagnostic('policy_node', 'ok', state, {})
        messages.append(RawMessage('/policy_node/status', at, at, serialize_message(status)))
    policy, recording = Policy.load(path, 'numpy'), recording_of(messages, digest)
    result = what_if(recording, RecordedRobot(recording, policy), policy)
    assert len(result.comparison.times) == 40


def test_without_a_status_all_commands_count(path):
    recording = recording_of(sensors(3), '')
    assert armed_at(recording, '/policy_node', np.array([1, 2, 3])).all()


def test_states_between_the_steps_of_a_policy_are_not_answered(path):
    messages = []
    for message in sensors(20):
        messages.append(message)
        if message.topic == '/joint_states':  # the driver publishes at 200 Hz
            for j in range(1, 4):
                at = message.published + j * 5 * MS
                messages.append(message._replace(published=at, received=at, data=_stamped(message.data, at - 2 * MS)))
    policy = Policy.load(path, 'numpy')
    recording = recording_of(messages, policy.digest)
    result = what_if(recording, RecordedRobot(recording, policy), policy)
    assert abs(len(result.commands) - 20) <= 1


def _stamped(data, at):
    """The bytes of a joint state with another stamp."""
    return data[:4] + struct.pack('<iI', *divmod(at, 10**9)) + data[12:]


def test_a_silent_command_is_no_obstacle(path):
    messages = [one for one in sensors(20) if one.topic != '/cmd_vel']
    policy = Policy.load(path, 'numpy')
    recording = recording_of(messages, policy.digest)
    del recording.channels['/cmd_vel']
    assert len(what_if(recording, RecordedRobot(recording, policy), policy).commands) == 20
