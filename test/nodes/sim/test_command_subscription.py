"""The subscription of sim_node to commands: it follows the type that is published."""

import pytest

from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.sim.command_subscription import CommandSubscription

pytestmark = pytest.mark.ros


def message(kind, **fields):
    return interface_class(COMMAND_TYPES[kind])(**fields)


def test_a_subscription_in_another_type_is_tried_until_the_old_one_is_gone(monkeypatch):
    commands, tried = CommandSubscription.__new__(CommandSubscription), []
    commands._next_kind, commands._attempts = 'JointTrajectory', 0

    def subscribe(kind):
        tried.append(kind)
        if len(tried) < 3:
            raise ConfigError("cannot subscribe to the topic 'command': there is one of another type.")

    monkeypatch.setattr(commands, '_subscribe', subscribe)
    assert [commands._subscribe_in_next_kind() for _ in range(3)] == [False, False, True]
    assert (commands._next_kind, commands._attempts) == ('', 0)

    monkeypatch.setattr(commands, '_subscribe', lambda kind: subscribe(tried.clear() or kind))
    with pytest.raises(ConfigError, match='another type'):
        while True:
            commands._subscribe_in_next_kind()


def test_commands_are_subscribed_in_the_type_that_is_published(ros):
    ros.start('sim_node')
    states = ros.subscribe('sensor_msgs/msg/JointState', 'joint_states')
    ros.until(lambda: len(states) > 2, 'states')
    trajectories = ros.publisher(COMMAND_TYPES['JointTrajectory'], 'command', matched=False)
    point = interface_class('trajectory_msgs/msg/JointTrajectoryPoint')
    held = states[-1].position[0]

    def moved():
        trajectories.publish(message('JointTrajectory', joint_names=['slider'], points=[point(effort=[50.0])]))
        return abs(states[-1].position[0] - held) > 0.05

    ros.until(moved, 'the cart to move')
    assert 'subscribing to commands as JointTrajectory' in ros.processes[-1].output


def test_a_publisher_of_another_type_than_the_parameter_is_named_in_a_warning(ros):
    shared = ('command.scale:=[100.0]', 'command.si_confirmed:=true')
    process = ros.start(
        'sim_node', '-p', 'command.type:=geometry_msgs/msg/Twist', '-p', 'command.fields:=[linear.x]',
        *(word for one in shared for word in ('-p', one)),
    )  # fmt: skip
    ros.publisher(COMMAND_TYPES['JointState'], 'command', matched=False)
    words = "'test_peer' publishes sensor_msgs/msg/JointState on '/command', but 'command.type' is Twist"
    ros.until(lambda: words in process.output or process.exit_code is not None, words)
    assert process.exit_code is None
