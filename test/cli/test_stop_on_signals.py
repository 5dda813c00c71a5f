import os
import signal
import threading

import pytest

from velora_ros.cli.stop_on_signals import StopOnRequest, stop_on_signals
from velora_ros.training import StopTraining
from velora_ros.training.records import RunState


def test_a_request_waits_for_the_end_of_the_episode_for_a_limited_time():
    now = [0.0]
    stop = StopOnRequest(patience=3.0, clock=lambda: now[0])
    stop.on_step(1)
    stop.on_between_episodes(RunState(), last=False)
    stop.request('asked')
    stop.on_step(2)
    with pytest.raises(StopTraining, match='asked'):
        stop.on_between_episodes(RunState(), last=False)
    stop.on_between_episodes(RunState(), last=True)
    now[0] = 3.0
    with pytest.raises(StopTraining, match='asked'):
        stop.on_step(3)


def test_a_second_signal_has_its_usual_effect():
    assert threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == 'stopped by SIGINT'
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_a_closed_terminal_stops_training_cleanly():
    before = signal.getsignal(signal.SIGHUP)
    with stop_on_signals() as stop:
        for _ in range(2):  # the shell sends one, and the kernel another
            signal.raise_signal(signal.SIGHUP)
        assert stop.reason == 'stopped by SIGHUP'
    assert signal.getsignal(signal.SIGHUP) == before


def test_training_under_nohup_outlives_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.reason == ''
    finally:
        signal.signal(signal.SIGHUP, before)
