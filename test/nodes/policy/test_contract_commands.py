"""What a policy with a contract sends over DDS in each type of message: SI values by the contract, joint by joint."""

from typing import NamedTuple

import numpy as np
import pytest

from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.conversions import to_joint_state
from velora_ros.nodes.ros.topics_services_qos import LATCHED
from velora_ros.policy import Policy
from velora_ros.spec import PolicySpec, RobotCommand, RobotContract, Source

pytestmark = pytest.mark.ros

T_NS = 20_000_000
STEPS = 12
JOINTS = ('knee', 'hip')  # the order of the policy's actions; the robot's states have the other one
NEUTRAL, SCALE = np.array([-1.8, 0.2]), np.array([0.6, 0.5])
DEFAULT, FACTOR = np.array([0.2, -1.8, 0.0, 0.0]), np.array([1.0, 1.0, 0.05, 0.05])
LOW, HIGH = (-1.85, -0.1), (-1.5, 0.4)
STIFFNESS, DAMPING = (45.0, 35.0), (0.9, 0.7)
TWIST_FIELDS = 'command.fields:=[angular.z,linear.y]'
LAYOUT = ('position', 'velocity', 'effort', 'stiffness', 'damping')


class Kind(NamedTuple):
    """A type of command, what it commands, parameters, and how to read a value for each joint from a message."""

    type: str
    interface: str
    read: object
    parameters: tuple[str, ...] = ()


def by_name(names, values):
    found = dict(zip(names, values, strict=True))
    return [found[joint] for joint in JOINTS]


def of_trajectory(message):
    (point,) = message.points
    assert point.time_from_start.nanosec == T_NS and not point.velocities and not message.header.stamp.sec
    return by_name(message.joint_names, point.positions)


def of_moving_trajectory(message):
    moving, resting = message.points
    times = [point.time_from_start.nanosec for point in message.points]
    assert times == [T_NS, 2 * T_NS] and list(resting.velocities) == [0.0, 0.0]
    stopped = np.array(moving.positions) + np.array(moving.velocities) * T_NS * 1e-9 / 2
    assert list(resting.positions) == pytest.approx(stopped, abs=1e-12)
    assert all(low <= place <= high for place, low, high in zip(resting.positions, LOW, HIGH, strict=True))
    return by_name(message.joint_names, moving.positions)


def of_twist(twist):
    assert not any((twist.linear.x, twist.linear.z, twist.angular.x, twist.angular.y))
    return twist.angular.z, twist.linear.y


def of_blocks(message):
    blocks = np.reshape(message.data, (5, 2))
    assert not blocks[1:3].any() and tuple(blocks[3]) == STIFFNESS and tuple(blocks[4]) == DAMPING
    return blocks[0]


def of_other_blocks(message):
    blocks = np.reshape(message.data, (3, 2))
    assert tuple(blocks[0]) == DAMPING and tuple(blocks[2]) == STIFFNESS
    return blocks[1]


KINDS = {
    'JointState of positions': Kind('JointState', 'position', lambda m: by_name(m.name, m.position)),
    'JointState of velocities': Kind('JointState', 'velocity', lambda m: by_name(m.name, m.velocity)),
    'JointTrajectory': Kind('JointTrajectory', 'position', of_trajectory),
    'JointTrajectory with velocities': Kind(
        'JointTrajectory', 'position', of_moving_trajectory, ('command.velocities:=true',)
    ),
    'Twist': Kind('Twist', 'velocity', of_twist, (TWIST_FIELDS,)),
    'TwistStamped': Kind('TwistStamped', 'velocity', lambda m: of_twist(m.twist), (TWIST_FIELDS,)),
    'Float64MultiArray': Kind('Float64MultiArray', 'position', lambda m: m.data),
    'all blocks': Kind('Float64MultiArray', 'position', of_blocks, (f'command.layout:=[{",".join(LAYOUT)}]',)),
    'some blocks': Kind(
        'Float64MultiArray', 'position', of_other_blocks, ('command.layout:=[damping,position,stiffness]',)
    ),
}


def spec_of(interface):
    gains = {'stiffness': STIFFNESS, 'damping': DAMPING} if interface == 'position' else {}
    command = RobotCommand('Float64MultiArray', JOINTS, interface, low=LOW, high=HIGH, **gains)
    names = tuple(f'{joint}/{what}' for what in ('position', 'velocity') for joint in ('hip', 'knee'))
    contract = RobotContract(
        'two joints', (), (Source('joints', 'joint_states', 'JointState'),), tuple(f'joints:{name}' for name in names),
        tuple(FACTOR), tuple(DEFAULT), command,
    )  # fmt: skip
    actions = tuple(f'{joint}/{interface}' for joint in JOINTS)
    unit = 'rad' if interface == 'position' else 'rad/s'
    return PolicySpec(
        names, ('rad', 'rad', 'rad/s', 'rad/s'), actions, (unit, unit), (-1.0, -1.0), (1.0, 1.0), T_NS * 1e-9,
        action_scale=tuple(SCALE), action_offset=tuple(NEUTRAL), contract=contract,
    )  # fmt: skip


@pytest.fixture(scope='module')
def policies(make_policy_file, tmp_path_factory):
    folder, found = tmp_path_factory.mktemp('policies'), {}
    for interface in ('position', 'velocity'):
        spec, found[interface] = spec_of(interface), folder / f'{interface}.safetensors'
        make_policy_file(4, 20, 2, spec=spec, dt_range=(0.02, 0.02)).save(found[interface])
    return found


class Robot:
    """A robot with two joints that answers nothing: each state is followed by the command of the node."""

    def __init__(self, ros, policy, kind):
        words = (
            f'policy:={policy}', 'autostart:=true', 'engine:=numpy', 'max_state_age_s:=5', 'watchdog_timeout_s:=0',
            'max_gap_s:=0', 'arm_on_activate:=true', 'gains_confirmed:=true', f'command.type:={kind.type}',
            *kind.parameters,
        )  # fmt: skip
        ros.start('policy_node', *(word for text in words for word in ('-p', text)))
        self.ros, self.read = ros, kind.read
        status = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', 'policy_node/status', LATCHED.profile())
        ros.until(lambda: status and 'armed' in status[-1].message, 'an armed node')
        self.commands = ros.subscribe(COMMAND_TYPES[kind.type], 'command', 100)
        self.states = ros.publisher('sensor_msgs/msg/JointState', 'joint_states', 10)
        self.stamp = ros.node.get_clock().now().nanoseconds

    def publish(self, position=(0.2, -1.8), velocity=(0.0, 0.0)):
        self.stamp += T_NS
        self.states.publish(to_joint_state(('hip', 'knee'), position, velocity, [], self.stamp))

    def ready(self):
        """Wait until it answers, then let it forget what it saw."""

        def answered():
            self.publish()
            self.ros.spin(0.02)
            return self.commands

        self.ros.until(answered, 'the first command')
        self.ros.until_quiet(self.commands)
        assert self.ros.call('std_srvs/srv/Trigger', 'policy_node/reset_state').success
        return self

    def command(self, position, velocity):
        """Publish a state; return the command that comes back, in the order of the policy's actions."""
        self.commands.clear()
        self.publish(position, velocity)
        self.ros.until(lambda: self.commands, 'a command')
        return np.array(self.read(self.commands[-1]))


@pytest.mark.parametrize('name', KINDS)
def test_every_type_of_command_carries_the_contract_s_values_for_the_joints_by_their_names(ros, policies, name):
    kind = KINDS[name]
    robot, twin = Robot(ros, policies[kind.interface], kind).ready(), Policy.load(policies[kind.interface], 'numpy')
    rng, unlimited, expected, found = np.random.default_rng(1), [], [], []
    for step in range(STEPS):
        values = DEFAULT + rng.normal(0, (2, 2, 20, 20))
        action = twin.step(FACTOR * (values - DEFAULT), None if step == 0 else T_NS * 1e-9)
        unlimited.append(NEUTRAL + SCALE * action)
        expected.append(np.clip(unlimited[-1], LOW, HIGH))
        found.append(robot.command(values[:2], values[2:]))
    assert np.array(found) == pytest.approx(np.array(expected), abs=1e-9)
    assert (np.array(unlimited) != expected).any(), 'the limits of the contract count'
    assert np.ptp(expected, axis=0).min() > 0.05, 'and not only them'


def test_interpolated_commands_move_to_the_policy_s_and_stop_there(ros, policies):
    kind = KINDS['JointState of positions']._replace(parameters=('command.interpolate:=200.0',))
    robot, twin = Robot(ros, policies['position'], kind).ready(), Policy.load(policies['position'], 'numpy')
    last, rng, between = np.array(robot.read(robot.commands[-1])), np.random.default_rng(1), 0
    for step in range(STEPS):
        values = DEFAULT + rng.normal(0, (2, 2, 20, 20))
        action = twin.step(FACTOR * (values - DEFAULT), None if step == 0 else T_NS * 1e-9)
        expected = np.clip(NEUTRAL + SCALE * action, LOW, HIGH)
        robot.command(values[:2], values[2:])
        ros.until_quiet(robot.commands, 0.1)
        sent = np.array([robot.read(command) for command in robot.commands])
        assert sent[0] == pytest.approx(last) and sent[-1] == pytest.approx(expected, abs=1e-9)
        assert (np.diff(sent, axis=0) * np.sign(expected - last) >= -1e-12).all(), 'on the straight way'
        between += len(sent) - 2
        last = expected
    assert between >= STEPS, 'a busy machine leaves some out'
