"""The recorder as a process beside a real policy_node and a robot."""

import json
import signal
import sys
from collections import Counter

import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from policy_robot import SPEC, Robot

from velora_ros.recordings.mcap_reader import read_recording
from velora_ros.recordings.messages import POLICY_NOTE

pytestmark = pytest.mark.ros
RECORD = [sys.executable, '-m', 'velora_ros', 'record']
HIDDEN = '/policy_node/debug/hidden'


@pytest.fixture(scope='module')
def running(ros_bench, make_policy_file, tmp_path_factory):
    path = tmp_path_factory.mktemp('policies') / 'policy.safetensors'
    make_policy_file(spec=SPEC).save(path)
    with ros_bench() as ros:
        yield Robot(ros, path).until_it_answers()


@pytest.fixture
def record(running, tmp_path):
    """Starts the recorder and waits until it hears states and commands; returns its process and file."""

    def start(*arguments):
        path = tmp_path / 'run.mcap'
        process = running.ros.start([*RECORD, str(path), *arguments])
        topics = {'/joint_states', '/command', *([] if '--no-hidden' in arguments else [HIDDEN])}

        def heard():
            running.publish()
            running.ros.spin(0.05)
            return topics <= {message.topic for message in read_recording(path).messages} if path.exists() else False

        running.ros.until(heard, 'a recording of states and commands')
        return process, path

    return start


def end(process):
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    return json.loads(process.output.splitlines()[-1])


def test_states_commands_hidden_state_status_and_policy_are_recorded(running, record):
    process, path = record()
    sent = [running.command() for _ in range(20)]
    running.ros.spin(1.5)  # diagnostics come once a second
    summary = end(process)
    recording = read_recording(path)
    assert recording.complete
    counts = Counter(message.topic for message in recording.messages)
    assert summary['messages'] == len(recording.messages)
    assert summary['dropped'] == {}
    assert counts['/joint_states'] >= 20
    assert counts[HIDDEN] >= 19
    assert counts['/policy_node/status'] >= 1
    assert counts['/diagnostics'] >= 1
    note = next(one for one in recording.notes if one.name == POLICY_NOTE)
    assert note.values['policy'] == str(running.path)
    assert summary['policies'] == {'policy_node': note.values['digest']}
    with path.open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        commands = [decoded.data for _, _, _, decoded in reader.iter_decoded_messages(['/command'])]
    assert [list(one) for one in commands[-20:]] == [list(one) for one in sent]


def test_after_a_kill_all_but_the_last_two_seconds_are_there(running, record):
    process, path = record()
    for _ in range(30):
        running.publish()
        running.ros.spin(0.1)
    last = running.now
    process.signal(signal.SIGKILL)
    process.wait()
    recording = read_recording(path)
    assert not recording.complete
    states = recording.of('/joint_states')
    assert last - states[-1].received < 2_000_000_000
    numbers = [one.received for one in states]
    assert numbers == sorted(numbers)


def test_without_the_hidden_state_the_controller_publishes_nothing_for_it(running, record):
    process, path = record('--no-hidden')
    running.command()
    end(process)
    assert not [topic for topic in read_recording(path).channels if '/debug/' in topic]


def test_publish_times_tell_what_came_first(running, record):
    process, path = record()
    running.command()
    end(process)
    recording = read_recording(path)
    states, commands = recording.of('/joint_states'), recording.of('/command')
    assert states[-1].published < commands[-1].published <= commands[-1].received


def test_an_existing_file_is_refused_in_one_line(ros, tmp_path):
    path = tmp_path / 'mine.mcap'
    path.write_text('mine')
    process = ros.start([*RECORD, str(path)])
    assert process.wait() == 1
    assert 'exists; choose another name' in process.output
    assert path.read_text() == 'mine'


def test_an_invalid_topic_is_refused_in_one_line_and_nothing_is_written(ros, tmp_path):
    process = ros.start([*RECORD, str(tmp_path / 'a.mcap'), '--topics', 'robot-1/joint_states'])
    assert process.wait() == 1
    assert "'robot-1/joint_states' is not a valid topic name" in process.output
    assert 'Traceback' not in process.output
    assert list(tmp_path.glob('*.mcap')) == []


def test_it_ends_by_itself_when_the_time_is_over(ros, tmp_path):
    process = ros.start([*RECORD, str(tmp_path / 'a.mcap'), '--seconds', '0.5'])
    assert process.wait() == 0
    assert json.loads(process.output.splitlines()[-1])['messages'] == 0
