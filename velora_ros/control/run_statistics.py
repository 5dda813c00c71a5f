"""What a run on a simulated robot came to: counts, latency, held time, and whether it passed."""

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from velora_ros.control.learning import MinuteReturns, Swaps
from velora_ros.control.loop_timing import LoopTiming, TimingReport

# A run passes when it keeps within these and nothing falls.
REAL_TIME_FACTOR = (0.99, 1.01)
ANSWERED = 0.99
LONGEST_HOLD_S = 5.0
# The first policy of a trainer takes its time: torch is to be loaded.
LONGEST_HOLD_LEARNING_S = 30.0


class Progress(NamedTuple):
    """
    Where the simulation is.

    Args:
        time: simulated time, held time included [s].
        held: the part of it in which the robot was held at an initial state [s].
        holding: whether it is held now.
        episode_return: sum of the running episode's rewards.
    """

    time: float
    held: float
    holding: bool
    episode_return: float


class RunStatistics:
    """
    Collects a run as the simulated robot sees it. ``now`` is always the same steady clock [s].

    States, answers and falls count from the first command on: before it nobody was there to answer.

    Args:
        now: when the run begins.
        capacity: most latencies kept for the percentiles; the newest, when there are more.
    """

    def __init__(self, now: float, capacity: int = 1 << 18) -> None:
        self.states = 0
        """States published, that which the first command answered included."""
        self.received = 0
        """Valid commands received."""
        self.terminated = self.truncated = self.resets = self.falls = 0
        self.missed = 0
        """States after which the next one came before a command."""
        self.swaps = Swaps()
        self.longest_hold = 0.0
        """Longest time in which the robot waited for a command [s]."""
        self._began = now
        self._factor, self._asked_before, self._asked_since = 1.0, 0.0, 0.0
        self._first_command: float | None = None
        self._paused_since: float | None = None
        self._paused = 0.0
        self._held_before = 0.0
        self._return_sum = 0.0
        self._minutes = MinuteReturns()
        self._unanswered: float | None = None
        self._latency: deque[float] = deque(maxlen=capacity)
        self._latency_max = 0.0
        self._window = LoopTiming()

    def state(self, now: float, progress: Progress) -> None:
        """Note that a state was published."""
        self.missed += self._unanswered is not None and self._first_command is not None
        self._unanswered = now
        self.states += self._first_command is not None
        if progress.holding:
            self.longest_hold = max(self.longest_hold, progress.held - self._held_before)
        else:
            self._held_before = progress.held

    def command(self, now: float) -> None:
        """Note that a valid command arrived; the first one after a state is the answer to it."""
        self.received += 1
        if first := self._first_command is None:
            self._first_command = self._elapsed(now)
            self.states = 1
        if self._unanswered is None:
            return
        latency = now - self._unanswered
        self._latency.append(latency)
        self._latency_max = max(self._latency_max, latency)
        if not first:  # that one waited for the controller to be ready
            self._window.add(self._unanswered, now, latency)
        self._unanswered = None

    def reward(self, value: float, progress: Progress) -> None:
        """Note what a control period earned."""
        self._minutes.reward(progress.time - progress.held, value, self.resets)

    def episode(self, progress: Progress, *, terminated: bool, truncated: bool) -> None:
        """Note that an episode ended by itself."""
        self._return_sum += progress.episode_return
        self.terminated += terminated
        self.truncated += truncated and not terminated
        if terminated and self._first_command is not None:
            self.falls += 1
            self._minutes.fall(progress.time - progress.held)

    def reset(self) -> None:
        """Note that the robot was put back, for whatever reason; commands for what was before answer nothing now."""
        self.resets += 1
        self._unanswered = None

    def pause(self, now: float, *, paused: bool) -> None:
        """Note that simulated time stops or goes on."""
        if paused and self._paused_since is None:
            self._paused_since = now
        elif not paused and self._paused_since is not None:
            self._paused += now - self._paused_since
            self._paused_since = None

    def speed(self, now: float, factor: float) -> None:
        """Note how much simulated time is to pass in a second from now on; at first it is a second."""
        self._asked_before, self._asked_since = self._asked(now), self._elapsed(now)
        self._factor = factor

    def window(self, swaps: int = 0) -> TimingReport:
        """Return rate and latency of the answers since the last call; ``swaps``: policies swapped in so far."""
        report = self._window.report()
        self.swaps.second(swaps, self.missed, report.latency_max_us)
        return report

    def real_time_factor(self, now: float, progress: Progress) -> float:
        """Return simulated over real time, pauses left out."""
        return progress.time / max(self._elapsed(now), 1e-9)

    def summary(self, now: float, progress: Progress, *, fallbacks: int = 0, policy: str = '') -> dict[str, Any]:
        """
        Return the run's summary, ready for JSON.

        Args:
            now: the steady clock [s].
            progress: where the simulation is.
            fallbacks: how many of the commands were no policy's answer but a fallback.
            policy: what commanded.
        """
        commands = self.received - fallbacks
        # The newest state, when it has no answer yet, has had no time for one.
        states = self.states - (self.states > 0 and self._unanswered is not None)
        commanding = 0.0 if self._first_command is None else self._elapsed(now) - self._first_command
        episodes = self.terminated + self.truncated
        latency = np.asarray(self._latency or [0.0]) * 1e6
        return {
            'event': 'control_summary',
            'sim_seconds': round(progress.time - progress.held, 6),
            'real_time_factor': round(self.real_time_factor(now, progress), 5),
            'real_time_factor_asked': round(self._asked(now) / max(self._elapsed(now), 1e-9), 5),
            'held_s': round(progress.held, 6),
            'longest_hold_s': round(self.longest_hold, 6),
            'terminated': self.terminated,
            'truncated': self.truncated,
            'resets': self.resets,
            'falls': self.falls,
            'falls_last_minute': self._minutes.falls(progress.time - progress.held),
            'states': states,
            'commands': commands,
            'fallbacks': fallbacks,
            'rate_hz': round(commands / commanding, 3) if commanding > 0 else 0.0,
            'mean_return': round(self._return_sum / episodes if episodes else progress.episode_return, 3),
            'return_first_minute': round(self._minutes.first, 3),
            'return_last_minute': round(self._minutes.last, 3),
            'swaps': {
                'count': self.swaps.count,
                'missed': self.swaps.missed,
                'latency_max_us': round(self.swaps.latency_max_us, 1),
            },
            'latency_us': {
                'p50': round(float(np.percentile(latency, 50)), 1),
                'p99': round(float(np.percentile(latency, 99)), 1),
                'max': round(self._latency_max * 1e6, 1),
            },
            'policy': policy,
        }

    def _asked(self, now: float) -> float:
        """Return the simulated time that there should have been by now [s]."""
        return self._asked_before + self._factor * (self._elapsed(now) - self._asked_since)

    def _elapsed(self, now: float) -> float:
        """Return the run's time so far without its pauses [s]."""
        pausing = now - self._paused_since if self._paused_since is not None else 0.0
        return now - self._began - self._paused - pausing


def failures(summary: dict[str, Any], *, learning: bool = False) -> list[str]:
    """
    Return why a run did not pass, one sentence each; empty when it passed.

    Args:
        summary: from :meth:`RunStatistics.summary`.
        learning: the controller learnt meanwhile, so that only the falls of the last minute count.
    """
    low, high = (bound * summary['real_time_factor_asked'] for bound in REAL_TIME_FACTOR)
    states, commands = summary['states'], summary['commands']
    reasons = []
    if not low <= summary['real_time_factor'] <= high:
        reasons.append(f'the real-time factor was {summary["real_time_factor"]:.4f}, not {low:.5g} to {high:.5g}')
    if commands == 0:
        reasons.append('no command arrived; is policy_node running, active and armed?')
    elif commands < ANSWERED * states:
        reasons.append(f'{commands} commands answered {states} states, fewer than {ANSWERED:.0%}')
    if summary['longest_hold_s'] > (longest := LONGEST_HOLD_LEARNING_S if learning else LONGEST_HOLD_S):
        reasons.append(f'the robot waited {summary["longest_hold_s"]:.1f} s for a command, more than {longest:g} s')
    if learning and summary['falls_last_minute']:
        reasons.append(f'the robot fell {summary["falls_last_minute"]} times in the last minute')
    if summary['falls'] and not learning:
        reasons.append(f'the robot fell {summary["falls"]} times after the first command')
    return reasons
