import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.pass_criteria import failures
from velora_ros.control.run_summary import MinuteReturns, RunStatistics, SimulationProgress, Swaps
from velora_ros.control.step_schedule import StepSchedule

PERIOD = 0.04


def progress(time=0.0, held=0.0, holding=False, total=0.0):
    return SimulationProgress(time, held, holding, total)


def run(periods, *, answered=lambda index: True, latency=0.001):
    """A run that begins at 100 s on the clock and answers the states that it is told to."""
    statistics = RunStatistics(100.0)
    for index in range(periods):
        now = 100.0 + index * PERIOD
        statistics.state(now, progress(index * PERIOD))
        if answered(index):
            statistics.command(now + latency)
    return statistics, 100.0 + periods * PERIOD, progress(periods * PERIOD, total=float(periods))


def test_a_run_with_every_state_answered_passes():
    statistics, now, end = run(250)
    summary = statistics.summary(now, end, policy='p.safetensors')
    assert failures(summary) == []
    assert summary['states'] == summary['commands'] == 250
    assert summary['sim_seconds'] == pytest.approx(10.0)
    assert summary['real_time_factor'] == pytest.approx(1.0)
    assert summary['rate_hz'] == pytest.approx(25.0, rel=0.01)
    assert summary['mean_return'] == 250.0
    assert summary['latency_us'] == {'p50': 1000.0, 'p99': 1000.0, 'max': 1000.0}
    assert summary['policy'] == 'p.safetensors'
    assert json.loads(json.dumps(summary)) == summary


def test_states_before_the_first_command_expect_no_answer():
    statistics, now, end = run(300, answered=lambda index: index >= 100)
    summary = statistics.summary(now, end)
    assert (summary['states'], summary['commands']) == (200, 200)
    assert failures(summary) == []


def test_the_state_just_published_needs_no_answer_yet():
    statistics, now, end = run(50)
    statistics.state(now, end)
    assert statistics.summary(now, end)['states'] == 50
    statistics.state(now + PERIOD, end)
    assert statistics.summary(now + PERIOD, end)['states'] == 51


def test_a_run_with_too_few_answers_fails():
    statistics, now, end = run(200, answered=lambda index: index % 50 != 7)
    [reason] = failures(statistics.summary(now, end))
    assert 'only 196 of 200 states were answered' in reason


def test_fallbacks_are_no_commands_of_the_policy():
    statistics, now, end = run(200)
    statistics.command(now)
    summary = statistics.summary(now, end, fallbacks=5)
    assert (summary['commands'], summary['fallbacks']) == (196, 5)
    assert failures(summary)


def test_a_run_without_a_command_fails_and_says_what_to_look_at():
    statistics, now, end = run(100, answered=lambda index: False)
    assert any('policy_node' in reason for reason in failures(statistics.summary(now, end)))


@pytest.mark.parametrize('seconds', [9.0, 11.0])
def test_a_run_out_of_real_time_fails(seconds):
    statistics, _, end = run(250)
    [reason] = failures(statistics.summary(100.0 + seconds, end))
    assert 'real-time factor' in reason


def test_a_fall_after_the_first_command_fails_the_run():
    statistics, now, end = run(250)
    statistics.episode(progress(5.0, total=125.0), terminated=True, truncated=False)
    statistics.reset()
    summary = statistics.summary(now, end)
    assert (summary['falls'], summary['terminated'], summary['resets'], summary['mean_return']) == (1, 1, 1, 125.0)
    assert any('after the first command: 1' in reason for reason in failures(summary))


@pytest.mark.parametrize(('fell_at', 'passes'), [(10.0, True), (70.0, False)])
def test_while_the_controller_learns_only_falls_of_the_last_minute_count(fell_at, passes):
    statistics, now, end = run(2500)
    statistics.episode(progress(fell_at, total=9.0), terminated=True, truncated=False)
    summary = statistics.summary(now, end)
    assert summary['falls_last_minute'] == (0 if passes else 1)
    assert failures(summary)
    assert (failures(summary, learning=True) == []) == passes


def test_a_controller_that_learns_may_wait_for_its_first_policy():
    statistics, now, end = run(250)
    statistics.state(now, progress(10.0, held=20.0, holding=True))
    summary = statistics.summary(now, end)
    assert failures(summary)
    assert failures(summary, learning=True) == []


def test_a_state_followed_by_another_before_its_command_is_missed():
    statistics, _, _ = run(200, answered=lambda index: index % 50 != 7)
    assert statistics.missed == 4


def test_a_fall_before_the_first_command_is_a_termination_only():
    statistics = RunStatistics(0.0)
    statistics.episode(progress(total=3.0), terminated=True, truncated=False)
    assert (statistics.terminated, statistics.falls) == (1, 0)


def test_a_time_limit_is_no_fall():
    statistics, now, end = run(250)
    statistics.episode(progress(5.0, total=125.0), terminated=False, truncated=True)
    summary = statistics.summary(now, end)
    assert (summary['truncated'], summary['falls']) == (1, 0)
    assert failures(summary) == []


def test_the_longest_hold_counts_each_hold_for_itself():
    statistics = RunStatistics(0.0)
    held = 0.0
    for holding, seconds in ((True, 3.0), (False, 1.0), (True, 4.0), (False, 1.0)):
        for _ in range(round(seconds / PERIOD)):
            held += PERIOD * holding
            statistics.state(0.0, progress(held=held, holding=holding))
    assert statistics.longest_hold == pytest.approx(4.0, abs=2 * PERIOD)


def test_a_hold_above_the_limit_fails_the_run():
    statistics, now, end = run(250)
    statistics.state(now, progress(10.0, held=5.5, holding=True))
    assert any('waited 5.5 s' in reason for reason in failures(statistics.summary(now, end)))


def test_pauses_are_no_time_of_the_run():
    statistics, now, end = run(250)
    statistics.pause(now, paused=True)
    statistics.pause(now + 1.0, paused=True)
    assert statistics.real_time_factor(now + 1.0, end) == pytest.approx(1.0)
    statistics.pause(now + 60.0, paused=False)
    summary = statistics.summary(now + 60.0, end)
    assert summary['real_time_factor'] == pytest.approx(1.0)
    assert summary['rate_hz'] == pytest.approx(25.0, rel=0.01)


@given(st.lists(st.sampled_from(['state', 'command', 'reset']), max_size=60))
def test_a_state_is_answered_at_most_once(events):
    statistics = RunStatistics(0.0)
    for index, event in enumerate(events):
        if event == 'state':
            statistics.state(float(index), progress())
        elif event == 'command':
            statistics.command(float(index))
        else:
            statistics.reset()
    assert statistics.window().samples <= events.count('state')


def test_another_speed_is_judged_by_what_was_asked_for():
    statistics, now, _ = run(250)
    statistics.speed(now, 0.5)
    summary = statistics.summary(now + 10.0, progress(15.0))
    assert summary['real_time_factor'] == summary['real_time_factor_asked'] == pytest.approx(0.75)
    assert failures(summary) == []
    [reason] = failures(statistics.summary(now + 10.0, progress(20.0)))
    assert 'the real-time factor was 1.0000, outside 0.7425 to 0.7575' in reason


def fill(minutes, lengths):
    """Episodes of these lengths [steps], a reward of 1 each step; returns how long the robot moved [s]."""
    step = 0
    for episode, length in enumerate(lengths):
        for _ in range(length):
            step += 1
            minutes.reward(step * PERIOD, 1.0, episode)
        minutes.fall(step * PERIOD)
    return step * PERIOD


def test_a_pole_that_falls_and_then_stands_has_a_low_and_a_full_minute():
    minutes = MinuteReturns()
    end = fill(minutes, [15] * 100 + [6000])
    assert minutes.first == pytest.approx(15)
    assert minutes.last == 1500
    assert minutes.falls(end) == 1  # where the last episode ends, this test ends it


def test_a_run_shorter_than_a_minute_is_its_first_and_its_last_minute():
    minutes = MinuteReturns()
    fill(minutes, [10, 20, 30])
    assert minutes.first == minutes.last == 20


def test_without_a_reward_there_is_no_return():
    assert MinuteReturns().first == MinuteReturns().last == 0.0


@given(st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_no_minute_returns_more_than_its_rewards_and_no_less_than_their_share(lengths):
    minutes = MinuteReturns()
    fill(minutes, lengths)
    for value in (minutes.first, minutes.last):
        assert min(1500, sum(lengths)) / len(lengths) <= value + 1 <= np.max(lengths) + 1


def test_only_the_seconds_around_a_swap_count():
    swaps = Swaps()
    for count, missed, latency in [(0, 3, 9000.0), (0, 3, 400.0), (2, 4, 500.0), (2, 9, 8000.0), (2, 9, 300.0)]:
        swaps.second(count, missed, latency)
    assert (swaps.count, swaps.missed, swaps.latency_max_us) == (2, 1, 500.0)


def test_a_swap_told_a_second_later_is_seen_and_nothing_counts_twice():
    swaps = Swaps()
    for count, missed, latency in [(0, 0, 300.0), (0, 2, 900.0), (1, 2, 400.0), (2, 3, 500.0)]:
        swaps.second(count, missed, latency)
    assert (swaps.missed, swaps.latency_max_us) == (3, 900.0)


@pytest.mark.parametrize(
    ('figures', 'learning', 'missed'),
    [
        ({'tracking': 0.9, 'reached': 0.9}, False, []),
        ({'tracking': 0.87}, False, ['tracking']),
        ({'tracking': 0.81, 'faults': {'drop': 3}}, False, []),
        ({'tracking': 0.79, 'reached': 0.5, 'faults': {'drop': 3}}, False, ['tracking', 'reached']),
        ({'tracking': None}, False, []),
        ({'reached': 0.0, 'goals': 0}, False, []),
        ({'reached': 0.0, 'goals': 2}, False, ['reached']),
        ({'tracking': 0.1, 'last_minute': {'tracking': 0.8}}, True, []),
        ({'tracking': 0.9, 'last_minute': {'tracking': 0.7}}, True, ['tracking']),
    ],
)
def test_figures_of_a_task_have_a_least_value(figures, learning, missed):
    statistics, now, end = run(250)
    reasons = failures({**statistics.summary(now, end), **figures}, learning=learning)
    assert len(reasons) == len(missed)
    assert all(f"figure '{name}'" in reason for name, reason in zip(missed, reasons, strict=True))


def test_states_between_two_steps_of_a_policy_need_no_answer():
    statistics, schedule = RunStatistics(100.0, step_period=PERIOD), StepSchedule(PERIOD)
    time = 0.0
    for factor in np.random.default_rng(0).choice([0.75, 1, 1.25], 1000):
        statistics.state(100.0 + time, progress(time))
        if schedule.is_due(round(time * 1e9)):  # as policy_node
            schedule.note_step(round(time * 1e9))
            statistics.command(100.0 + time + 0.001)
        time += PERIOD * factor
    summary = statistics.summary(100.0 + time, progress(time))
    assert summary['commands'] == summary['due'] < summary['states'] == 1000
    assert (failures(summary), statistics.missed) == ([], 0)


def test_a_policy_that_answers_every_other_step_fails_at_any_rate_of_states():
    statistics = RunStatistics(100.0, step_period=PERIOD)
    for index in range(1000):  # ten times as many states as steps
        now = index * PERIOD / 10
        statistics.state(100.0 + now, progress(now))
        if index % 20 == 0:
            statistics.command(100.0 + now + 0.001)
    summary = statistics.summary(140.0, progress(4.0))
    assert summary['due'] == pytest.approx(100, abs=2)
    assert any('states were answered' in reason for reason in failures(summary))
