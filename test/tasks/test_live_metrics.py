"""The metrics of a run, episode by episode."""

import numpy as np

from velora_ros.tasks import live_metrics
from velora_ros.tasks.live_metrics import LiveMetrics


def recorded(lengths, failing=()):
    live = LiveMetrics(0.5)
    count = 0
    for episode, length in enumerate(lengths):
        for _ in range(length):
            live.step({'one': np.array([float(count)]), 'feet': np.array([[count, -count]])}, 1.0)
            count += 1
        if episode in failing:
            live.fail('tilted')
        if episode < len(lengths) - 1:
            live.begin()
    return live


def test_each_episode_is_a_column():
    recording = recorded([3, 2], failing=[0]).all()
    assert recording.alive.T.tolist() == [[True] * 3, [True, True, False]]
    assert recording.metrics['one'].T.tolist() == [[0, 1, 2], [3, 4, 0]]
    assert recording.metrics['feet'][1, 1].tolist() == [4, -4]
    assert recording.failed.tolist() == [True, False]
    assert recording.failures['tilted'].tolist() == [True, False]
    assert recording.returns.tolist() == [3, 2]
    assert recording.mean('one') == 2


def test_the_last_seconds_are_the_newest_steps():
    recording = recorded([3, 2]).last(1.5)
    assert sorted(recording.metrics['one'][recording.alive]) == [2, 3, 4]


def test_finished_and_running_episodes_are_told_apart():
    live = recorded([3, 2])
    assert live.finished().metrics['one'].T.tolist() == [[0, 1, 2]]
    assert live.running().metrics['one'].T.tolist() == [[3, 4]]
    live = recorded([2], failing=[0])
    assert live.running() is None
    assert live.finished().failed.tolist() == [True]


def test_without_a_step_there_is_no_recording():
    live = LiveMetrics(0.5)
    assert (live.all(), live.last(10), live.finished(), live.running()) == (None,) * 4


def test_episodes_are_forgotten_with_their_steps(monkeypatch):
    monkeypatch.setattr(live_metrics, 'LONGEST_S', 2.0)  # four steps
    live = recorded([2] * 50, failing=range(49))
    assert live.all().returns.tolist() == [2, 2]
    assert len(live._returns) + len(live._failed) < 10
