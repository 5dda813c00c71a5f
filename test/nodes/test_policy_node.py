"""policy_node in a process of its own, over loopback: one running node shared by the tests of this file."""

import math

import numpy as np
import pytest

from velora_ros.nodes import policy_node
from velora_ros.nodes.conversions import to_joint_state
from velora_ros.nodes.interfaces import LATCHED, NEWEST, SERVICES, TOPICS
from velora_ros.nodes.policy_node_parameters import PARAMETERS
from velora_ros.policy import Policy
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros

T = 0.04
MS = 1_000_000
NAMES = ('slider/position', 'hinge/position', 'slider/velocity', 'hinge/velocity')
SPEC = PolicySpec(NAMES, ('m', 'rad', 'm/s', 'rad/s'), ('slider/effort',), ('N',), (-3.0,), (3.0,), T)
STATE = (0.1, -0.2, 0.3, -0.4)


class Robot:
    """A robot as policy_node sees it: joint states out, commands in, and the node's own topics."""

    def __init__(self, ros, policy_path):
        self.ros, self.path = ros, policy_path
        self.process = ros.start(
            'policy_node', '-p', f'policy:={policy_path}', '-p', 'autostart:=true', '-p', 'arm_on_activate:=true',
            '-p', 'engine:=numpy', '-p', 'watchdog_timeout_s:=0', '-p', 'max_gap_s:=0', '-p', 'max_state_age_s:=5',
        )  # fmt: skip
        self.status = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', 'policy_node/status', LATCHED.profile())
        self.commands = ros.subscribe('std_msgs/msg/Float64MultiArray', 'command')
        self._states = ros.publisher('sensor_msgs/msg/JointState', 'joint_states')
        self._stamp = 0
        self.until_it_answers()

    @property
    def now(self):
        return self.ros.node.get_clock().now().nanoseconds

    def publish(self, values=STATE, joints=('slider', 'hinge'), stamp=None):
        """Publish a joint state; stamps advance by one period, whatever the real time."""
        self._stamp = self.now if stamp is None else stamp
        position, velocity = np.split(np.asarray(values, dtype=float), 2)
        self._states.publish(to_joint_state(joints, position, velocity, np.empty(0), self._stamp))

    def command(self, *arguments, **keywords):
        """Publish a state and return the command that comes back."""
        self.commands.clear()
        self.publish(*arguments, **keywords)
        self.ros.until(lambda: self.commands, 'a command')
        return np.array(self.commands[-1].data)

    def until_it_answers(self):
        self.commands.clear()

        def answered():
            self.publish()
            self.ros.spin(0.02)
            return self.commands

        self.ros.until(answered, 'the first command')
        self.ros.spin(0.1)

    def until_status(self, text):
        return self.ros.until(
            lambda: next((s for s in self.status[-1:] if text in s.message), None), f'status {text!r}'
        )

    def call(self, service, **fields):
        kind = 'std_srvs/srv/SetBool' if fields else 'std_srvs/srv/Trigger'
        return self.ros.call(kind, f'policy_node/{service}', **fields)

    def no_command(self, *arguments, **keywords):
        """Publish a state that must not be answered."""
        self.commands.clear()
        self.publish(*arguments, **keywords)
        self.ros.spin(0.15)
        return not self.commands


@pytest.fixture(scope='module')
def running(ros_bench, make_policy_file, tmp_path_factory):
    path = tmp_path_factory.mktemp('policies') / 'policy.safetensors'
    make_policy_file(spec=SPEC).save(path)
    with ros_bench() as ros:
        yield Robot(ros, path)


@pytest.fixture
def robot(running):
    """The running robot, armed, without a fault, its hidden state fresh."""
    running.call('clear_fault')
    running.call('arm', data=True)
    running.call('reset_state')
    return running


def test_the_running_node_offers_exactly_what_the_table_says(robot):
    node, own = robot.ros.node, ('policy_node', '/')
    absolute = {row: row.name.replace('~', '/policy_node') if row.name[0] in '~/' else f'/{row.name}' for row in TOPICS}
    for direction, graph in (
        ('in', node.get_subscriber_names_and_types_by_node(*own)),
        ('out', node.get_publisher_names_and_types_by_node(*own)),
    ):
        rows = [row for row in TOPICS if (row.node, row.direction) == ('policy_node', direction)]
        expected = {(absolute[row], row.type) for row in rows if row.name != 'observation'}
        offered = {(name, types[0]) for name, types in graph if 'transition_event' not in name}
        assert {row for row in offered if row[0] not in ('/rosout', '/parameter_events')} == expected
    services = {(f'/policy_node/{row.name[2:]}', row.type) for row in SERVICES if row.node == 'policy_node'}
    own_kinds = ('rcl_interfaces', 'lifecycle_msgs', 'type_description')
    graph = node.get_service_names_and_types_by_node(*own)
    assert {(name, types[0]) for name, types in graph if not types[0].startswith(own_kinds)} == services


def test_the_docstring_names_every_topic_service_and_parameter():
    rows = [*TOPICS, *SERVICES]
    for name in [row.name for row in rows if row.node == 'policy_node'] + [row.name for row in PARAMETERS]:
        assert name in policy_node.__doc__


def test_commands_are_the_policy_s_with_the_hidden_state_kept_and_time_measured(robot):
    policy = Policy.load(robot.path, engine='numpy')
    start = robot.now
    for tick, (after, elapsed) in enumerate([(0, None), (40, 0.04), (90, 0.05), (130, 0.04), (150, 0.02)]):
        values = np.array(STATE) * (tick + 1)
        command = robot.command(values, stamp=start + after * MS)
        assert command == pytest.approx(policy.step(values, elapsed), abs=1e-9)


def test_the_same_state_after_another_history_gives_another_command(robot):
    first = robot.command()
    later = robot.command()
    robot.call('reset_state')
    again = robot.command()
    assert not np.allclose(first, later)
    assert np.array_equal(first, again)


def test_the_reset_topic_forgets_the_history_and_leaves_the_robot_armed(robot):
    first = robot.command()
    robot.command()
    publisher = robot.ros.publisher('std_msgs/msg/Empty', 'reset')
    publisher.publish(publisher.msg_type())
    robot.ros.spin(0.1)
    assert np.array_equal(robot.command(), first)


def test_joints_are_found_by_name_in_any_order_and_in_parts(robot):
    first = robot.command()
    robot.call('reset_state')
    assert np.array_equal(robot.command((-0.2, 0.1, -0.4, 0.3), joints=('hinge', 'slider')), first)
    robot.call('reset_state')
    assert robot.no_command((0.1, 0.3), joints=('slider',))
    assert "never had 'hinge/position', 'hinge/velocity'" in robot.until_status('never had').message
    assert robot.no_command((-0.2, -0.4), joints=('hinge',)), 'only the first signal triggers'
    assert np.array_equal(robot.command((0.1, 0.3), joints=('slider',)), first)
    assert robot.no_command((1.0, 2.0), joints=('gripper',))


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_a_bad_number_yields_no_command_and_its_name_in_the_status(robot, bad):
    robot.command()
    assert robot.no_command((0.1, bad, 0.3, -0.4))
    status = robot.until_status('not finite')
    assert f"'hinge/position' is {bad}" in status.message
    assert status.level == b'\x01'
    robot.command()
    robot.ros.until(lambda: robot.status[-1].message == 'armed', 'the end of the warning')
    assert robot.status[-1].level == b'\x00'


def test_old_states_and_stamps_of_another_clock_yield_no_command(robot):
    assert robot.no_command(stamp=robot.now - 6000 * MS)
    robot.until_status('above max_state_age_s (5 s)')
    robot.command()
    assert robot.no_command(stamp=robot.now - 3_600_000 * MS)
    robot.until_status('clocks differ')
    robot.command()
    assert robot.no_command(stamp=robot.now + 3_600_000 * MS)
    robot.until_status('clocks differ')
    assert robot.command(stamp=0) is not None, 'no stamp means the time of receipt'


def test_disarmed_nothing_is_commanded_but_the_hidden_state_goes_on(robot):
    start = robot.now
    commands = [robot.command(stamp=start + tick * 40 * MS) for tick in range(3)]
    robot.call('reset_state')
    start = robot.now
    robot.commands.clear()
    assert robot.call('arm', data=False).message == 'disarmed'
    robot.ros.until(lambda: robot.commands, 'the fallback')
    assert list(robot.commands[-1].data) == [0.0], 'disarming sends the fallback of an effort'
    assert robot.no_command(stamp=start)
    assert robot.no_command(stamp=start + 40 * MS)
    assert robot.call('arm', data=True).message == 'armed'
    assert robot.command(stamp=start + 80 * MS) == pytest.approx(commands[2], abs=1e-9)


@pytest.mark.parametrize('by_topic', [True, False])
def test_an_emergency_stop_sends_the_fallback_and_stays_until_it_is_cleared(robot, by_topic):
    assert robot.command()[0] != 0.0
    robot.commands.clear()
    if by_topic:
        publisher = robot.ros.publisher('std_msgs/msg/Bool', 'emergency_stop', 10)
        publisher.publish(publisher.msg_type(data=True))
        publisher.publish(publisher.msg_type(data=False))
    else:
        assert robot.call('emergency_stop', data=True).success
        assert not robot.call('emergency_stop', data=False).success
    robot.ros.until(lambda: robot.commands, 'the fallback')
    assert list(robot.commands[-1].data) == [0.0]
    assert robot.until_status('emergency stop').level == b'\x02'
    assert robot.no_command()
    refusal = robot.call('arm', data=True)
    assert not refusal.success and 'clear_fault' in refusal.message
    assert robot.call('clear_fault').message == 'disarmed'
    assert robot.no_command()


def test_parameters_change_while_it_runs_and_wrong_ones_say_why(robot):
    set_parameters = robot.ros.set_parameters
    assert set_parameters('policy_node', max_state_age_s=3600)[0].successful
    assert robot.command(stamp=robot.now - 60_000 * MS) is not None
    refusals = {
        'max_state_age_s': (-0.5, "'max_state_age_s' is -0.5 s; give a time, 0"),
        'fallback': ('zreo', "Did you mean 'zero'?"),
        'autostart': (False, 'it only matters at the start'),
        'policy': ('other.safetensors', 'read when the node is configured'),
        'watchdog_timeout': (1.0, "Did you mean 'watchdog_timeout_s'?"),
        'command__type': ('JointState', 'Valid: Float64MultiArray.'),
    }
    for name, (value, reason) in refusals.items():
        result = set_parameters('policy_node', **{name: value})[0]
        assert not result.successful
        assert reason in result.reason
    pose_without_values = set_parameters('policy_node', fallback='pose', max_state_age_s=1, atomically=True)[0]
    assert "'fallback_pose' has 0 values" in pose_without_values.reason
    assert robot.command(stamp=robot.now - 120_000 * MS) is not None, 'nothing of a refused unit was applied'
    assert set_parameters('policy_node', fallback='pose', fallback_pose=[2], atomically=True)[0].successful
    robot.commands.clear()
    robot.call('arm', data=False)
    robot.ros.until(lambda: robot.commands, 'the fallback')
    assert list(robot.commands[-1].data) == [2.0]
    assert set_parameters('policy_node', fallback='auto', max_state_age_s=5)[1].successful


def test_debug_topics_show_what_the_policy_saw_while_somebody_listens(robot):
    topics = {
        name: robot.ros.subscribe('std_msgs/msg/Float64MultiArray', f'policy_node/debug/{name}', NEWEST.profile())
        for name in ('observation', 'hidden', 'raw_action')
    }

    def all_came():
        robot.command()
        return all(topics.values())

    robot.ros.until(all_came, 'debug messages')
    assert list(topics['observation'][-1].data) == pytest.approx(STATE)
    assert len(topics['hidden'][-1].data) == 8
    assert len(topics['raw_action'][-1].data) == 1


def test_diagnostics_tell_rate_latency_counters_and_policy(robot):
    arrays = robot.ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')

    def with_a_rate():
        robot.command()
        values = {pair.key: pair.value for pair in arrays[-1].status[0].values} if arrays else {}
        return values if float(values.get('rate_hz', 0)) > 0 else None

    values = robot.ros.until(with_a_rate, 'diagnostics')
    assert float(values['latency_p50_us']) <= float(values['latency_p99_us']) <= float(values['latency_max_us'])
    assert int(values['commands']) <= int(values['observations'])
    assert int(values['reset.request']) > 0
    assert values['digest'] == Policy.load(robot.path, engine='numpy').digest
    assert values['state'] == 'armed'


def test_a_second_publisher_of_commands_is_a_warning(robot):
    arrays = robot.ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')
    rival = robot.ros.publisher('std_msgs/msg/Float64MultiArray', 'command')
    message = robot.ros.until(
        lambda: next((s.message for a in arrays for s in a.status if '2 publishers' in s.message), None), 'the warning'
    )
    assert "'/command' has 2 publishers" in message
    robot.ros.node.destroy_publisher(rival)


def test_an_incompatible_peer_is_reported(robot):
    robot.ros.publisher('std_msgs/msg/Empty', 'reset', NEWEST.profile(), matched=False)
    robot.ros.until(lambda: "a publisher of '/reset' has an incompatible reliability" in robot.process.output)
    assert 'set qos_overrides./reset.subscription.reliability' in robot.process.output


def test_reloading_takes_a_new_policy_and_keeps_the_old_one_when_the_file_is_bad(robot, make_policy_file):
    before = robot.command()
    good = robot.path.read_bytes()
    robot.path.write_bytes(good[:-50])
    refusal = robot.call('reload_policy')
    assert not refusal.success and 'The old policy stays.' in refusal.message
    make_policy_file(n_actions=2, spec=two_actions()).save(robot.path)
    assert 'action_names is' in robot.call('reload_policy').message
    robot.call('reset_state')
    assert np.array_equal(robot.command(), before)
    make_policy_file(seed=7, spec=SPEC).save(robot.path)
    assert robot.call('reload_policy').success
    expected = Policy.load(robot.path, engine='numpy').step(np.array(STATE), None)
    assert robot.command() == pytest.approx(expected, abs=1e-9)
    robot.path.write_bytes(good)
    robot.call('reload_policy')


def two_actions():
    names = ('slider/effort', 'motor/effort')
    return PolicySpec(NAMES, ('',) * 4, names, ('N', 'N'), (-3.0, -3.0), (3.0, 3.0), T)
