"""policy_node among others: robots that die, come back, speak another DDS, share the network or turn back the clock."""

import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from policy_robot import MS, SPEC, Robot

from velora_ros.nodes.ros.conversions import to_clock

pytestmark = pytest.mark.ros

STAND_INS = Path(__file__).resolve().parents[2] / 'robots'


@pytest.fixture(scope='module')
def policy(make_policy_file, tmp_path_factory):
    path = tmp_path_factory.mktemp('policies') / 'policy.safetensors'
    make_policy_file(spec=SPEC).save(path)
    return path


@pytest.fixture
def robot(ros, policy):
    return Robot(ros, policy)


def driver(ros):
    return ros.start([sys.executable, STAND_INS / 'ros_robot.py'])


def test_a_killed_robot_is_a_fault_with_a_fallback_and_its_return_needs_somebody_to_arm(ros, policy):
    robot = Robot(ros, policy, 'watchdog_timeout_s:=2')
    process = driver(ros)
    ros.until(lambda: len(robot.commands) > 5, 'commands')
    process.signal(signal.SIGKILL)
    ros.until(lambda: robot.status[-1].level == b'\x02', 'the fault')
    assert 'no usable state for' in robot.status[-1].message
    ros.until(lambda: list(robot.commands[-1].data) == [0.0], 'the fallback')
    robot.commands.clear()
    driver(ros)
    ros.spin(1.0)
    assert not robot.commands
    robot.call('clear_fault')
    assert robot.call('arm', data=True).success
    ros.until(lambda: len(robot.commands) > 5, 'commands again')


def test_a_node_that_was_held_up_itself_takes_the_states_of_meanwhile_and_goes_on(ros, policy):
    robot = Robot(ros, policy, 'watchdog_timeout_s:=1')
    driver(ros)
    for _ in range(3):
        robot.commands.clear()
        ros.until(lambda: len(robot.commands) > 5, 'commands')
        robot.process.signal(signal.SIGSTOP)
        ros.spin(1.3)
        robot.process.signal(signal.SIGCONT)
    robot.commands.clear()
    ros.until(lambda: len(robot.commands) > 5, 'commands again')
    assert robot.status[-1].level == b'\x00', robot.status[-1].message


def test_two_robots_in_their_namespaces_do_not_hear_each_other(ros, policy):
    first, second = (Robot(ros, policy, namespace=f'/robot{number}') for number in (1, 2))
    first.until_it_answers()
    second.until_it_answers()
    second.commands.clear()
    first.call('reset_state')
    alone = first.command((0.5, 0.5, 0.5, 0.5))
    ros.spin(0.1)
    assert not second.commands
    first.call('reset_state')
    second.call('reset_state')
    first.commands.clear()
    second.publish((-0.5, -0.5, -0.5, -0.5))
    assert np.array_equal(first.command((0.5, 0.5, 0.5, 0.5)), alone)
    ros.until(lambda: second.commands, "the other robot's command")
    assert second.commands[-1].data[0] != alone[0]
    assert second.call('emergency_stop', data=True).success
    assert first.command() is not None


def test_a_repeated_stamp_is_no_new_state(robot):
    robot.until_it_answers()
    stamp = robot.now
    assert robot.command(stamp=stamp) is not None
    assert robot.no_command(stamp=stamp)
    robot.until_status('same stamp as the previous one')


def test_stamps_that_run_backwards_begin_anew(robot):
    robot.until_it_answers()
    robot.call('reset_state')
    start = robot.now
    first = robot.command(stamp=start)
    robot.command(stamp=start + 40 * MS)
    assert np.array_equal(robot.command(stamp=start - 100 * MS), first)
    assert int(robot.diagnostics()['reset.time_backwards']) == 1


def test_of_a_burst_after_a_gap_only_what_is_fresh_is_answered(ros, policy):
    robot = Robot(
        ros, policy, 'max_state_age_s:=1', 'max_gap_s:=1', 'qos_overrides./joint_states.subscription.depth:=20',
        'qos_overrides./joint_states.subscription.reliability:=reliable', depth=20,
    )  # fmt: skip
    robot.until_it_answers()
    robot.call('reset_state')
    first = robot.command(stamp=robot.now)
    ros.spin(2.4)
    robot.commands.clear()
    now = robot.now
    for age in range(4000, -1, -400):  # what a network buffer lets go at once [ms]
        robot.publish(stamp=now - age * MS)
    ros.until(lambda: robot.commands, 'a command')
    ros.spin(0.2)
    assert 1 <= len(robot.commands) <= 3, 'of the 11 states those at most 1 s old'
    assert robot.commands[0].data[0] == first[0], 'from a fresh hidden state'
    values = robot.diagnostics()
    assert int(values['superseded']) + int(values.get('rejected.stale', 0)) >= 8 and int(values['reset.gap']) == 1


@pytest.fixture(scope='module')
def simulated(ros_bench, policy):
    """A robot in simulated time, and the publisher of its clock."""
    with ros_bench() as ros:
        robot = Robot(ros, policy, 'use_sim_time:=true', 'max_state_age_s:=-1', depth=10)
        yield robot, ros.publisher('rosgraph_msgs/msg/Clock', '/clock', 10)


def test_states_ahead_of_a_slow_clock_are_answered_and_beyond_its_step_they_are_not(simulated):
    robot, clock = simulated
    ros = robot.ros

    def at(time):
        ros.deliver(clock, to_clock(time * MS))
        ros.settle('policy_node')

    def said():
        robot.publish(stamp=10_000 * MS)
        return 'nothing has arrived on /clock' in robot.status[-1].message

    ros.until(said, 'the reason why no state is answered')
    for time in range(10_000, 11_500, 500):
        at(time)
    robot.ready()
    for time in range(11_500, 14_500, 500):
        at(time)
        for later in range(50, 500, 90):  # up to 0.41 s ahead; max_state_age_s is 0.12 s
            assert robot.command(stamp=(time + later) * MS) is not None
    assert 'rejected.stale' not in robot.diagnostics()
    assert robot.no_command(stamp=(14_000 + 500 + 200) * MS), 'the clock stands still'
    robot.until_status('in the future: the clocks differ')


def test_simulated_time_that_starts_again_resets_the_hidden_state_and_goes_on(simulated):
    robot, clock = simulated
    ros = robot.ready().ros

    def command_at(time):
        robot.commands.clear()

        def answered():
            clock.publish(to_clock(time))
            ros.spin(0.05)
            robot.publish(stamp=time)
            ros.spin(0.05)
            return robot.commands

        ros.until(answered, f'a command at {time} ns')
        return robot.commands[-1].data[0]

    first = command_at(50_000 * MS)
    command_at(50_040 * MS)
    assert command_at(1_000 * MS) == first
    assert int(robot.diagnostics()['reset.time_backwards']) >= 1


def test_required_security_without_a_keystore_is_refused_in_one_sentence(ros, policy):
    process = ros.start(
        'policy_node', '-p', f'policy:={policy}', ROS_SECURITY_ENABLE='true', ROS_SECURITY_STRATEGY='Enforce'
    )
    assert process.wait() == 1
    assert 'ROS_SECURITY_ENABLE and its keystore' in process.output
    assert process.output.count('\n') == 1


def test_a_robot_that_speaks_another_vendor_s_dds_is_controlled(ros, policy):
    start = ros.start(
        'policy_node', '-p', f'policy:={policy}', '-p', 'autostart:=true', '-p', 'arm_on_activate:=true',
        '-p', 'engine:=numpy', '-p', 'watchdog_timeout_s:=0', '-p', 'max_state_age_s:=5',
    )  # fmt: skip
    robot = ros.start([sys.executable, STAND_INS / 'cyclone_robot.py', '25'])
    assert robot.wait() == 0, robot.output + start.output
    assert '25 commands' in robot.output
