"""How `make bench-node` counts: which command answers which state, and which states are lost."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / 'benchmarks'))

import node
from node_quadruped import LARGEST, quadruped_policy
from node_robot import MARKS, expected_commands, matched, policy_file

from velora_ros.policy import Policy

US = 1000


@pytest.fixture(scope='module')
def answers():
    return expected_commands(policy_file())


def outcome_of(answers, sent, received, first=0, n_counted=None):
    return matched(answers, first, len(sent) if n_counted is None else n_counted, np.array(sent), received)


def test_the_first_action_identifies_the_mark_whatever_came_before(answers):
    policy = Policy(policy_file())
    rng = np.random.default_rng(0)
    for mark in rng.permutation(len(MARKS)):
        observation = rng.normal(size=24)
        observation[0] = MARKS[mark]
        action = policy.step(observation, rng.uniform(0.001, 0.02))
        assert np.abs(answers - action[0]).argmin() == mark


def test_the_quadruped_is_told_apart_by_its_first_joint_with_the_contract_that_ships():
    file, commands = quadruped_policy()
    policy, rng = Policy(file), np.random.default_rng(0)
    assert file.spec.contract is not None and file.spec.contract.task == 'quadruped'
    for mark in rng.permutation(len(MARKS)):
        observation = rng.normal(size=file.spec.observation_dim)
        observation[file.spec.observation_names.index('FR_hip_joint/position')] = LARGEST * MARKS[mark]
        command = file.spec.to_si(policy.step(observation, rng.uniform(0.002, 0.02)))[0]
        assert np.abs(commands - command).argmin() == mark


@pytest.mark.parametrize('first', [0, 17, 73])
def test_commands_find_their_states_when_some_are_lost_or_late(answers, first):
    sent = [tick * 1000 * US for tick in range(300)]
    lost, late = {5, 6, 200}, 1700 * US
    received = [
        (at + (late if tick % 7 == 0 else 300 * US), answers[(first + tick) % len(MARKS)])
        for tick, at in enumerate(sent)
        if tick not in lost
    ]
    outcome = outcome_of(answers, sent, received, first)
    assert outcome.lost == len(lost)
    assert set(outcome.round_trips) == {300.0, 1700.0}


def test_states_after_the_counted_ones_do_not_count(answers):
    sent = [tick * 1000 * US for tick in range(40)]
    received = [(at + 300 * US, answers[tick % len(MARKS)]) for tick, at in enumerate(sent)]
    outcome = outcome_of(answers, sent, received, n_counted=30)
    assert (len(outcome.round_trips), outcome.lost) == (30, 0)


def test_the_summary_has_every_documented_entry():
    rates = {str(rate): {'p50': 110.0, 'p99': 240.0, 'lost': 1, 'cpu': 100.0} for rate in node.RATES}
    run = {'rates': rates, 'rss_mb': 180.0, 'startup_s': 1.0, 'first_command_s': 1.2, 'torch': False, 'message_lost': 2}
    echo = {**run, 'rates': {rate: {**values, 'p50': 100.0, 'p99': 200.0} for rate, values in rates.items()}}
    result = node.summary({'ours': [run] * 3, 'ours_onnx': [run] * 3, 'echo': [echo] * 3, 'default_echo': [run] * 3})
    assert set(result) == {
        'rates',
        'message_lost',
        'rss_mb',
        'startup_s',
        'first_command_s',
        'torch_loaded',
    }
    at_500 = result['rates']['500']
    assert {'ours_us', 'echo_us', 'default_echo_us', 'ratio_p50', 'ratio_p99', 'lost_ours', 'lost_echo'} <= set(at_500)
    assert (at_500['ratio_p50'], at_500['ratio_p99'], at_500['lost_ours']) == (1.1, 1.2, 3)
    assert at_500['ratio_p50_onnx'] == 1.1
