"""
Turns an observation into a command: decide, the third of four steps from a state to a command.

:meth:`Controller.decide` checks the state's age, steps the policy, and limits the command (``command_limits.py``).
``supervisor.py`` has arming, faults, resets, settings, and the change to another policy.
"""

import math

from velora_ros.control.command_limits import Array, Command
from velora_ros.control.supervisor import Supervisor
from velora_ros.errors import ObservationError


class Controller(Supervisor):
    """
    Runs a recurrent policy on a robot's observations and decides what may be commanded.

    Every method that may produce a command returns it, or None for "publish nothing". A command has one number for each
    action, in SI units, finite and within the bounds. An armed controller with a latched fault sends no commands. A
    disarmed controller still steps the policy. Times: ``stamp`` and ``now`` [ns] on the robot's clock, ``steady`` [s]
    on a monotonic clock.

    Args:
        policy: the policy, warmed up.
        settings: the user's limits.
        fault: a fault that an earlier controller has latched.
        waiting: the reason in the status until the first state arrives.
        measures_joints: whether :meth:`decide` gets the positions of the commanded joints.
        normalisation: mean and inverse deviation of each observation in training; None if not known.

    Raises:
        ConfigError: the settings do not fit the policy.
    """

    def decide(
        self, observation: Array, stamp: int, now: int, steady: float, measured: Command | None = None
    ) -> Command | None:
        """
        Step the policy with an observation and return the command, or None.

        Args:
            observation: the observation, shape (observation,), in the policy's order.
            stamp: when the observation was measured [ns].
            now: the current time on the same clock [ns].
            steady: the time on the steady clock [s].
            measured: positions of the commanded joints [rad or m]; None if they are not read.

        Returns:
            The command. None if the controller is disarmed or has a fault, or if the observation must not be used;
            :attr:`status` has the reason. The call that finds a fault returns the fallback command. Until the robot is
            in its start pose, the command leads there.
        """
        self.policy_action = None
        if (refusal := self._times.refusal(stamp, now)) is not None:
            self.reject(*refusal)
            return None
        if measured is not None and not _finite(measured):
            self.reject('not_finite', f'the measured positions of the joints are {measured}; they must be finite')
            return None
        if self._times.begins(stamp) and (cause := self._times.discontinuity(stamp)):
            self.reset(cause)
        dt = self._times.elapsed(stamp)
        try:
            action = self._policy.step(observation, dt)
        except ObservationError as error:
            finite = _finite(observation.tolist())
            self.reject('unusable' if finite else 'not_finite', str(error) if finite else self._not_finite(observation))
            return None
        if self._successor is not None and self._successor.step(observation, dt):
            self._end_silence(self._successor)
        self.dt, self.policy_action = dt, action
        self._times.last = stamp
        self._watchdog.note_state(steady)
        self.counts['observations'] += 1
        self.last_action[:] = action
        return self._commanded(action, observation, steady, measured)

    def _commanded(self, action: Array, observation: Array, steady: float, measured: Command | None) -> Command | None:
        """Return the command for an action, if the action is finite and the controller may command."""
        wanted: Command = action.tolist()
        if not _finite(wanted):
            self.reset('not_finite')
            return self._latch('policy', "the policy's action is not finite")
        if self.safety.settings.auto_recover:
            self._arming.recover()
        self._reason = ''
        if not self._arming.armed or not self._standing_up.done:
            self._standing_up.look(observation, measured)
        if not self._arming.is_commanding:
            return None
        if not self._standing_up.done:
            return self._approach(steady, measured)
        if self._latches.on and (why := self._latches.judge(observation)):
            return self._latch('latch', why)
        self.counts['commands'] += 1
        asked, target = self.safety.bounded(wanted)
        if self._targets is not None and measured is not None:
            target = asked = self._targets.next(asked, measured)  # targets are limited as in training
        command = self._ramp_and_slew.next(target, observation, steady, self.safety, measured)
        self.changed.note(asked, target, self._ramp_and_slew.before_slew, command)
        return command

    def _approach(self, steady: float, measured: Command | None) -> Command | None:
        """Return the next command on the way to the start pose; afterwards, the policy takes over at the next state."""
        if why := self._standing_up.refusal:
            return self._latch('posture', why)
        if measured is None:
            return None
        command = self._standing_up.next(measured, steady)
        self._ramp_and_slew.note(command, steady)
        if self._standing_up.done:
            self.reset('take_over')
        self.counts['approaches'] += 1
        return command

    def repeat(self, now: int, steady: float) -> Command | None:
        """
        Return the command at a fixed rate if there is no new observation; None if the last one is too old.

        The hidden state does not change. A ramp, or a command that the slew rate limits, continues to the last action.
        """
        if not self._is_fresh(now):
            return None
        command = self._ramp_and_slew.repeat(steady, self.safety)
        self.counts['repeats'] += command is not None
        return command

    def interpolate(self, now: int, steady: float) -> Command | None:
        """
        Return the next interpolated command; None if the newest command was reached, or its state is too old.

        The hidden state does not change. A fallback, a reset and a change of the policy end the interpolation at once.
        """
        if not self._is_fresh(now):
            self._ramp_and_slew.end_line()
            return None
        command = self._ramp_and_slew.interpolate(steady, self.safety)
        self.counts['interpolated'] += command is not None
        return command

    def _is_fresh(self, now: int) -> bool:
        """Return whether commanding may continue without a new state; store the reason if the last state is too old."""
        last = self._times.last
        if not self._arming.is_commanding or last is None:
            return False
        if why := self._times.staleness(last, now):
            self._reason = why
        return not why

    def watchdog(self, steady: float) -> Command | None:
        """
        Latch a fault and return the fallback if an armed controller has had no usable state for too long.

        Silence counts from the first usable state after arming.
        """
        if not self._arming.is_commanding or self._watchdog.until_fault(steady) >= 0:
            return None
        because = f'; the last state was refused: {self._reason}' if self._reason else ''
        silence = f'{self._watchdog.silence(steady):.3g} s (limit {self.safety.watchdog_timeout:g} s)'
        return self._latch('watchdog', f'no usable state for {silence}{because}')

    def until_watchdog(self, steady: float) -> float:
        """Return the time [s] until :meth:`watchdog` can next latch a fault if no state arrives."""
        return self._watchdog.until_fault(steady) if self._arming.is_commanding else self.safety.watchdog_timeout

    def zero(self, steady: float) -> Command | None:
        """Return the fallback once, as soon as the input of velocities or efforts is too old; otherwise None."""
        if self.until_zero(steady) > 0:
            return None
        self._watchdog.note_zeroed()
        return self._fallback()

    def until_zero(self, steady: float) -> float:
        """Return the time [s] until :meth:`zero` must be called if no state arrives; inf if no call is needed."""
        return self._watchdog.until_zero(steady) if self._arming.is_commanding else math.inf

    def set_clock_step(self, step: float) -> None:
        """Set the size of the steps in which the robot's clock advances [s]; 0 for a continuous clock."""
        self._times.clock_step = step

    def _not_finite(self, observation: Array) -> str:
        names = self._policy.spec.observation_names
        bad = [
            f"'{name}' is {value}" for name, value in zip(names, observation, strict=False) if not math.isfinite(value)
        ]
        return f'the state is not finite: {", ".join(bad)}'


def _finite(numbers: list[float]) -> bool:
    """Return whether all numbers are finite; their sum is the fastest test for a dozen numbers."""
    return math.isfinite(sum(numbers)) or all(map(math.isfinite, numbers))
