"""The robot of a task and its policy as two processes over real DDS, started by the runner."""

import json

import pytest
from ros_bench import BRINGUP

pytestmark = pytest.mark.ros

# Half the speed and a long watchdog timeout, so that a machine that stalls for tenths of a second does no harm.
UNHURRIED = """
/**/sim_node:
  ros__parameters:
    real_time_factor: 0.5
    command_timeout_s: 0.0
/**/policy_node:
  ros__parameters:
    watchdog_timeout_s: 30.0
"""


def test_the_shipped_policy_walks_where_the_driver_says(ros, tmp_path):
    file = tmp_path / 'unhurried.yaml'
    file.write_text(UNHURRIED)
    arguments = ['robot:=quadruped', 'duration:=7', f'params:={file}', 'use_sim_time:=true']
    process = ros.start([*BRINGUP, 'control', *arguments])
    process.wait()
    summary = json.loads(process.output.splitlines()[-1])
    assert (summary['falls'], summary['task']) == (0, 'quadruped'), process.output
    assert summary['moving_tracking'] > 0.8, process.output
    assert summary['commands'] > 0.9 * summary['states'] > 250
