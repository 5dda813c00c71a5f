"""Summarises a run on a simulated robot: commands, latency, returns, falls, held time and policy changes."""

from collections import deque
from typing import Any, NamedTuple

import numpy as np

from velora_ros.control.loop_timing import LoopTiming, TimingReport
from velora_ros.control.step_schedule import StepSchedule

MINUTE_S = 60.0
_LATENCIES_AT_MOST = 1 << 18  # the newest ones are kept for the percentiles


class SimulationProgress(NamedTuple):
    """
    The progress of a simulation: its time, and the return of the current episode.

    Args:
        time: simulated time, including held time [s].
        held: time for which the robot was held in an initial state, waiting for a controller [s].
        holding: whether the robot is held now.
        episode_return: sum of the current episode's rewards.
    """

    time: float
    held: float
    holding: bool
    episode_return: float


class RunStatistics:
    """
    Collects the statistics of a run on a simulated robot. ``now`` is always the time on the same steady clock [s].

    States, commands and falls count only from the first command on, because there was no controller before.

    Args:
        now: time at which the run begins [s].
        step_period: time between two steps of a policy that steps once per period, whatever the rate of the states [s];
            with 0, every state must get a command.
    """

    def __init__(self, now: float, step_period: float = 0.0) -> None:
        self.states = 0
        """Number of states published, including the first one that was answered with a command."""
        self.due = 0
        """Number of published states that should have been answered with a command."""
        self._schedule = StepSchedule(step_period) if step_period else None
        self.received = 0
        """Number of valid commands received."""
        self.terminated = self.truncated = self.resets = self.falls = 0
        self.missed = 0
        """Number of states without a command before the next state."""
        self.swaps = Swaps()
        self.longest_hold = 0.0
        """Longest time for which the robot waited for a command [s]."""
        self._began = now
        self._factor, self._asked_before, self._asked_since = 1.0, 0.0, 0.0
        self._first_command: float | None = None
        self._paused_since: float | None = None
        self._paused = 0.0
        self._held_before = 0.0
        self._return_sum = 0.0
        self._minutes = MinuteReturns()
        self._unanswered: float | None = None
        self._latency: deque[float] = deque(maxlen=_LATENCIES_AT_MOST)
        self._latency_max = 0.0
        self._window = LoopTiming()

    def state(self, now: float, progress: SimulationProgress) -> None:
        """Record that a state was published."""
        commanding = self._first_command is not None
        if self._is_due(round(progress.time * 1e9)):
            self.missed += self._unanswered is not None and commanding
            self._unanswered = now
            self.due += commanding
        self.states += commanding
        if progress.holding:
            self.longest_hold = max(self.longest_hold, progress.held - self._held_before)
        else:
            self._held_before = progress.held

    def _is_due(self, stamp: int) -> bool:
        """Return whether a state with this stamp [ns] must get a command."""
        if self._schedule is None:
            return True
        if not self._schedule.is_due(stamp):
            return False
        self._schedule.note_step(stamp)
        return True

    def command(self, now: float) -> None:
        """Record that a valid command was received; the first one after a state belongs to it."""
        self.received += 1
        if first := self._first_command is None:
            self._first_command = self._elapsed(now)
            self.states = self.due = 1
        if self._unanswered is None:
            return
        latency = now - self._unanswered
        self._latency.append(latency)
        self._latency_max = max(self._latency_max, latency)
        if not first:  # the first state waited for the controller to start
            self._window.add(self._unanswered, now, latency)
        self._unanswered = None

    def reward(self, value: float, progress: SimulationProgress) -> None:
        """Record the reward of a control period."""
        self._minutes.reward(progress.time - progress.held, value, self.resets)

    def episode(self, progress: SimulationProgress, *, terminated: bool, truncated: bool) -> None:
        """Record that an episode ended because the robot fell (terminated) or its time was over (truncated)."""
        self._return_sum += progress.episode_return
        self.terminated += terminated
        self.truncated += truncated and not terminated
        if terminated and self._first_command is not None:
            self.falls += 1
            self._minutes.fall(progress.time - progress.held)

    def reset(self) -> None:
        """Record a reset of the robot; commands for earlier states no longer count."""
        self.resets += 1
        if self._schedule is not None:
            self._schedule.restart()
        self._unanswered = None

    def pause(self, now: float, *, paused: bool) -> None:
        """Record that simulated time stops or continues."""
        if paused and self._paused_since is None:
            self._paused_since = now
        elif not paused and self._paused_since is not None:
            self._paused += now - self._paused_since
            self._paused_since = None

    def speed(self, now: float, factor: float) -> None:
        """Set how many seconds of simulated time should pass per second; initially 1."""
        self._asked_before, self._asked_since = self._asked(now), self._elapsed(now)
        self._factor = factor

    def window(self, swaps: int = 0) -> TimingReport:
        """Return the timing of the commands since the last call; ``swaps`` is the number of policy changes so far."""
        report = self._window.report()
        self.swaps.second(swaps, self.missed, report.latency_max_us)
        return report

    def real_time_factor(self, now: float, progress: SimulationProgress) -> float:
        """Return the ratio of simulated time to real time, without pauses."""
        return progress.time / max(self._elapsed(now), 1e-9)

    def summary(
        self, now: float, progress: SimulationProgress, *, fallbacks: int = 0, policy: str = ''
    ) -> dict[str, Any]:
        """
        Return the run's summary as a dictionary for JSON.

        Args:
            now: the time on the steady clock [s].
            progress: the progress of the simulation.
            fallbacks: number of fallback commands, which do not count as commands of the policy.
            policy: the file or name of the policy that commanded.
        """
        commands = self.received - fallbacks
        # The newest state does not count while it has no command, because there was no time for one.
        waiting = self._unanswered is not None
        states, due = self.states - (self.states > 0 and waiting), self.due - (self.due > 0 and waiting)
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
            'due': due,
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
        """Return the simulated time that should have passed by now [s]."""
        return self._asked_before + self._factor * (self._elapsed(now) - self._asked_since)

    def _elapsed(self, now: float) -> float:
        """Return the real time of the run so far, without pauses [s]."""
        pausing = now - self._paused_since if self._paused_since is not None else 0.0
        return now - self._began - self._paused - pausing


class MinuteReturns:
    """
    Counts returns and falls in the first and in the last minute in which the robot moved.

    The return of a minute is the reward collected in it, divided by the number of episodes in it, including the current
    one. Therefore, a pole that falls every second has a low return, and a pole that stands for the whole minute has the
    highest. In a run of less than a minute, both minutes are the whole run.
    """

    def __init__(self) -> None:
        self._first_total = 0.0
        self._first_episodes: set[int] = set()
        self._recent: deque[tuple[float, float, int]] = deque()
        self._falls: deque[float] = deque()

    def reward(self, time: float, value: float, episode: int) -> None:
        """
        Record a reward.

        Args:
            time: the time for which the robot has moved [s].
            value: the reward.
            episode: the number of the episode.
        """
        if time <= MINUTE_S:
            self._first_total += value
            self._first_episodes.add(episode)
        self._recent.append((time, value, episode))
        while self._recent[0][0] <= time - MINUTE_S:
            self._recent.popleft()

    def fall(self, time: float) -> None:
        """Record that the robot fell after moving for ``time`` [s]."""
        self._falls.append(time)

    @property
    def first(self) -> float:
        """The return of the first minute."""
        return self._first_total / max(len(self._first_episodes), 1)

    @property
    def last(self) -> float:
        """The return of the last minute."""
        return sum(value for _, value, _ in self._recent) / max(len({episode for *_, episode in self._recent}), 1)

    def falls(self, time: float) -> int:
        """Return how often the robot fell in the minute before ``time`` [s]."""
        return sum(fall > time - MINUTE_S for fall in self._falls)


class Swaps:
    """
    Counts policy changes, and measures their effect on the commands.

    The controller reports the number once a second, so a change happened in the second in which the number rose or in
    the previous second; both are examined.
    """

    def __init__(self) -> None:
        self.count = 0
        """Number of policy changes so far."""
        self.missed = 0
        """Number of states without a command in the seconds of policy changes."""
        self.latency_max_us = 0.0
        """Longest time from a state to its command in the seconds of policy changes [us]."""
        self._before = 0, 0.0
        self._missed = 0

    def second(self, count: int, missed: int, latency_max_us: float) -> None:
        """
        Record the figures of one second.

        Args:
            count: number of policy changes so far, as the controller reports it.
            missed: number of states without a command so far.
            latency_max_us: longest time from a state to its command in this second [us].
        """
        new, self._missed = missed - self._missed, missed
        if count > self.count:
            self.missed += self._before[0] + new
            self.latency_max_us = max(self.latency_max_us, self._before[1], latency_max_us)
            new = 0  # already counted
        self.count = max(self.count, count)
        self._before = new, latency_max_us
