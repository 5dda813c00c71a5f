"""Checks of the other ends of policy_node's topics, with real endpoints on another node."""

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from ros_bench import own_domain

from velora_ros.control.contradicting_publishers import Contradictions
from velora_ros.nodes.policy.connection_checks import (
    ConnectionChecks,
    Endpoint,
    SourceConnection,
    commands_not_received,
    commands_partly_received,
    contradiction_warning,
    similar,
    source_not_received,
)
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.message_types import interface_class

pytestmark = pytest.mark.ros

VECTOR, STATES = 'std_msgs/msg/Float64MultiArray', 'sensor_msgs/msg/JointState'
TWIST, STAMPED = 'geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped'
BEST_EFFORT = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)


class Bench:
    """policy_node's ends of its topics, and another robot's; both are checked until they have discovered each other."""

    def __init__(self, contexts):
        # Of their own contexts: one participant of Fast DDS cannot have two types on a topic.
        self.own, self.robot = (
            Node(name, namespace=space, context=context, enable_rosout=False, use_global_arguments=False)
            for context, (name, space) in zip(contexts, (('policy_node', ''), ('driver', '/left')), strict=True)
        )
        self._made = []

    def ours(self, command=VECTOR, topic='command', states='joint_states', kind=STATES):
        publisher = self.own.create_publisher(interface_class(command), topic, 1)
        subscription = self.own.create_subscription(interface_class(kind), states, lambda message: None, BEST_EFFORT)
        source = SourceConnection('joints', states, kind, subscription, Contradictions(['hinge/position']))
        peers = ConnectionChecks(self.own, publisher, command, known=COMMAND_TYPES, sources=[source])
        self._made += [(self.own, publisher), (self.own, subscription)]
        return peers, source

    def takes(self, kind, topic, qos=1, node=None):
        node = node or self.robot
        self._made.append((node, node.create_subscription(interface_class(kind), topic, print, qos)))

    def publishes(self, kind, topic, qos=1):
        self._made.append((self.robot, self.robot.create_publisher(interface_class(kind), topic, qos)))

    def see(self, count, topic):
        """Wait until so many ends of a topic, and the names of their nodes, are discovered."""

        def names():
            subscribers, publishers = self.own.get_subscriptions_info_by_topic, self.own.get_publishers_info_by_topic
            return [end.node_name for end in (*subscribers(topic), *publishers(topic))]

        while len(found := names()) < count or '_NODE_NAME_UNKNOWN_' in found:
            pass

    def clear(self):
        topics = {made.topic_name for _, made in self._made}
        for node, made in self._made:
            destroy = 'destroy_publisher' if hasattr(made, 'publish') else 'destroy_subscription'
            getattr(node, destroy)(made)
        self._made.clear()
        while any(self.own.count_subscribers(topic) + self.own.count_publishers(topic) for topic in topics):
            pass  # what one test made must not be seen by the next


@pytest.fixture(scope='module')
def running():
    contexts = Context(), Context()
    with own_domain() as domain:
        for context in contexts:
            rclpy.init(args=[], context=context, domain_id=domain)
        bench = Bench(contexts)
        yield bench
        bench.clear()
        bench.own.destroy_node()
        bench.robot.destroy_node()
        for context in contexts:
            rclpy.try_shutdown(context=context)


@pytest.fixture
def bench(running):
    yield running
    running.clear()


def checked(peers, **state):
    """The problems of the second check; at the first one a node may not be discovered yet."""
    state = {'armed': True, 'waiting': True} | state
    assert peers.check(**state) == []
    return peers.check(**state)


@pytest.mark.parametrize(
    ('ours', 'theirs', 'short'),
    [(TWIST, STAMPED, 'TwistStamped'), (VECTOR, 'trajectory_msgs/msg/JointTrajectory', 'JointTrajectory')],
)
def test_a_command_type_that_no_subscriber_expects_is_reported_with_the_type_to_set(bench, ours, theirs, short):
    peers, _ = bench.ours(ours, 'cmd')
    bench.takes(theirs, '/cmd')
    bench.publishes(STATES, '/joint_states')
    bench.see(2, '/cmd')
    [text] = checked(peers)
    assert text == (
        f"no node receives the commands on '/cmd': /left/driver takes {theirs}, but this node sends {ours}; "
        f"set 'command.type' to {short}"
    )


@pytest.mark.parametrize('theirs', ['/left/command', '/forward_effort_controller/commands'])
def test_a_command_on_another_topic_than_the_robot_s_is_reported_with_the_remap(bench, theirs):
    peers, _ = bench.ours(topic='/command')
    bench.takes(VECTOR, theirs)
    bench.publishes(STATES, '/joint_states')
    bench.see(1, theirs)
    bench.see(2, '/joint_states')
    [text] = checked(peers)
    assert f"on '{theirs}' /left/driver takes {VECTOR}; if that is this robot, remap command:={theirs}" in text
    assert "set 'command.type'" not in text


def test_a_similar_topic_of_another_type_needs_both(bench):
    peers, _ = bench.ours(TWIST, '/cmd_vel')
    bench.takes(STAMPED, '/left/cmd_vel')
    bench.publishes(STATES, '/joint_states')
    bench.see(1, '/left/cmd_vel')
    bench.see(2, '/joint_states')
    [text] = checked(peers)
    assert (
        f"on '/left/cmd_vel' /left/driver takes {STAMPED}; if that is this robot, remap command:=/left/cmd_vel and "
        "set 'command.type'" in text
    )


def test_a_missing_subscriber_is_reported_only_while_armed(bench):
    peers, _ = bench.ours()
    bench.publishes(STATES, '/joint_states')
    bench.see(2, '/joint_states')
    assert checked(peers, armed=False) == []
    assert checked(peers, waiting=True) == [], 'nothing is commanded yet'
    [text] = peers.check(armed=True, waiting=False)
    assert (
        "no node receives the commands on '/command' (std_msgs/msg/Float64MultiArray): there is no subscriber" in text
    )


def test_a_subscriber_with_an_incompatible_quality_of_service_is_reported(bench):
    peers, _ = bench.ours()
    bench.takes(VECTOR, '/command', QoSProfile(depth=1, durability=rclpy.qos.QoSDurabilityPolicy.TRANSIENT_LOCAL))
    bench.publishes(STATES, '/joint_states')
    bench.see(2, '/command')
    [text] = checked(peers)
    assert '/left/driver subscribes to it with an incompatible quality of service (' in text
    assert '(volatile publisher and transient local subscription)' in text
    assert 'set qos_overrides./command.publisher' in text


def test_a_recorder_that_receives_commands_does_not_hide_the_robot_that_does_not(bench):
    peers, _ = bench.ours(TWIST, '/cmd_vel')
    bench.takes(TWIST, '/cmd_vel', node=bench.own)
    bench.takes(STAMPED, '/cmd_vel')
    bench.publishes(STATES, '/joint_states')
    bench.see(3, '/cmd_vel')
    [text] = checked(peers)
    assert text.startswith(
        "some subscribers of '/cmd_vel' receive nothing: /left/driver takes geometry_msgs/msg/TwistS"
    )


def test_a_command_that_is_received_is_not_reported(bench):
    peers, _ = bench.ours()
    bench.takes(VECTOR, '/command')
    bench.publishes(STATES, '/joint_states')
    bench.see(2, '/command')
    bench.see(2, '/joint_states')
    assert checked(peers) == peers.check(armed=True, waiting=False) == []


@pytest.mark.parametrize('theirs', ['/left/joint_states', '/robot_state'])
def test_joint_states_on_another_topic_are_reported_when_none_come(bench, theirs):
    peers, _ = bench.ours()
    bench.takes(VECTOR, '/command')
    bench.publishes(STATES, theirs)
    bench.see(2, '/command')
    bench.see(1, theirs)
    [text] = checked(peers)
    assert text == (
        f"no node publishes '/joint_states' ({STATES}), but on '{theirs}' /left/driver publishes {STATES}; "
        f"if that is this robot, set 'observation.joints.topic' to '{theirs}', or remap the topic"
    )


def test_while_no_state_comes_the_publishers_are_named(bench):
    peers, _ = bench.ours()
    bench.takes(VECTOR, '/command')
    bench.see(2, '/command')
    assert checked(peers) == []
    assert peers.remark == 'no node publishes it'
    bench.publishes(STATES, '/joint_states')
    bench.see(2, '/joint_states')
    assert peers.check(armed=True, waiting=True) == []
    assert peers.remark == 'nothing has arrived yet from /left/driver'
    peers.check(armed=True, waiting=False)
    assert peers.remark == ''


def test_a_source_of_another_type_is_reported(bench):
    peers, _ = bench.ours()
    bench.takes(VECTOR, '/command')
    bench.publishes(VECTOR, '/joint_states')
    bench.see(2, '/joint_states')
    bench.see(2, '/command')
    [text] = checked(peers)
    assert (
        f"nothing is read from '/joint_states': /left/driver publishes {VECTOR} there, but this node reads {STATES}"
        in text
    )


def test_publishers_that_contradict_each_other_are_named(bench):
    peers, source = bench.ours()
    bench.takes(VECTOR, '/command')
    for _ in range(2):
        bench.publishes(STATES, '/joint_states')
    bench.see(3, '/joint_states')
    bench.see(2, '/command')
    while source.subscription.get_publisher_count() < 2:
        pass

    def check():
        for turn in range(20):
            source.contradictions.note([0], [0.3 * (turn % 2)])
        return peers.check(armed=True, waiting=False)

    assert check() == []
    assert source.contradictions.on
    [text] = check()
    assert "'/joint_states' has publishers that contradict each other about 'hinge/position' (0" in text
    assert '/left/driver and /left/driver' in text
    assert check() == [text], 'the same warning each second'
    results = [peers.check(armed=True, waiting=False) for _ in range(7)]
    assert results == [[text]] * 5 + [[]] * 2


def test_the_same_name_elsewhere_comes_before_similar_ones():
    topics = ['/commands', '/left/command', '/cmd', '/odom']
    assert similar('/command', topics)[0] == '/left/command'
    assert '/odom' not in similar('/command', topics)


def test_every_sentence_is_one_line_and_names_topic_and_node():
    end = Endpoint('/driver', TWIST)
    for text in (
        commands_not_received('/a', VECTOR, [end], {}, COMMAND_TYPES),
        commands_not_received('/a', VECTOR, [], {'/b': [end]}, COMMAND_TYPES),
        commands_partly_received('/a', VECTOR, [end]),
        source_not_received('imu', '/a', STATES, [end], {}),
        source_not_received('imu', '/a', STATES, [], {'/b': [end]}),
        contradiction_warning('/a', ['/driver', '/old'], 'hinge/position', 0.0, 1.0),
    ):
        assert '/a' in text and '/driver' in text and '\n' not in text
    assert source_not_received('imu', '/a', STATES, [], {}) == ''
