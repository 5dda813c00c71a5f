"""The whole run with training: simulated robot, controller and trainer as processes over real DDS."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from ros_bench import BRINGUP, answered_all

from velora_ros.policy import PolicyFile

pytestmark = pytest.mark.ros

CONTROL = [*BRINGUP, 'control', 'train:=true']
# As short as possible, with policies that differ; the pole need not stay up.
SHORT = """
/**/trainer_node:
  ros__parameters:
    nice: 0
    n_neurons: 6
    start_steps: 50
    boost_ratio: 1.0
    eval_every: 100
    eval_episodes: 1
/**/policy_node:
  ros__parameters:
    engine: numpy
    # Long timeouts, since a busy machine can delay states; this test is about training.
    max_state_age_s: 30.0
    watchdog_timeout_s: 60.0
"""


@pytest.fixture
def run(ros, tmp_path):
    (tmp_path / 'short.yaml').write_text(SHORT)
    folder, settings = f'run_dir:={tmp_path / "run"}', f'params:={tmp_path / "short.yaml"}'
    return lambda *arguments: ros.start([*CONTROL, folder, settings, *arguments])


def summary_of(process):
    return json.loads(process.output.splitlines()[-1])


def child_of(pid, module):
    children = Path(f'/proc/{pid}/task/{pid}/children').read_text().split()
    return next((int(one) for one in children if module in Path(f'/proc/{one}/cmdline').read_text()), None)


def test_better_policies_are_swapped_into_the_running_controller_from_an_untrained_start(ros, run, tmp_path):
    process = run('steps:=600')
    counts = ros.counts_of('policy_node')
    ros.until(lambda: 'the untrained policy' in process.output, 'the first policy')
    ros.until(lambda: 'done: 600 steps' in process.output, 'the end of the training')
    ros.until(lambda: 'policy swaps' in process.output, 'a swap that the simulator knows of')
    ros.until(lambda: int((counts() or {}).get('reset.swap', 0)) > 0, 'a swap in the diagnostics')
    assert answered_all(counts()), counts()
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    output, summary = process.output, summary_of(process)
    untrained = tmp_path / 'run' / 'policies' / 'untrained.safetensors'
    best = tmp_path / 'run' / 'policies' / 'best.safetensors'
    assert output.index('waiting for the first policy on /trainer_node/policy') < output.index(
        f'running the policy {best}'
    )
    assert f': {untrained}' in output
    assert 'the best so far, announced as policy' in output
    assert summary['policy'] == str(best)
    assert summary['swaps']['count'] >= 1
    assert summary['fallbacks'] == 0
    assert summary['return_last_minute'] > 0
    assert PolicyFile.load(untrained).provenance['steps'] == 0
    assert PolicyFile.load(best).provenance['steps'] >= 100


def test_the_robot_keeps_moving_while_a_killed_training_is_resumed(ros, run):
    process = run('namespace:=robot1', 'steps:=1000000')
    counts = ros.counts_of('robot1/policy_node')
    commands = ros.subscribe('std_msgs/msg/Float64MultiArray', '/robot1/command', matched=False)
    ros.until(lambda: 'the untrained policy' in process.output, 'the first policy')
    ros.until(lambda: re.search(r's  moving[ ,]', process.output), 'the first commands')
    trainer = child_of(process.pid, 'nodes.trainer')
    os.kill(child_of(trainer, 'child_process_main'), signal.SIGKILL)
    ros.until(lambda: 'another process resumes from the newest checkpoint' in process.output, 'the report')
    seen = len(commands)
    ros.until(lambda: len(commands) > seen + 5, 'further commands')
    ros.until(lambda: 'training: resumed after' in process.output, 'the second process')
    states = int(counts()['observations'])
    ros.until(lambda: int(counts()['observations']) > states, 'further diagnostics')
    assert answered_all(counts()), counts()
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    summary = summary_of(process)
    assert summary['commands'] > 0
    assert summary['fallbacks'] == 0


def test_a_run_is_not_overwritten(run, tmp_path):
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'config.yaml').touch()
    process = run()
    assert process.wait() == 1
    assert 'already holds a run, which is not overwritten' in process.output
