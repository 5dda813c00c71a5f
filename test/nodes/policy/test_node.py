"""policy_node in a separate process, over loopback: states in, commands out; one running node for all of it."""

import math
import re

import numpy as np
import pytest
from policy_robot import MS, STATE
from rclpy.parameter import Parameter as RosParameter
from ros_bench import SOURCE

from velora_ros.nodes.policy import node as policy_node
from velora_ros.nodes.policy.parameters import PARAMETERS
from velora_ros.nodes.ros.topics_services_qos import SERVICES, TOPICS
from velora_ros.policy import Policy

pytestmark = pytest.mark.ros

# Topics of policies of other robots.
ELSEWHERE = ('observation', 'policy_update', 'tf', 'tf_static')


def test_the_running_node_offers_exactly_what_the_table_says(robot):
    node, own = robot.ros.node, ('policy_node', '/')
    absolute = {row: row.name.replace('~', '/policy_node') if row.name[0] in '~/' else f'/{row.name}' for row in TOPICS}
    for direction, graph in (
        ('in', node.get_subscriber_names_and_types_by_node(*own)),
        ('out', node.get_publisher_names_and_types_by_node(*own)),
    ):
        rows = [row for row in TOPICS if (row.node, row.direction) == ('policy_node', direction)]
        expected = {(absolute[row], row.type) for row in rows if row.name not in ELSEWHERE}
        offered = {(name, types[0]) for name, types in graph if 'transition_event' not in name}
        assert {row for row in offered if row[0] not in ('/rosout', '/parameter_events')} == expected
    services = {(f'/policy_node/{row.name[2:]}', row.type) for row in SERVICES if row.node == 'policy_node'}
    own_kinds = ('rcl_interfaces', 'lifecycle_msgs', 'type_description')
    graph = node.get_service_names_and_types_by_node(*own)
    assert {(name, types[0]) for name, types in graph if not types[0].startswith(own_kinds)} == services


def documented_parameters():
    """Rows of docs/parameters.md by name, those of a source for each source that is always there."""
    page = (SOURCE / 'docs' / 'parameters.md').read_text(encoding='utf-8')
    lines = page.partition('## policy_node\n')[2].partition('\n## ')[0].splitlines()
    rows = [
        [cell.strip(' `') for cell in re.split(r'(?<!\\)\|', line)[1:-1]] for line in lines if line.startswith('| `')
    ]
    return {row[0].replace('<source>', source): row[1:] for row in rows for source in ('joints', 'vector')}


def test_the_documented_parameters_are_those_of_the_running_node(robot):
    documented = documented_parameters()
    listed = robot.ros.call('rcl_interfaces/srv/ListParameters', 'policy_node/list_parameters').result.names
    assert set(documented) == {name for name in listed if not name.startswith(('use_sim', 'start_type', 'qos_over'))}
    kind, service = 'rcl_interfaces/srv/DescribeParameters', 'policy_node/describe_parameters'
    for found in robot.ros.call(kind, service, names=list(documented)).descriptors:
        type_, _, unit, valid, meaning = documented[found.name]
        assert RosParameter.Type(found.type).name == type_.upper().replace(' ', '_')
        said = found.description.removesuffix(f' [{unit}]') if unit else found.description
        assert meaning.replace('\\', '').partition(' Read only: ')[0] == said
        assert found.read_only == ('Read only: ' in meaning)
        assert all(choice in found.additional_constraints for choice in re.findall('`([a-z]+)`', valid))
        assert bool(found.floating_point_range) == (type_ == 'double' and bool(valid))
    defaults = robot.ros.call(
        'rcl_interfaces/srv/GetParameters', 'policy_node/get_parameters', names=['ramp_s', 'fallback']
    )
    assert [defaults.values[0].double_value, defaults.values[1].string_value] == [
        float(documented['ramp_s'][1]), documented['fallback'][1]
    ]  # fmt: skip


@pytest.mark.parametrize('data', [b'\0\1\0\0' + b'\xff' * 40, b'\0\1\0\0\0'])
def test_bytes_that_are_not_a_joint_state_yield_no_command(robot, data):
    robot.command()
    robot.commands.clear()
    robot.status.clear()
    robot.publish_bytes(data)
    robot.ros.until(lambda: any('cannot be read' in status.message for status in robot.status), 'the reason')
    assert not robot.commands
    assert len(robot.command()) == 1


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
    robot.ros.deliver(publisher, publisher.msg_type())
    assert np.array_equal(robot.command(), first)


def test_joints_are_found_by_name_in_any_order_and_in_parts(robot):
    first = robot.command()
    robot.call('reset_state')
    assert np.array_equal(robot.command((-0.2, 0.1, -0.4, 0.3), joints=('hinge', 'slider')), first)
    robot.call('reset_state')
    assert robot.no_command((0.1, 0.3), joints=('slider',))
    assert robot.no_command((0.1, 0.3), joints=('slider',)), 'the rest of its state did not arrive'
    assert "never contained 'hinge/position', 'hinge/velocity'" in robot.until_status('never contained').message
    assert np.array_equal(robot.command((-0.2, -0.4), joints=('hinge',)), first), 'the last part of a state triggers'
    assert robot.no_command((-0.2, -0.4), joints=('hinge',))
    assert robot.command((0.1, 0.3), joints=('slider',)) is not None
    assert robot.no_command((1.0, 2.0), joints=('gripper',))


@pytest.mark.parametrize('parts', [(('slider',), ('hinge',)), (('hinge',), ('slider',))])
def test_states_in_parts_get_one_command_each(robot, parts):
    values = {('slider',): (0.1, 0.3), ('hinge',): (-0.2, -0.4)}
    robot.command()
    lost = [(name, count) for name, count in robot.diagnostics().items() if name.startswith('lost.')]
    start = robot.now
    for state in range(1, 21):
        robot.commands.clear()
        for place, joints in enumerate(parts):  # at once, each with a stamp of its own
            robot.publish(values[joints], joints=joints, stamp=start + state * 40 * MS + place * MS // 20)
        robot.ros.until(lambda: robot.commands, 'a command')
    robot.ros.spin(0.1)
    assert len(robot.commands) == 1
    assert [(name, count) for name, count in robot.diagnostics().items() if name.startswith('lost.')] == lost


def test_parts_that_are_lost_are_counted_by_name(robot):
    robot.command()
    names = ('lost.hinge/position', 'lost.hinge/velocity')
    before = [int(robot.diagnostics().get(name, 0)) for name in names]
    start = robot.now
    for state in range(1, 17):
        robot.publish((0.1, 0.3), joints=('slider',), stamp=start + state * 40 * MS)
        if state % 8:  # more losses, and the node takes the hinge for a slow part
            robot.commands.clear()
            robot.publish((-0.2, -0.4), joints=('hinge',), stamp=start + state * 40 * MS)
            robot.ros.until(lambda: robot.commands, 'a command')
    robot.publish((0.1, 0.3), joints=('slider',), stamp=start + 17 * 40 * MS)
    sentence = "a state remained incomplete: 'hinge/position', 'hinge/velocity' did not arrive"
    robot.until_status(sentence)
    values = robot.diagnostics()
    assert [int(values[name]) for name in names] == [count + 2 for count in before]
    robot.command()


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


def test_an_emergency_stop_after_another_fault_is_reported_at_once(robot):
    robot.ros.set_parameters('policy_node', watchdog_timeout_s=0.1)
    robot.command()
    robot.until_status('no usable state for')
    before = robot.process.output.count('fault: emergency stop')
    assert robot.call('emergency_stop', data=True).success
    robot.until_status('fault: emergency stop')
    # Diagnostics, which would tell the status too, come once a second, and log nothing.
    robot.ros.until(lambda: robot.process.output.count('fault: emergency stop') == before + 1, 'the line of the log')
    assert robot.ros.set_parameters('policy_node', watchdog_timeout_s=0.0)[0].successful


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
