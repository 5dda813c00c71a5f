"""The whole run: simulated robot and policy as two processes over real DDS, started by the runner."""

import json
import os
import signal
from pathlib import Path

import pytest
from ros_bench import BRINGUP

from velora_ros.utils.shipped_files import share_path

pytestmark = pytest.mark.ros

ROBOTS = ('robot1', 'robot2')
CONTROL = [*BRINGUP, 'control']


def summary_of(process):
    return json.loads(process.output.splitlines()[-1])


def child_of(process, module):
    """The process id of the runner's child that runs the module; None before it is started."""
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    return next((int(pid) for pid in children if module in Path(f'/proc/{pid}/cmdline').read_text()), None)


# Half the speed and a long watchdog timeout, so that the pole stays up if the machine stalls for tenths of a second.
UNHURRIED = """
/**/sim_node:
  ros__parameters:
    real_time_factor: 0.5
/**/policy_node:
  ros__parameters:
    watchdog_timeout_s: 30.0
"""


@pytest.fixture
def run(ros):
    return lambda *arguments: ros.start([*CONTROL, *arguments])


@pytest.fixture
def unhurried(tmp_path):
    """Launch arguments of a run at half the speed."""
    file = tmp_path / 'unhurried.yaml'
    file.write_text(UNHURRIED)
    return [f'params:={file}', 'use_sim_time:=true']


def commanding(process):
    return 'moving | return' in process.output


@pytest.mark.parametrize('arguments', [[], ['namespace:=robot1', 'seed:=3']])
def test_the_shipped_policy_balances_the_pole(run, unhurried, arguments):
    for _ in range(3):  # a machine that is busy all the time may leave states without a command
        process = run('duration:=4', *arguments, *unhurried)
        process.wait()
        summary = summary_of(process)
        if summary['commands'] >= 0.95 * summary['due']:
            break
    assert summary['event'] == 'control_summary'
    assert (summary['falls'], summary['terminated'], summary['resets'], summary['fallbacks']) == (0, 0, 0, 0)
    assert summary['sim_seconds'] == pytest.approx(4.0, abs=0.05)
    assert summary['held_s'] > 0
    assert summary['commands'] > 80
    assert Path(summary['policy']).name == 'InvertedPendulum-v5.safetensors'
    passed = 'did not pass' not in process.output  # a machine that is too busy may miss the rule of real time
    assert process.exit_code == (0 if passed else 1)


def test_killing_the_policy_in_mid_run_shows_falls_and_a_failure(ros, run):
    process = run('duration:=60')
    ros.until(lambda: commanding(process), 'the first commands')
    os.kill(child_of(process, 'policy_node'), signal.SIGKILL)
    assert process.wait() == 1
    assert summary_of(process)['falls'] >= 1
    assert 'policy_node was ended by SIGKILL; all other nodes stop.' in process.output


def test_ctrl_c_ends_the_run_cleanly_with_its_summary(ros, run):
    process = run()  # at the speed of the real robot
    ros.until(lambda: commanding(process), 'the first commands')
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    assert summary_of(process)['commands'] > 0
    assert summary_of(process)['real_time_factor_asked'] == 1.0


def test_a_second_ctrl_c_changes_nothing(ros, run, unhurried):
    process = run(*unhurried)
    ros.until(lambda: commanding(process), 'the first commands')
    process.signal(signal.SIGINT)
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    assert summary_of(process)['falls'] == 0


def test_a_policy_that_cannot_be_loaded_fails_the_run_with_a_message(ros, run, tmp_path):
    damaged = tmp_path / 'damaged.safetensors'
    damaged.write_bytes(b'no policy')
    process = run(f'policy:={damaged}')
    # A simulator that is stopped before it started prints no summary, so the controller is held until it has started.
    controller = ros.until(lambda: child_of(process, 'policy_node'), 'the controller')
    os.kill(controller, signal.SIGSTOP)
    ros.until(lambda: 'waiting for a command' in process.output, 'the simulator')
    os.kill(controller, signal.SIGCONT)
    assert process.wait() == 1
    assert str(damaged) in process.output
    assert summary_of(process)['commands'] == 0


def test_two_robots_side_by_side_each_with_its_own_policy_and_no_crosstalk(ros, run, tmp_path):
    patient = tmp_path / 'patient.yaml'  # the two share no clock, so that they run at full speed
    patient.write_text('/**/policy_node:\n  ros__parameters:\n    watchdog_timeout_s: 30.0\n')
    process = run('robots:=2', 'duration:=8', 'seed:=5', f'params:={patient}')
    states = {name: ros.subscribe('sensor_msgs/msg/JointState', f'/{name}/joint_states', 100) for name in ROBOTS}
    commands = {name: ros.subscribe('std_msgs/msg/Float64MultiArray', f'/{name}/command', 100) for name in ROBOTS}
    ros.until(lambda: process.exit_code is not None, 'the end of the run')
    topics = dict(ros.node.get_topic_names_and_types())
    assert not {'/joint_states', '/command', '/observation', '/reset'} & topics.keys()
    # The applied effort shows whose command it was, if this subscription received that command. It can miss some, since
    # commands have depth 1. A command at the limit (±300 N) shows nothing.
    meant = {robot: {round(command.data[0], 6) for command in commands[robot]} - {0.0} for robot in ROBOTS}
    applied = {robot: {round(state.effort[0], 6) for state in states[robot]} for robot in ROBOTS}
    for name, other in (ROBOTS, ROBOTS[::-1]):
        assert len(applied[name] & meant[name] - meant[other]) > 50
        assert not applied[name] & meant[other] - meant[name]
    assert states['robot1'][0].position != states['robot2'][0].position, 'each has a seed of its own'
    summaries = [json.loads(line) for line in process.output.splitlines()[-2:]]
    assert [summary['node'] for summary in summaries] == [f'{name}/sim_node' for name in ROBOTS]
    # Without its own commands a pole falls every second. If the machine stalls, one may fall.
    assert max(summary['falls'] for summary in summaries) <= 1
    assert 'fault:' not in process.output


def test_after_one_controller_is_killed_the_other_robot_is_still_commanded(ros, run):
    process = run('robots:=2', 'duration:=60')
    commands = {name: ros.subscribe('std_msgs/msg/Float64MultiArray', f'/{name}/command') for name in ROBOTS}
    ros.until(lambda: all(len(commands[name]) > 5 for name in ROBOTS), 'the first commands')
    os.kill(child_of(process, 'policy_node\0-r\0__ns:=/robot1'), signal.SIGKILL)
    ros.spin(0.1)
    commands['robot1'].clear()
    commands['robot2'].clear()
    ros.until(lambda: len(commands['robot2']) > 20, "the other robot's commands")
    assert not commands['robot1']
    assert process.wait() == 1
    summaries = {summary['node']: summary for summary in map(json.loads, process.output.splitlines()[-2:])}
    assert summaries['robot1/sim_node']['falls'] >= 1


@pytest.mark.slow
def test_the_pole_stays_up_for_ten_minutes_under_losses_jitter_and_noise_at_once(run):
    process = run('duration:=600', f'params:={share_path("config", "sim_faults.yaml")}')
    process.wait(700)
    summary = summary_of(process)
    assert summary['falls'] == 0, summary
    assert summary['sim_seconds'] >= 600 - 0.001
    assert min(summary['faults'][name] for name in ('drop', 'jitter', 'noise')) > 1000
    assert summary['fallbacks'] == 0
