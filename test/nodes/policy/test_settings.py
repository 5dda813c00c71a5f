"""policy_node while it runs: parameters changed, the policy reloaded, and what it tells about itself and its peers."""

import numpy as np
import pytest
import rclpy
from policy_robot import MS, NAMES, SPEC, STATE, T

from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.nodes.ros.topics_services_qos import NEWEST
from velora_ros.policy import Policy
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros


def test_parameters_change_while_it_runs_and_wrong_ones_say_why(robot):
    set_parameters = robot.ros.set_parameters
    assert set_parameters('policy_node', max_state_age_s=3600)[0].successful
    assert robot.command(stamp=robot.now - 60_000 * MS) is not None
    refusals = {
        'max_state_age_s': (-0.5, "'max_state_age_s' is -0.5 s; give a time above 0"),
        'fallback': ('zreo', "Did you mean 'zero'?"),
        'autostart': (False, 'it has an effect only at the start'),
        'policy': ('/other.safetensors', "'/other.safetensors' is not in any of the folders"),
        'watchdog_timeout': (1.0, "Did you mean 'watchdog_timeout_s'?"),
        'command__type': ('JointSate', "Did you mean 'JointState'?"),
        'command__interface': ('effort', 'read when the node is configured'),
        'max_tilt': (0.5, "'max_tilt' is 0.5, but it would never stop the robot, because the policy has no contract"),
        'rate_hz': (2.0, "'rate_hz' is 2 Hz, one command every 0.5 s, but 'watchdog_timeout_s' is 0.4 s"),
        'observation__joints__max_age_s': (-0.5, "'observation.joints.max_age_s' is -0.5 s; give a time above 0"),
    }
    assert set_parameters('policy_node', watchdog_timeout_s=-1.0)[0].successful
    for name, (value, reason) in refusals.items():
        result = set_parameters('policy_node', **{name: value})[0]
        assert not result.successful
        assert reason in result.reason
    for never in (1e10, 0.0):
        assert set_parameters('policy_node', watchdog_timeout_s=never)[0].successful
    pose_without_values = set_parameters('policy_node', fallback='pose', max_state_age_s=1, atomically=True)[0]
    assert "'fallback_pose' has 0 values" in pose_without_values.reason
    robot.ready()  # on a busy machine the watchdog of 0.4 s may have struck meanwhile
    assert robot.command(stamp=robot.now - 120_000 * MS) is not None, 'nothing of a refused unit was applied'
    assert set_parameters('policy_node', fallback='pose', fallback_pose=[2], atomically=True)[0].successful
    robot.commands.clear()
    robot.call('arm', data=False)
    robot.ros.until(lambda: robot.commands, 'the fallback')
    assert list(robot.commands[-1].data) == [2.0]
    assert set_parameters('policy_node', fallback='auto', max_state_age_s=5)[1].successful


def test_a_slew_rate_that_changes_most_commands_is_a_warning_with_the_command_and_by_how_much(robot):
    words = 'most often slider/effort, by up to '
    diagnostics = robot.ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics', 50)

    def newest():
        own = [status for array in diagnostics for status in array.status if status.name.startswith('policy_node:')]
        return own[-1] if own else None

    def commanded(until):
        def met():
            robot.command(np.random.default_rng(len(diagnostics)).normal(0, 3, 4))
            return (status := newest()) is not None and until(status)

        return met

    assert robot.ros.set_parameters('policy_node', slew_rate=[0.001])[0].successful
    robot.ros.until(commanded(lambda status: words in status.message), 'the warning')
    assert newest().level == b'\x01' and newest().message.endswith('N (slew_rate)')
    assert robot.ros.set_parameters('policy_node', slew_rate=[0.0])[0].successful
    robot.ros.until(commanded(lambda status: words not in status.message), 'the end of the warning')
    assert robot.process.output.count('[policy_node]: limits change') == 1


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
    assert [(status.name, status.hardware_id) for status in arrays[-1].status] == [
        ('policy_node: control', 'InvertedPendulum-v5')
    ]


def test_diagnostics_come_once_a_second(robot):
    arrays = robot.ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')
    robot.ros.until(lambda: len(arrays) >= 6, 'diagnostics')
    periods = np.diff([to_nanoseconds(array.header.stamp) for array in arrays]) / 1e9
    assert 0.8 < np.mean(periods) < 1.2, 'each of its steps has a timer call of its own'


def test_a_second_publisher_of_commands_is_a_warning(robot):
    arrays = robot.ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')
    rival = robot.ros.publisher('std_msgs/msg/Float64MultiArray', 'command')
    message = robot.ros.until(
        lambda: next((s.message for a in arrays for s in a.status if '2 publishers' in s.message), None), 'the warning'
    )
    assert "'/command' has 2 publishers" in message
    robot.ros.node.destroy_publisher(rival)


def test_a_left_over_driver_with_other_states_is_a_warning(robot):
    arrays = robot.ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')
    driver = robot._states
    left_over = robot.ros.publisher('sensor_msgs/msg/JointState', 'joint_states')

    def told():
        for publisher, values in ((driver, STATE), (left_over, (1.0, 1.0, 0.0, 0.0))):
            robot._states = publisher
            robot.publish(values)
            robot.ros.spin(0.01)
        return next((s.message for a in arrays for s in a.status if 'contradict each other' in s.message), None)

    message = robot.ros.until(told, 'the warning')
    assert "'/joint_states' has publishers that contradict each other about 'slider/position' (" in message
    assert '/test_peer and /test_peer' in message
    assert 'contradict each other' in robot.until_status('contradict').message
    robot._states = driver
    robot.ros.node.destroy_publisher(left_over)


def test_a_second_node_of_its_name_is_a_warning(robot):
    arrays = robot.ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')
    twin = rclpy.create_node('policy_node', context=robot.ros.node.context, use_global_arguments=False)
    status = robot.ros.until(
        lambda: next((s for a in arrays for s in a.status if '2 nodes are called' in s.message), None), 'the warning'
    )
    assert '2 nodes are called /policy_node' in status.message
    assert status.level == b'\x01'
    assert robot.process.exit_code is None
    twin.destroy_node()


def test_an_incompatible_peer_is_reported(robot):
    peer = robot.ros.publisher('std_msgs/msg/Empty', 'reset', NEWEST.profile(), matched=False)
    robot.ros.until(lambda: "a publisher of '/reset' has an incompatible reliability" in robot.process.output)
    assert 'set qos_overrides./reset.subscription.reliability' in robot.process.output
    robot.until_status("a publisher of '/reset' has an incompatible reliability")
    robot.ros.node.destroy_publisher(peer)
    robot.ros.until(lambda: 'incompatible' not in robot.status[-1].message, 'the end of the warning')


def test_reloading_takes_a_new_policy_and_keeps_the_old_one_when_the_file_is_bad(robot, make_policy_file):
    before = robot.command()
    good = robot.path.read_bytes()
    robot.path.write_bytes(good[:-50])
    refusal = robot.call('reload_policy')
    assert not refusal.success and 'The old policy stays in use.' in refusal.message
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
