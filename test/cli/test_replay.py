"""`velora_ros replay` without a policy needs no ROS: it shows what a recording has, and repairs it."""

import json
import struct
import subprocess
import sys

import pytest

from velora_ros.cli.main import main
from velora_ros.recordings.mcap_reader import read_recording
from velora_ros.recordings.mcap_writer import RecordingFile
from velora_ros.recordings.messages import POLICY_NOTE, Channel, RawMessage


@pytest.fixture
def killed(tmp_path):
    """A recording of a recorder that was killed: no end, and a part of a record at its end."""
    path = tmp_path / 'run.mcap'
    file = RecordingFile(path)
    file.add_channel(Channel('/number', 'std_msgs/msg/Float64', 'float64 data\n'))
    file.add_note(POLICY_NOTE, {'controller': 'policy_node', 'policy': 'p.safetensors', 'digest': 'abcdef' * 10})
    for k in range(20):
        file.write(RawMessage('/number', k * 10**8, k * 10**8, b'\0\1\0\0' + struct.pack('<d', k)))
    file.flush()
    file._file.close()
    with path.open('ab') as end:
        end.write(b'\6\xff\0\0')
    return path


def test_it_shows_topics_rates_and_policies(killed, capsys):
    assert main(['replay', str(killed)]) == 0
    out = capsys.readouterr().out
    last = json.loads(out.splitlines()[-1])
    assert 'truncated, 4 bytes at its end are lost' in out
    assert 'policy of policy_node: p.safetensors (abcdefabcdef)' in out
    assert last['topics']['/number'] == {
        'type': 'std_msgs/msg/Float64', 'messages': 20, 'rate_hz': pytest.approx(10.0),
        'longest_gap_s': pytest.approx(0.1),
    }  # fmt: skip
    assert (last['complete'], last['unreadable_bytes'], last['messages']) == (False, 4, 20)


def test_it_writes_a_valid_file(killed, tmp_path, capsys):
    assert main(['replay', str(killed), '--out', str(tmp_path / 'whole.mcap')]) == 0
    assert 'written' in capsys.readouterr().out
    whole = read_recording(tmp_path / 'whole.mcap')
    assert whole.complete
    assert whole.messages == read_recording(killed).messages


def test_without_ros_a_policy_is_refused_in_one_line(killed):
    program = 'import sys; sys.modules["rclpy"] = None; from velora_ros.cli.main import main; sys.exit(main())'
    done = subprocess.run(
        [sys.executable, '-c', program, 'replay', str(killed), '--policy', 'p'],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "'velora_ros replay' needs ROS 2, but Python does not find rclpy" in done.stderr


def test_without_the_library_it_says_what_to_install(killed):
    program = 'import sys; sys.modules["mcap"] = None; from velora_ros.cli.main import main; sys.exit(main())'
    done = subprocess.run(
        [sys.executable, '-c', program, 'replay', str(killed)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert 'pip install mcap mcap-ros2-support' in done.stderr
