"""A robot's parameter file, rehearsed: one file for policy_node and sim_node, with each type of joint command."""

import pytest
import yaml

from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.topics_services_qos import LATCHED

pytestmark = pytest.mark.ros

LAYOUT = ['position', 'velocity', 'effort', 'stiffness', 'damping']
# A busy machine may hold up a state for longer than the robot's own limits; neither time is the subject.
PATIENT = {'max_state_age_s': 5.0, 'watchdog_timeout_s': 30.0}
NODE = {
    'policy': 'quadruped', 'autostart': True, 'arm_on_activate': True, 'gains_confirmed': True, 'engine': 'numpy',
    'start_when_ready': True, **PATIENT,
}  # fmt: skip


class Rehearsal:
    """The quadruped and its controller, both started with the same parameter file."""

    def __init__(self, ros, shared, **own):
        file = ros.folder / 'robot.yaml'
        parameters = {'/**': shared, '/**/policy_node': {**NODE, **own}, '/**/sim_node': {'task': 'quadruped'}}
        file.write_text(yaml.safe_dump({key: {'ros__parameters': values} for key, values in parameters.items()}))
        self.ros = ros
        self.sim = ros.start('sim_node', '--params-file', file)
        ros.start('policy_node', '--params-file', file)
        self.status = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', 'policy_node/status', LATCHED.profile())
        self.odometry = ros.subscribe('nav_msgs/msg/Odometry', 'odom')
        self.commands = ros.subscribe(COMMAND_TYPES[shared['command.type']], 'command')

    @property
    def height(self):
        return self.odometry[-1].pose.pose.position.z

    def until_it_stands(self, commands=60):
        self.ros.until(lambda: self.status and self.status[-1].message.startswith('armed'), 'the policy to take over')
        seen = len(self.commands)
        self.ros.until(lambda: len(self.commands) > seen + commands, 'commands of the policy')
        assert 'command refused' not in self.sim.output
        assert self.height > 0.17


@pytest.mark.parametrize('kind', ['JointState', 'JointTrajectory'])
def test_a_robot_that_takes_joint_messages_is_rehearsed_with_its_parameter_file(ros, kind):
    robot = Rehearsal(ros, {'command.type': kind, 'command.interface': 'position'})
    robot.until_it_stands()
    assert 'FR_hip_joint' in (getattr(robot.commands[-1], 'name', None) or robot.commands[-1].joint_names)


def test_a_robot_that_takes_gains_is_rehearsed_and_goes_limp_when_it_is_stopped(ros):
    robot = Rehearsal(ros, {'command.type': 'Float64MultiArray', 'command.layout': LAYOUT}, fallback='damp')
    robot.until_it_stands()
    assert len(robot.commands[-1].data) == 60 and robot.commands[-1].data[36] > 0
    ros.deliver(ros.publisher('std_msgs/msg/Bool', 'emergency_stop'), interface_class('std_msgs/msg/Bool')(data=True))
    ros.until(lambda: 'emergency stop' in robot.status[-1].message, 'the stop')
    assert not any(robot.commands[-1].data[36:48]), 'no stiffness'
    ros.until(lambda: robot.height < 0.13, 'a robot that lies down')


def test_a_vector_of_several_blocks_is_refused_with_the_parameter_that_is_missing(ros):
    process = ros.start('sim_node', '-p', 'task:=quadruped')
    command = ros.publisher(COMMAND_TYPES['Float64MultiArray'], 'command')
    words = "If the command has 5 blocks, set the same 'command.layout' in sim_node as in policy_node."

    def refused():
        command.publish(interface_class(COMMAND_TYPES['Float64MultiArray'])(data=[0.0] * 60))
        return words in process.output

    ros.until(refused, words)


def test_gains_for_a_robot_without_position_servos_are_refused_in_one_sentence(ros):
    process = ros.start('sim_node', '-p', 'task:=rover', '-p', 'command.layout:=[velocity,stiffness]')
    assert process.wait() == 1
    assert "'command.layout' has stiffness, but the simulated robot has no position servos" in process.output
    assert 'Traceback' not in process.output
