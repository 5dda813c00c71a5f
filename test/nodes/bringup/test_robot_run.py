"""A task's robot and its policy as two processes over real DDS, started by the runner."""

import json

import pytest
from ros_bench import BRINGUP

pytestmark = pytest.mark.ros
SIMULATED_TIME = ['use_sim_time:=true']

# A quarter of the speed and a long watchdog timeout, so that a machine that stalls for tenths of a second does no harm.
UNHURRIED = """
/**/sim_node:
  ros__parameters:
    real_time_factor: 0.25
    command_timeout_s: 0.0
/**/policy_node:
  ros__parameters:
    watchdog_timeout_s: 30.0
    max_state_age_s: 1.0
"""


@pytest.fixture
def run(ros, tmp_path):
    """Runs the robot with the shipped policy at a quarter of the speed: its output and summary."""
    file = tmp_path / 'unhurried.yaml'
    file.write_text(UNHURRIED)

    def run(robot):
        process = ros.start([*BRINGUP, 'control', f'robot:={robot}', 'duration:=7', f'params:={file}', *SIMULATED_TIME])
        process.wait()
        return process.output, json.loads(process.output.splitlines()[-1])

    return run


def test_the_shipped_policy_walks_where_the_driver_says(run):
    # A machine that is busy all the time may leave states without a command, whatever the policy does.
    output, summary = run('quadruped')
    for _ in range(2):
        if summary['commands'] < 0.95 * summary['due']:
            output, summary = run('quadruped')
    assert (summary['falls'], summary['task']) == (0, 'quadruped'), output
    assert summary['moving_tracking'] > 0.8, output
    assert summary['commands'] > 0.9 * summary['due'] > 250, output
