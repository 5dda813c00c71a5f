"""Commands in a message type of another package, written by a class that this package offers."""

import os
import sys

import pytest
from policy_robot import SPEC, Robot

from velora_ros.errors import ConfigError
from velora_ros.nodes.policy.encoders import make_encoder
from velora_ros.nodes.policy.parameters import parameters
from velora_ros.nodes.policy.writer_registry import OwnEncoder, WriterError, command_type, full_type
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros

JOY = 'sensor_msgs/msg/Joy'  # a type that no encoder of ours writes, in place of a vendor's
WRITERS = """
from sensor_msgs.msg import Joy, Imu

class Motors:
    def __init__(self, actions):
        self.actions, self.written = actions, 0

    def write(self, command):
        message = Joy(axes=list(command))
        message.header.frame_id = f'{self.actions.frame_id} {" ".join(self.actions.names)} {self.actions.period}'
        message.header.stamp.sec = self.actions.now()
        return message

class Late(Motors):
    def write(self, command):
        if command[0] == 1.0:
            raise OverflowError('one is too much')
        return Imu() if command[0] == 0.5 else super().write(command)

class Tires(Motors):
    def write(self, command):
        self.written += 1
        if self.written > 4:  # one of them is the trial
            raise RuntimeError('tired')
        return super().write(command)

class Raises:
    def __init__(self, actions):
        raise KeyError('kp')

class Other(Motors):
    def write(self, command):
        return Imu()
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package that offers one of its writers."""
    (tmp_path / 'my_robot_writers.py').write_text(WRITERS)
    info = tmp_path / 'my_robot-1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Name: my_robot\nVersion: 1.0\n')
    monkeypatch.syspath_prepend(tmp_path)

    def offer(writer, kind=JOY):
        (info / 'entry_points.txt').write_text(f'[velora_ros.writers]\n{kind} = my_robot_writers:{writer}\n')

    yield offer
    sys.modules.pop('my_robot_writers', None)


def encoder(kind=JOY):
    spec = PolicySpec(('obs_0',), ('',), ('elbow/position', 'action_1'), ('', ''), (-1.0, -1.0), (1.0, 1.0), 0.02)
    return make_encoder(kind, spec, interface='', fields=(), frame_id='base', now=lambda: 7)


def test_a_command_goes_out_in_the_type_of_another_package(package):
    package('Motors')
    assert command_type('sensor_msgs/Joy') == command_type('Joy') == full_type(JOY) == JOY
    made = encoder()
    message = made.encode([0.25, -0.5])
    assert isinstance(made, OwnEncoder)
    assert list(message.axes) == [0.25, -0.5]
    assert (message.header.frame_id, message.header.stamp.sec) == ('base elbow/position action_1 0.02', 7)


def test_our_own_types_need_no_writer_and_an_unknown_one_is_refused_with_those_that_are_installed(package):
    assert [command_type(kind) for kind in ('', 'geometry_msgs/Twist')] == ['', 'Twist']
    [row] = [row for row in parameters(None) if row.name == 'command.type']
    with pytest.raises(
        ConfigError, match=r"'command.type' is 'Joy'.* velora_ros.writers. is valid too; installed: none"
    ):
        row.check('Joy')
    package('Motors')
    assert row.check('Joy') == JOY
    with pytest.raises(ConfigError, match=f"is 'LowCmd'.* installed: {JOY}"):
        row.check('LowCmd')


@pytest.mark.parametrize(
    ('writer', 'said'),
    [
        ('Raises', r"Joy: its writer cannot be created: KeyError\('kp'\)"),
        ('Absent', 'its writer cannot be created: AttributeError'),
        ('Other', 'returned a Imu; it must return a message of its type'),
    ],
)
def test_a_writer_that_does_not_work_is_refused_when_the_node_is_configured(package, writer, said):
    package(writer)
    with pytest.raises(ConfigError, match=said) as caught:
        encoder()
    assert '\n' not in str(caught.value)


def test_a_type_that_is_not_installed_is_refused(package):
    package('Motors', 'my_msgs/msg/LowCmd')
    with pytest.raises(ConfigError, match='this message type is not installed'):
        encoder('my_msgs/msg/LowCmd')


def test_a_writer_that_fails_later_is_an_error_in_one_sentence(package):
    package('Late')
    made = encoder()
    assert list(made.encode([0.25, 0.0]).axes) == [0.25, 0.0]
    with pytest.raises(WriterError, match=r"failed on a command: OverflowError\('one is too much'\)"):
        made.encode([1.0, 0.0])
    with pytest.raises(WriterError, match='returned a Imu'):
        made.encode([0.5, 0.0])


def test_over_dds_the_robot_gets_the_messages_and_a_writer_that_fails_is_a_fault(
    ros, package, make_policy_file, tmp_path, monkeypatch
):
    package('Tires')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)
    make_policy_file(spec=SPEC).save(tmp_path / 'policy.safetensors')
    robot = Robot(ros, tmp_path / 'policy.safetensors', 'command.type:=sensor_msgs/Joy', kind=JOY)

    def failed():
        robot.publish()
        ros.spin(0.02)
        return robot.status[-1].message.startswith('fault')

    ros.until(failed, 'the fault')
    assert robot.status[-1].message == (
        "fault: the writer of sensor_msgs/msg/Joy failed on a command: RuntimeError('tired'). "
        'Correct the package that provides it.'
    )
    assert 0 < len(robot.commands) <= 3 and len(robot.commands[0].axes) == 1
    assert robot.process.exit_code is None, 'the node lives'
