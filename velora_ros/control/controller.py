"""
Decide: from an observation to a command, the third of four steps from a state to a command.

:class:`Controller` checks the age of a state, steps the policy and keeps its hidden state, and decides whether it may
command: arming, faults, watchdog. ``command_limits.py`` limits the command.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from velora_ros.control.command_limits import Array, Command, RampAndSlew, Safety
from velora_ros.control.controller_settings import Settings
from velora_ros.control.latches import Latches, Normalisation
from velora_ros.control.newest_values import NANOSECONDS
from velora_ros.control.take_over import TakeOver
from velora_ros.errors import ConfigError, ObservationError
from velora_ros.spec import PolicySpec

EMERGENCY_STOP = 'emergency stop'
WAITING = 'waiting for the first state'
# How long another policy runs silently beside the one that walks before it takes over [s].
SILENT_S = 1.0
# A greater age is not a delay: the clocks differ [s].
CLOCK_DIFFERENCE_S = 10.0


class RecurrentPolicy(Protocol):
    """What the controller needs from a policy; robots run a :class:`velora_ros.policy.Policy`."""

    @property
    def spec(self) -> PolicySpec:
        """The policy's specification."""

    @property
    def hidden(self) -> Array:
        """The hidden state, shape (hidden,)."""

    def reset(self) -> None:
        """Set the hidden state to zero; the next step counts as one control period."""

    def step(self, observation: Array, dt: float | None) -> Array:
        """
        Advance by ``dt`` [s], None being one control period; return the action, shape (action,).

        Raises:
            ObservationError: the observation is not finite, or cannot be used for another reason; the hidden state is
                as before.
        """


@dataclass
class Successor:
    """A policy that runs silently beside the one that commands: its steps so far, and how many it needs."""

    policy: RecurrentPolicy
    normalisation: Normalisation | None
    needed: int
    steps: int = 0


class Status(NamedTuple):
    """The controller's status: a level (``ok``, ``warn``, ``error``), a state and, if there is one, the reason."""

    level: str
    state: str
    reason: str

    @property
    def text(self) -> str:
        """State and reason in one line."""
        return f'{self.state}: {self.reason}' if self.reason else self.state


class Controller:
    """
    Runs a recurrent policy on a robot's observations and decides what may be commanded.

    Every method that may lead to a command returns it, one number for each action, in SI units, finite and within the
    bounds, or None for "publish nothing". The controller is armed or disarmed; a latched fault silences an armed one.
    While disarmed, it keeps stepping the policy. Times: ``stamp`` and ``now`` [ns] on the robot's clock, ``steady`` [s]
    on a clock that never jumps.

    Args:
        policy: the policy, warmed up.
        settings: the user's limits.
        fault: a fault latched by the controller that this one replaces.
        waiting: the reason in the status until the first state comes.
        measures_joints: whether :meth:`decide` gets the positions of the commanded joints.
        normalisation: mean and inverse deviation of each observation in training; None: not known.

    Raises:
        ConfigError: the settings do not fit the policy.
    """

    def __init__(
        self,
        policy: RecurrentPolicy,
        settings: Settings,
        fault: str = '',
        *,
        waiting: str = WAITING,
        measures_joints: bool = False,
        normalisation: Normalisation | None = None,
    ) -> None:
        self.safety = Safety(policy.spec, settings)
        if self.safety.increments and not measures_joints:
            raise ConfigError(
                'the policy moves position targets from where the joints are, and no source of joint states has them; '
                "add one to 'observation.sources', or send its speeds with 'command.interface' velocity."
            )
        self.counts: Counter[str] = Counter()
        """Observations, commands, fallbacks, and ``reset.<cause>``, ``rejected.<cause>``, ``fault.<cause>``."""
        self.armed = False
        self.fault = fault
        self._refusals: tuple[str, ...] = ()
        self._arm_later = False  # arm as soon as nothing is left to confirm
        self.policy_action: Array | None = None
        """The policy's last action, in its own units; None if the last observation did not reach the policy."""
        self.clock_step = 0.0
        """Length of the steps in which the robot's clock advances [s]; 0 for a clock that runs evenly."""
        self.dt: float | None = None
        """Elapsed time of the last step [s]; None for one control period."""
        self._policy = policy
        self._reason = self._waiting = waiting
        self._successor: Successor | None = None
        self._zeroed = False  # whether the fallback was sent because the input became too old
        self._last_stamp: int | None = None
        self._last_input: float | None = None
        self._ramp_and_slew = RampAndSlew()
        self.last_action: Array = np.zeros(policy.spec.action_dim)
        """The policy's action of the step before, in its own units; zero after a reset; the array stays the same."""
        self._take_over = TakeOver(self.safety, measures_joints=measures_joints)
        self._targets = self.safety.targets() if self.safety.increments else None
        self._normalisation = normalisation
        self._latches = Latches(policy.spec, settings, normalisation)

    @property
    def is_waiting(self) -> bool:
        """Whether no state has arrived since the controller was created."""
        return self._reason == self._waiting

    @property
    def policy(self) -> RecurrentPolicy:
        """The running policy."""
        return self._policy

    @property
    def settings(self) -> Settings:
        """The limits; setting them checks all of them first (ConfigError) and then changes all at once."""
        return self.safety.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.safety = Safety(self._policy.spec, settings)
        self._take_over.safety = self.safety
        self._latches = Latches(self._policy.spec, settings, self._normalisation)

    @property
    def refusals(self) -> tuple[str, ...]:
        """
        Reasons not to arm, one sentence each; setting them never disarms.

        When the last one is removed, a controller that was to be armed on activation is armed.
        """
        return self._refusals

    @refusals.setter
    def refusals(self, refusals: Iterable[str]) -> None:
        self._refusals = tuple(refusals)
        if not self._refusals and self._arm_later:
            self.arm()

    @property
    def status(self) -> Status:
        """The level, the state and its reason."""
        if self.fault:
            return Status('error', 'fault', self.fault)
        if self._refusals and not self.armed:
            return Status('warn', 'disarmed', '; '.join(self._refusals))
        fine = self._reason in ('', self._waiting)
        state = self._take_over.state if self.armed else 'disarmed'
        return Status('ok' if fine else 'warn', state, self._reason)

    def decide(
        self, observation: Array, stamp: int, now: int, steady: float, measured: Command | None = None
    ) -> Command | None:
        """
        Step the policy with an observation and return the command, or None.

        Args:
            observation: shape (observation,), in the policy's order.
            stamp: when it was measured [ns].
            now: the time on the same clock [ns].
            steady: the time on the steady clock [s].
            measured: positions of the commanded joints [rad or m]; None if they are not read.

        Returns:
            A command; None when disarmed, faulted, or when the observation must not be used (:attr:`status` has the
            reason). Right after the policy failed, the fallback command.
        """
        self.policy_action = None
        if not self._is_usable(stamp, now):
            return None
        if measured is not None and not _finite(measured):
            self.reject('not_finite', f'the measured positions of the joints are {measured}; they must be finite')
            return None
        dt = self._elapsed(stamp)
        try:
            action = self._policy.step(observation, dt)
        except ObservationError as error:
            finite = _finite(observation.tolist())
            self.reject('unusable' if finite else 'not_finite', str(error) if finite else self._not_finite(observation))
            return None
        if self._successor is not None:
            self._run_silently(self._successor, observation, dt)
        self.dt, self.policy_action = dt, action
        self._last_stamp, self._last_input, self._zeroed = stamp, steady, False
        self.counts['observations'] += 1
        self.last_action[:] = action
        return self._commanded(action, observation, steady, measured)

    def _is_usable(self, stamp: int, now: int) -> bool:
        if why := self._staleness((now - stamp) / NANOSECONDS):
            self.reject('stale', why)
        elif stamp == self._last_stamp:
            self.reject(
                'duplicate',
                'the state has the same stamp as the previous one; stamp each state when it is measured, and check '
                'that /clock advances where use_sim_time is set',
            )
        else:
            return True
        return False

    def _staleness(self, age: float) -> str:
        """
        Return why a state of this age [s] must not be used, or ``''`` if it may be.

        A clock that advances in steps lags by up to one step, so a state may be ahead of it by that much more.
        """
        limit = self.safety.max_state_age
        if -limit - self.clock_step <= age <= limit:
            return ''
        if age < 0 or age > CLOCK_DIFFERENCE_S:
            where = f'{-age:.3g} s in the future' if age < 0 else f'{age:.3g} s old'
            return f'the state is {where}: clocks differ, check use_sim_time or time synchronisation'
        return f'the state is {age:.3g} s old, above max_state_age_s ({limit:g} s)'

    def _elapsed(self, stamp: int) -> float | None:
        """Return the time since the last observation [s]; None, after a reset, for one control period."""
        if self._last_stamp is None:
            return None
        dt = (stamp - self._last_stamp) / NANOSECONDS
        if dt < 0 or dt > self.safety.max_gap:
            self.reset('time_backwards' if dt < 0 else 'gap')
            return None
        return dt

    def begins(self, stamp: int) -> bool:
        """Return whether an observation of this stamp [ns] is the first after a reset, or causes one."""
        if self._last_stamp is None:
            return True
        dt = (stamp - self._last_stamp) / NANOSECONDS
        return dt < 0 or dt > self.safety.max_gap

    def _commanded(self, action: Array, observation: Array, steady: float, measured: Command | None) -> Command | None:
        """Return the command for an action if the policy is sound and commanding is allowed."""
        wanted: Command = action.tolist()
        if not (_finite(wanted) and _finite(self._policy.hidden.tolist())):
            self.reset('not_finite')
            return self._latch('policy', "the policy's action or hidden state is not finite")
        if self.fault and self.settings.auto_recover and self.fault != EMERGENCY_STOP:
            self.fault = ''
        self._reason = ''
        if not self.armed or not self._take_over.done:
            self._take_over.look(observation, measured)
        if not self.armed or self.fault:
            return None
        if not self._take_over.done:
            return self._approach(steady, measured)
        if self._latches.on and (why := self._latches.judge(observation)):
            return self._latch('latch', why)
        self.counts['commands'] += 1
        target = self._target(wanted, measured)
        return self._ramp_and_slew.next(target, observation, steady, self.safety, measured)

    def _target(self, action: Command, measured: Command | None) -> Command:
        """Return the command for the policy's action, before ramp and slew rate."""
        if self._targets is None or measured is None:
            return self.safety.command(action)
        return self._targets.next(self.safety.speeds(action), measured)

    def _approach(self, steady: float, measured: Command | None) -> Command | None:
        """Return the command on the way to the start pose; the policy takes over with the next state when it may."""
        if why := self._take_over.refusal:
            return self._latch('posture', why)
        if measured is None:
            return None
        command = self._take_over.next(measured, steady)
        self._ramp_and_slew.note(command, steady)
        if self._take_over.done:
            self.reset('take_over')
        self.counts['approaches'] += 1
        return command

    def start(self) -> str:
        """Let the policy take over as soon as the start pose is reached; return '', or why that cannot be."""
        if not self.armed or self.fault:
            return 'the robot is not armed; call ~/arm first.'
        return self._take_over.start()

    def repeat(self, now: int, steady: float) -> Command | None:
        """
        Return the command for a tick of a fixed rate without a new observation, while the last one is fresh.

        The hidden state stays. A ramp or a slew-limited command continues to the policy's last action.
        """
        if not self.armed or self.fault or self._last_stamp is None:
            return None
        if why := self._staleness((now - self._last_stamp) / NANOSECONDS):
            self._reason = why
            return None
        command = self._ramp_and_slew.repeat(steady, self.safety)
        self.counts['repeats'] += command is not None
        return command

    def reject(self, cause: str, reason: str) -> None:
        """Count an input that cannot be used and keep the reason for the status; nothing else changes."""
        self.counts[f'rejected.{cause}'] += 1
        self._reason = reason

    def watchdog(self, steady: float) -> Command | None:
        """
        Latch a fault if an armed controller has had no usable state for too long; return the fallback then.

        Silence counts from the first usable state after arming.
        """
        silence = self._silence(steady)
        if silence <= self.safety.watchdog_timeout:
            return None
        because = f'; the last one was refused: {self._reason}' if self._reason else ''
        return self._latch(
            'watchdog', f'no usable state for {silence:.3g} s (limit {self.safety.watchdog_timeout:g} s){because}'
        )

    def until_watchdog(self, steady: float) -> float:
        """Return the time [s] until :meth:`watchdog` can next latch a fault if no state comes."""
        return self.safety.watchdog_timeout - self._silence(steady)

    def until_zero(self, steady: float) -> float:
        """Return the time [s] until :meth:`zero` must be called if no state comes; inf if it need not."""
        if self._zeroed or not self.safety.zeroes_at_once:
            return math.inf
        return self.safety.max_state_age - self._silence(steady)

    def zero(self, steady: float) -> Command | None:
        """Return the fallback once, as soon as velocities or efforts would outlive their input; else None."""
        if self.until_zero(steady) > 0 or not self.armed or self.fault:
            return None
        self._zeroed = True
        return self._fallback()

    def _silence(self, steady: float) -> float:
        """Return the time without a usable state [s]; 0 while none is expected."""
        if not self.armed or self.fault or self._last_input is None:
            return 0.0
        return steady - self._last_input

    def emergency_stop(self) -> Command | None:
        """Latch the emergency stop, armed or not; return the fallback."""
        return None if self.fault == EMERGENCY_STOP else self._latch('emergency_stop', EMERGENCY_STOP)

    def clear_fault(self) -> None:
        """
        Clear a latched fault; the controller is disarmed afterwards, unless ``auto_recover`` is set.

        Without a fault nothing changes: an armed controller keeps commanding.
        """
        if self.fault:
            self.fault = ''
            self.armed = self.armed and self.settings.auto_recover
            self._await_state()

    def arm(self) -> bool:
        """Start commanding with the next state; return False while a fault is latched or :attr:`refusals` remain."""
        if not self.fault and not self.armed and not self.why_not_armed:
            self.armed = True
            self._arm_later = False
            self._begin()
        return self.armed and not self.fault

    @property
    def why_not_armed(self) -> tuple[str, ...]:
        """Reasons not to arm: :attr:`refusals`, and a posture from which the robot must not move."""
        return (*self._refusals, *([self._take_over.refusal] if self._take_over.refusal else []))

    def disarm(self) -> Command | None:
        """Stop commanding; return the fallback if it was commanding."""
        fallback = self._fallback()
        self.armed = self._arm_later = False
        self._end_silence()
        return fallback

    def _end_silence(self) -> None:
        """Let a policy that runs silently take over at once, when the robot is not commanded any more."""
        if self._successor is not None:
            self._continue_with(self._successor.policy, self._successor.normalisation)
            self.reset('swap')

    def reset(self, cause: str) -> None:
        """Reset the hidden state; the next step counts as one control period."""
        self._policy.reset()
        if self._successor is not None:
            self._successor.policy.reset()
            self._successor.steps = 0
        self._last_stamp = None
        self.last_action[:] = 0.0
        if self._targets is not None:
            self._targets.begin()
        self.counts[f'reset.{cause}'] += 1

    def activate(self, *, arm: bool) -> None:
        """
        Begin with a fresh hidden state, watchdog and last command; a latched fault stays.

        Args:
            arm: arm now, or as soon as :attr:`refusals` is empty.
        """
        self.reset('activation')
        self._begin()
        self.armed = arm and not self._refusals
        self._arm_later = arm and not self.armed

    def swap(self, policy: RecurrentPolicy, normalisation: Normalisation | None = None) -> None:
        """
        Continue with another policy of the same specification, from a fresh hidden state.

        While the robot of a policy with a contract is commanded, the other policy reads the same observations silently
        for :data:`SILENT_S` before it takes over, with the hidden state that it has by then.

        Args:
            policy: the policy, warmed up.
            normalisation: mean and inverse deviation of each observation in its training; None: not known.

        Raises:
            ConfigError: the settings do not fit it; the old policy stays.
        """
        Safety(policy.spec, self.settings)
        if policy.spec.contract is not None and self.armed and not self.fault and self._take_over.done:
            policy.reset()
            self._successor = Successor(policy, normalisation, math.ceil(SILENT_S / policy.spec.control_period))
            return
        self._continue_with(policy, normalisation)
        self.reset('swap')

    def _continue_with(self, policy: RecurrentPolicy, normalisation: Normalisation | None) -> None:
        """Let another policy command from now on, with the limits and latches that follow from it."""
        self._policy, self._normalisation, self._successor = policy, normalisation, None
        self.settings = self.settings

    def _run_silently(self, successor: Successor, observation: Array, dt: float | None) -> None:
        """Step the policy that is to take over; it does with the next observation if it has run for long enough."""
        try:
            successor.policy.step(observation, None if successor.steps == 0 else dt)
        except ObservationError:
            return
        successor.steps += 1
        if successor.steps >= successor.needed:
            self._continue_with(successor.policy, successor.normalisation)
            self.counts['swap.taken_over'] += 1

    def _begin(self) -> None:
        """Forget what was commanded before: the robot may be anywhere now."""
        self._await_state()
        self._ramp_and_slew.begin()
        self._take_over.begin()
        self._zeroed = False

    def _await_state(self) -> None:
        """Measure silence only from the next usable state on; the status says that no state has arrived."""
        self._last_input, self._reason = None, self._waiting

    def _latch(self, cause: str, reason: str) -> Command | None:
        fallback = self._fallback()
        self._arm_later = False
        self._end_silence()
        if self.fault != EMERGENCY_STOP:  # a later fault must not replace it, for that one could clear by itself
            self.fault = reason
        self.counts[f'fault.{cause}'] += 1
        return fallback

    def _fallback(self) -> Command | None:
        """Return the command with which commanding ends; None if it was not commanding."""
        if not self.armed or self.fault:
            return None
        last = self._ramp_and_slew.last
        command = self.safety.fallback(last)
        self._ramp_and_slew.interrupt(last if command is None else command)
        self.counts['fallbacks'] += command is not None
        return command

    def _not_finite(self, observation: Array) -> str:
        names = self._policy.spec.observation_names
        bad = [
            f"'{name}' is {value}" for name, value in zip(names, observation, strict=False) if not math.isfinite(value)
        ]
        return f'the state is not finite: {", ".join(bad)}'


def _finite(numbers: list[float]) -> bool:
    """Return whether all numbers are finite. A finite sum proves it and is the fastest test for a dozen numbers."""
    return math.isfinite(sum(numbers)) or all(map(math.isfinite, numbers))
