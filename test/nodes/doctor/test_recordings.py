"""The doctor on recordings: no DDS, no waiting."""

import json
import subprocess
import sys

import numpy as np
import pytest
from policy_robot import SPEC
from rclpy.serialization import serialize_message

from velora_ros.contract.sources import ObservationSettings
from velora_ros.doctor.expected_robot import expected_robot
from velora_ros.nodes.doctor.examine import Examination
from velora_ros.nodes.record.message_definitions import message_definition
from velora_ros.nodes.ros.conversions import to_joint_state, to_stamp, to_vector
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.policy import PolicyFile
from velora_ros.recordings.mcap_reader import Recording
from velora_ros.recordings.mcap_writer import RecordingFile
from velora_ros.recordings.messages import Channel, RawMessage
from velora_ros.utils.shipped_files import share_path

MS, START = 1_000_000, 10**18
IMU, STATES, VECTOR = 'sensor_msgs/msg/Imu', 'sensor_msgs/msg/JointState', 'std_msgs/msg/Float64MultiArray'


@pytest.fixture(scope='module')
def quadruped():
    return expected_robot(PolicyFile.load(share_path('policies', 'quadruped.safetensors')), ObservationSettings())


def stand(robot, n=100, *, period_ms=20, positions=lambda k, q: q, imu=lambda message: message, commands=None):
    """What a quadruped publishes that stands in its start pose."""
    pose, names = np.array([joint.start for joint in robot.joints]), [joint.name for joint in robot.joints]
    messages = []
    for k in range(n):
        at = START + k * period_ms * MS
        sensor = interface_class(IMU)()
        sensor.header.stamp, sensor.orientation.w, sensor.linear_acceleration.z = to_stamp(at), 1.0, 9.81
        joints = to_joint_state(names, positions(k, pose.copy()), np.zeros(12), np.zeros(12), at)
        messages += [
            RawMessage('/imu/data', at + MS, at, serialize_message(imu(sensor))),
            RawMessage('/joint_states', at + MS, at, serialize_message(joints)),
        ]
        if commands is not None:
            messages.append(RawMessage('/command', at + 2 * MS, at, serialize_message(to_vector(commands(k, pose)))))
    kinds = {'/imu/data': IMU, '/joint_states': STATES, '/command': VECTOR}
    used = {message.topic for message in messages}
    return Recording({topic: Channel(topic, kinds[topic], '') for topic in used}, messages, complete=True)


def wrong(recording, robot, **options):
    findings = Examination(recording, robot, **options).run()
    return [(one.check, one.about) for one in findings if one.level == 'mend']


def test_a_quadruped_that_stands_is_in_order(quadruped):
    assert wrong(stand(quadruped), quadruped) == []


def test_states_at_500_hz_are_in_order_because_its_policy_steps_at_its_period(quadruped):
    assert wrong(stand(quadruped, period_ms=2), quadruped) == []


def test_a_sensor_that_is_mounted_turned_is_found(quadruped):
    def turned(message):
        message.linear_acceleration.z, message.linear_acceleration.x = 0.0, 9.81
        return message

    assert ('mounting', '/imu/data') in wrong(stand(quadruped, imu=turned), quadruped)


def test_a_sensor_without_orientation_is_found(quadruped):
    def without(message):
        message.orientation_covariance[0] = -1.0
        return message

    assert wrong(stand(quadruped, imu=without), quadruped) == [('orientation', '/imu/data')]


def test_all_joints_in_degrees_are_found_where_they_are_not_near_zero(quadruped):
    found = wrong(stand(quadruped, positions=lambda k, q: np.degrees(q)), quadruped)
    assert found == [('unit', joint.name) for joint in quadruped.joints if joint.start]


def test_an_offset_of_one_joint_is_found(quadruped):
    def shifted(k, q):
        q[4] += 0.3
        return q

    assert wrong(stand(quadruped, positions=shifted), quadruped) == [('offset', quadruped.joints[4].name)]
    assert wrong(stand(quadruped, positions=shifted), quadruped, anywhere=True) == []


def test_a_joint_that_moves_against_its_command_is_found(quadruped):
    def wave(k, pose):
        return pose + 0.1 * np.sin(0.2 * k + np.arange(12) * 0.7)

    def followed(k, q):
        answer = wave(k - 1, q.copy())
        answer[7] = 2 * q[7] - answer[7]
        return answer

    found = wrong(stand(quadruped, 200, positions=followed, commands=wave), quadruped)
    assert found == [('sign', quadruped.joints[7].name)]


def test_two_joints_that_answer_each_others_commands_are_found(quadruped):
    def wave(k, pose):
        return pose + 0.1 * np.sin(0.1 * k * (1 + np.arange(12) / 6) + np.arange(12))

    def followed(k, q):
        answer = wave(k - 1, q.copy())
        answer[0], answer[3] = answer[3], answer[0]  # both hips, whose start is 0
        return answer

    found = wrong(stand(quadruped, 300, positions=followed, commands=wave), quadruped)
    assert found == [('order', quadruped.joints[0].name), ('order', quadruped.joints[3].name)]


def test_a_robot_that_moves_is_not_compared_with_its_start_pose(quadruped):
    def walking(k, q):
        return q + 0.3 * np.sin(0.3 * k)

    findings = Examination(stand(quadruped, positions=walking), quadruped).run()
    assert ('note', 'pose') in [(one.level, one.check) for one in findings]
    assert 'offset' not in [one.check for one in findings]


@pytest.mark.parametrize(('length', 'expected'), [(9, []), (4, [('names', '/observation')])])
def test_a_vector_of_another_length_is_another_robot(length, expected):
    file = PolicyFile.load(share_path('policies', 'InvertedDoublePendulum-v5.safetensors'))
    data = serialize_message(to_vector(np.zeros(length)))
    messages = [RawMessage('/observation', START + 50 * k * MS, 0, data) for k in range(40)]
    recording = Recording({'/observation': Channel('/observation', VECTOR, '')}, messages)
    assert wrong(recording, expected_robot(file, ObservationSettings())) == expected


def test_another_type_on_a_topic_is_found(quadruped):
    recording = stand(quadruped)
    recording.channels['/imu/data'] = Channel('/imu/data', VECTOR, '')
    assert ('type', '/imu/data') in wrong(recording, quadruped)


def test_a_topic_under_another_name_is_hinted_at(quadruped):
    recording = stand(quadruped)
    renamed = [one._replace(topic='/imu') if one.topic == '/imu/data' else one for one in recording.messages]
    channels = {'/joint_states': recording.channels['/joint_states'], '/imu': Channel('/imu', IMU, '')}
    findings = Examination(Recording(channels, renamed), quadruped).run()
    found = next(one for one in findings if one.about == '/imu/data')
    assert found.text.endswith("start its driver, or set 'observation.imu.topic' to '/imu'.")


def test_without_a_policy_clocks_and_velocities_are_checked(quadruped):
    assert wrong(stand(quadruped), None) == []
    frozen = stand(quadruped)
    messages = [one._replace(received=one.received + 3600 * 10**9) for one in frozen.messages]
    assert ('clock', '/imu/data') in wrong(Recording(frozen.channels, messages), None)


def test_the_command_examines_a_file(make_policy_file, tmp_path):
    policy, path = tmp_path / 'p.safetensors', tmp_path / 'run.mcap'
    make_policy_file(spec=SPEC).save(policy)
    file = RecordingFile(path)
    file.add_channel(Channel('/joint_states', STATES, message_definition(STATES)))
    for k in range(50):
        state = to_joint_state(['slider', 'hinge'], np.zeros(2), np.zeros(2), np.zeros(0), START + 80 * k * MS)
        file.write(RawMessage('/joint_states', START + 80 * k * MS + MS, 0, serialize_message(state)))
    file.close()
    done = subprocess.run(
        [sys.executable, '-m', 'velora_ros', 'doctor', str(policy), '--recording', str(path), '--json'],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert not report['ready']
    assert any(one['check'] == 'rate' and one['level'] == 'mend' for one in report['findings'])
