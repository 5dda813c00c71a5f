"""What another policy would have commanded in a recording, without any node: the recording is made of messages."""

import json
import subprocess
import sys

import numpy as np
import pytest
from policy_robot import SPEC
from rclpy.serialization import serialize_message

from velora_ros.control import Controller, Settings
from velora_ros.errors import RecordingError
from velora_ros.nodes.record.message_definitions import message_definition
from velora_ros.nodes.replay.recorded_robot import RecordedRobot
from velora_ros.nodes.replay.what_if import what_if
from velora_ros.nodes.ros.conversions import to_joint_state, to_vector
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.policy import Policy
from velora_ros.recordings.mcap_reader import read_recording
from velora_ros.recordings.mcap_writer import RecordingFile
from velora_ros.recordings.messages import POLICY_NOTE, Channel, Note, RawMessage

JOINTS, VECTOR = 'sensor_msgs/msg/JointState', 'std_msgs/msg/Float64MultiArray'
MS, T_MS, START = 1_000_000, 40, 1_000_000_000_000
HIDDEN = '/policy_node/debug/hidden'
TYPES = {'/joint_states': JOINTS, '/command': VECTOR, HIDDEN: VECTOR, '/reset': 'std_msgs/msg/Empty'}


def run(policy, steps=50, *, begin=0, resets=(), factor=1.0):
    """The messages of a robot that `policy` commands, from step `begin` on, as a recorder receives them."""
    rng, controller = np.random.default_rng(1), Controller(policy, Settings(max_state_age_s=0, watchdog_timeout_s=0))
    controller.activate(arm=True)
    messages = []
    for k in range(steps):
        at = START + k * T_MS * MS
        if k in resets:
            controller.reset('message')
            messages.append(
                RawMessage('/reset', at - MS, at - MS, serialize_message(interface_class(TYPES['/reset'])()))
            )
        state = rng.normal(size=4)
        joints = to_joint_state(['hinge', 'slider'], state[[1, 0]], state[[3, 2]], np.empty(0), at - MS)
        command = controller.decide(state, at - MS, at, at * 1e-9)
        one = [
            RawMessage('/joint_states', at + 2 * MS, at, serialize_message(joints)),
            RawMessage('/command', at + MS, at + MS // 2, serialize_message(to_vector(factor * np.array(command)))),
            RawMessage(HIDDEN, at + MS, at + MS // 2 + 9, serialize_message(to_vector(policy.hidden))),
        ]
        messages += one if k >= begin else []
    return messages


@pytest.fixture
def policies(make_policy_file, tmp_path):
    """Two policy files of one robot."""
    paths = [tmp_path / f'{seed}.safetensors' for seed in (1, 2)]
    for seed, path in enumerate(paths):
        make_policy_file(spec=SPEC, seed=seed).save(path)
    return paths


@pytest.fixture
def save(tmp_path):
    """Writes a recording; `rename` replaces names of topics."""

    def write(messages, digests=(), rename=None, omit=()):
        rename = rename or {}
        path = tmp_path / 'run.mcap'
        file = RecordingFile(path)
        for topic, kind in TYPES.items():
            if topic not in omit:
                file.add_channel(Channel(rename.get(topic, topic), kind, message_definition(kind)))
        for digest in digests:
            file.add_note(POLICY_NOTE, Note('', {'digest': digest, 'controller': 'policy_node', 'policy': 'p'}).values)
        for message in messages:
            if message.topic not in omit:
                file.write(message._replace(topic=rename.get(message.topic, message.topic)))
        file.close()
        return path

    return write


def replayed(path, policy_path, **options):
    policy, recording = Policy.load(policy_path, 'numpy'), read_recording(path)
    robot = RecordedRobot(recording, policy, **options)
    return what_if(recording, robot, policy), robot


def test_the_policy_that_ran_commands_the_same_again(policies, save):
    policy = Policy.load(policies[0], 'numpy')
    result, robot = replayed(save(run(policy)), policies[0])
    assert len(result.commands) == len(result.comparison.times) == result.recorded == 50
    assert np.abs(result.comparison.differences).max() == 0
    assert robot.rejected == 0


def test_a_recording_that_begins_in_the_middle_starts_with_the_recorded_hidden_state(policies, save):
    policy = Policy.load(policies[0], 'numpy')
    result, _ = replayed(save(run(policy, begin=20), [policy.digest]), policies[0])
    assert (result.same_policy, result.corrections) == (True, 1)
    assert len(result.comparison.times) == 29, 'the first state is needed to get in step'
    assert np.abs(result.comparison.differences).max() == 0


def test_a_recorded_reset_resets_the_policy(policies, save):
    policy = Policy.load(policies[0], 'numpy')
    result, _ = replayed(save(run(policy, resets=(10, 30))), policies[0])
    assert np.abs(result.comparison.differences).max() == 0


def test_another_policy_differs(policies, save):
    ran, other = (Policy.load(path, 'numpy') for path in policies)
    result, _ = replayed(save(run(ran), [ran.digest]), policies[1])
    assert not result.same_policy
    expected = [np.array(one) for one in run_commands(other)]
    np.testing.assert_array_equal(result.commands.values, expected)
    assert result.comparison.rows()[0]['largest'] > 0.01


def run_commands(policy):
    """What `policy` commands for the states of :func:`run`."""
    rng, controller = np.random.default_rng(1), Controller(policy, Settings(max_state_age_s=0, watchdog_timeout_s=0))
    controller.activate(arm=True)
    for k in range(50):
        at = START + k * T_MS * MS
        yield controller.decide(rng.normal(size=4), at - MS, at, at * 1e-9)


def test_without_recorded_commands_the_policy_is_replayed_alone(policies, save):
    policy = Policy.load(policies[0], 'numpy')
    result, _ = replayed(save(run(policy), omit=('/command',)), policies[0])
    assert (len(result.commands), result.recorded, len(result.comparison.times)) == (50, 0, 0)


def test_a_namespace_and_a_remapped_topic_are_found(policies, save):
    policy = Policy.load(policies[0], 'numpy')
    rename = {'/joint_states': '/arm/joints', '/command': '/robot/command', HIDDEN: f'/robot{HIDDEN}'}
    result, robot = replayed(save(run(policy), rename=rename), policies[0])
    assert robot.namespace == '/robot'
    assert np.abs(result.comparison.differences).max() == 0


def test_a_topic_that_was_not_recorded_is_named_with_what_there_is(policies, save):
    path = save(run(Policy.load(policies[0], 'numpy')), omit=('/joint_states',))
    with pytest.raises(RecordingError, match=r"'/joint_states' .* was not recorded; give a parameter file"):
        replayed(path, policies[0])


def test_commands_of_another_robot_are_refused_with_both_lengths(policies, save):
    policy = Policy.load(policies[0], 'numpy')
    message = RawMessage('/command', START, START, serialize_message(to_vector(np.zeros(3))))
    with pytest.raises(RecordingError, match="'/command' have 3 values, but the number of actions is 1: slider/effort"):
        replayed(save([*run(policy), message]), policies[0])


def test_a_parameter_file_maps_the_robots_own_names(policies, save, tmp_path):
    policy = Policy.load(policies[0], 'numpy')
    fields = ', '.join(f"'joints:{name}'" for name in SPEC.observation_names)
    params = tmp_path / 'robot.yaml'
    params.write_text(
        f'/**/policy_node:\n  ros__parameters:\n    observation.fields: [{fields}]\n'
        '    observation.scale: [1.0, -1.0, 1.0, -1.0]\n'
    )
    path = save(run(policy))
    plain, _ = replayed(path, policies[0])
    turned, _ = replayed(path, policies[0], params=str(params))
    assert np.abs(plain.comparison.differences).max() == 0
    assert np.abs(turned.comparison.differences).max() > 1e-3


def test_the_command_prints_a_table_draws_and_ends_with_json(policies, save, tmp_path):
    ran = Policy.load(policies[0], 'numpy')
    path, picture = save(run(ran), [ran.digest]), tmp_path / 'a.png'
    arguments = ['replay', path, '--policy', policies[1], '--picture', picture]
    done = subprocess.run(
        [sys.executable, '-m', 'velora_ros', *map(str, arguments)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last['event'], last['states'], last['compared'], last['same_policy']) == ('replay', 50, 50, False)
    assert last['largest_difference'] == last['actions'][0]['largest'] > 0
    assert 'where they differ most' in done.stdout
    assert picture.read_bytes().startswith(b'\x89PNG')


def test_an_error_is_one_line(policies, tmp_path):
    arguments = ['replay', tmp_path / 'no.mcap', '--policy', policies[1]]
    done = subprocess.run(
        [sys.executable, '-m', 'velora_ros', *map(str, arguments)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith('velora_ros: error: ')
    assert done.stderr.count('\n') == 1
