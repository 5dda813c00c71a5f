"""The controller: one tick from an observation to a command, the rules of arming, faults and the hidden state."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from velora_ros.control.motion import Motion
from velora_ros.control.observation import NANOSECONDS
from velora_ros.control.safety import Array, Command, Safety, Settings
from velora_ros.errors import ObservationError
from velora_ros.spec import PolicySpec

EMERGENCY_STOP = 'emergency stop'
WAITING = 'waiting for the first state'


class RecurrentPolicy(Protocol):
    """What the controller needs of a policy."""

    @property
    def spec(self) -> PolicySpec:
        """What goes in and comes out."""

    @property
    def hidden(self) -> Array:
        """The hidden state, shape (hidden,)."""

    def reset(self) -> None:
        """Forget everything; the next step counts as one control period."""

    def step(self, observation: Array, dt: float | None) -> Array:
        """
        Advance by ``dt`` [s], None being one control period; return the action, shape (action,).

        Raises:
            ObservationError: the observation is not finite, or cannot be used for another reason; the hidden state is
                as before.
        """


class Status(NamedTuple):
    """What to tell people: a level (``ok``, ``warn``, ``error``), a state and, when there is one, the reason."""

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
    bounds, or None for "publish nothing". It is armed or disarmed, and a latched fault keeps an armed one silent.
    Disarmed, the hidden state goes on. Times: ``stamp`` and ``now`` [ns] on the robot's clock, ``steady`` [s] on one
    that never jumps.

    Args:
        policy: the policy, warmed up.
        settings: the user's limits.
        fault: a fault latched before, by a controller that this one replaces.
        waiting: what the status says until the first state comes.

    Raises:
        ConfigError: the settings do not fit the policy.
    """

    def __init__(self, policy: RecurrentPolicy, settings: Settings, fault: str = '', *, waiting: str = WAITING) -> None:
        self.safety = Safety(policy.spec, settings)
        self.counts: Counter[str] = Counter()
        """Observations, commands, fallbacks, and ``reset.<cause>``, ``rejected.<cause>``, ``fault.<cause>``."""
        self.armed = False
        self.fault = fault
        self._refusals: tuple[str, ...] = ()
        self._arm_later = False  # to be armed as soon as nothing is left to confirm
        self.raw_action: Array | None = None
        """What the policy answered in the last tick, in its own units; None when it was not asked."""
        self.clock_step = 0.0
        """How far the robot's clock advances at a time [s]; 0 for one that runs evenly."""
        self.dt: float | None = None
        """Elapsed time of the last step [s]; None for one control period."""
        self._policy = policy
        self._note = self._waiting = waiting
        self._last_stamp: int | None = None
        self._last_input: float | None = None
        self._motion = Motion()

    @property
    def waits(self) -> bool:
        """Whether no state came yet since the controller began."""
        return self._note == self._waiting

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

    @property
    def refusals(self) -> tuple[str, ...]:
        """
        Why it must not be armed, one sentence each; setting them never disarms.

        When the last one is gone, a controller that was to be armed on activation is armed.
        """
        return self._refusals

    @refusals.setter
    def refusals(self, refusals: Iterable[str]) -> None:
        self._refusals = tuple(refusals)
        if not self._refusals and self._arm_later:
            self.arm()

    @property
    def status(self) -> Status:
        """State and reason, for people."""
        if self.fault:
            return Status('error', 'fault', self.fault)
        if self._refusals and not self.armed:
            return Status('warn', 'disarmed', '; '.join(self._refusals))
        fine = self._note in ('', self._waiting)
        return Status('ok' if fine else 'warn', 'armed' if self.armed else 'disarmed', self._note)

    def tick(self, observation: Array, stamp: int, now: int, steady: float) -> Command | None:
        """
        Take one observation and return the command for it, or None.

        Args:
            observation: shape (observation,), in the policy's order.
            stamp: when it was measured [ns].
            now: the time on the same clock [ns].
            steady: the time on the steady clock [s].

        Returns:
            A command; None when disarmed, faulted, or when the observation must not be used (:attr:`status` says why).
            Right after the policy failed, the fallback command.
        """
        self.raw_action = None
        if not self._usable(stamp, now):
            return None
        dt = self._elapsed(stamp)
        try:
            action = self._policy.step(observation, dt)
        except ObservationError as error:
            finite = _finite(observation.tolist())
            self.reject('unusable' if finite else 'not_finite', str(error) if finite else self._not_finite(observation))
            return None
        self.dt, self.raw_action = dt, action
        self._last_stamp, self._last_input = stamp, steady
        self.counts['observations'] += 1
        return self._judged(action, observation, steady)

    def repeat(self, now: int, steady: float) -> Command | None:
        """
        Return the command for a tick without a new observation: the last one, while what it answered is fresh.

        The hidden state stays. A command that is still on its way to what the policy wanted goes on.
        """
        if not self.armed or self.fault or self._last_stamp is None:
            return None
        if why := self.safety.stale((now - self._last_stamp) / NANOSECONDS, self.clock_step):
            self._note = why
            return None
        command = self._motion.further(steady, self.safety)
        self.counts['repeats'] += command is not None
        return command

    def reject(self, cause: str, reason: str) -> None:
        """Count an input that cannot be used and remember why; nothing else changes."""
        self.counts[f'rejected.{cause}'] += 1
        self._note = reason

    def watchdog(self, steady: float) -> Command | None:
        """
        Latch a fault when an armed controller has had no usable state for too long; return the fallback then.

        Silence counts from the first usable state after arming on.
        """
        silence = self._silence(steady)
        if silence <= self.safety.watchdog_timeout:
            return None
        because = f'; the last one was refused: {self._note}' if self._note else ''
        return self._latch(
            'watchdog', f'no usable state for {silence:.3g} s (limit {self.safety.watchdog_timeout:g} s){because}'
        )

    def until_watchdog(self, steady: float) -> float:
        """Return after how long [s] :meth:`watchdog` can next find too long a silence, if no state comes until then."""
        return self.safety.watchdog_timeout - self._silence(steady)

    def emergency_stop(self) -> Command | None:
        """Latch the emergency stop, armed or not; return the fallback."""
        return None if self.fault == EMERGENCY_STOP else self._latch('emergency_stop', EMERGENCY_STOP)

    def clear_fault(self) -> None:
        """
        Clear a latched fault; the controller is disarmed afterwards, unless ``auto_recover`` is set.

        Without one nothing changes: who commands goes on, rather than falling silent without a fallback.
        """
        if self.fault:
            self.fault = ''
            self.armed = self.armed and self.settings.auto_recover
            self._await_state()

    def arm(self) -> bool:
        """Start commanding with the next state; return False while a fault is latched or something refuses it."""
        if not self.fault and not self.armed and not self._refusals:
            self.armed = True
            self._arm_later = False
            self._begin()
        return self.armed and not self.fault

    def disarm(self) -> Command | None:
        """Stop commanding; return the fallback if it was commanding."""
        fallback = self._fallback()
        self.armed = self._arm_later = False
        return fallback

    def reset(self, cause: str) -> None:
        """Forget the hidden state; the next step counts as one control period."""
        self._policy.reset()
        self._last_stamp = None
        self.counts[f'reset.{cause}'] += 1

    def activate(self, *, arm: bool) -> None:
        """
        Begin afresh: hidden state, watchdog and last command; armed on demand. A latched fault stays.

        With ``arm`` and :attr:`refusals` it waits until there are none.
        """
        self.reset('activation')
        self._begin()
        self.armed = arm and not self._refusals
        self._arm_later = arm and not self.armed

    def swap(self, policy: RecurrentPolicy) -> None:
        """
        Continue with another policy of the same specification, from a fresh hidden state.

        Raises:
            ConfigError: the settings do not fit it; the old policy stays.
        """
        self.safety = Safety(policy.spec, self.settings)
        self._policy = policy
        self.reset('swap')

    def _usable(self, stamp: int, now: int) -> bool:
        if why := self.safety.stale((now - stamp) / NANOSECONDS, self.clock_step):
            self.reject('stale', why)
        elif stamp == self._last_stamp:
            self.reject(
                'duplicate',
                'the state has the stamp of the one before; stamp each state when it is measured, and check '
                'that /clock advances where use_sim_time is set',
            )
        else:
            return True
        return False

    def begins(self, stamp: int) -> bool:
        """Whether an observation of this stamp [ns] is the first one after a reset, one that it causes included."""
        if self._last_stamp is None:
            return True
        dt = (stamp - self._last_stamp) / NANOSECONDS
        return dt < 0 or dt > self.safety.max_gap

    def _elapsed(self, stamp: int) -> float | None:
        """Return the time since the last observation [s]; None, after a reset, for one control period."""
        if self._last_stamp is None:
            return None
        dt = (stamp - self._last_stamp) / NANOSECONDS
        if dt < 0 or dt > self.safety.max_gap:
            self.reset('time_backwards' if dt < 0 else 'gap')
            return None
        return dt

    def _judged(self, action: Array, observation: Array, steady: float) -> Command | None:
        """Let an action pass to the robot if the policy is sound and commanding is allowed."""
        wanted: Command = action.tolist()
        if not (_finite(wanted) and _finite(self._policy.hidden.tolist())):
            self.reset('not_finite')
            return self._latch('policy', 'the policy answered with numbers that are not finite')
        if self.fault and self.settings.auto_recover and self.fault != EMERGENCY_STOP:
            self.fault = ''
        self._note = ''
        if not self.armed or self.fault:
            return None
        self.counts['commands'] += 1
        return self._motion.towards(self.safety.commanded(wanted), observation, steady, self.safety)

    def _silence(self, steady: float) -> float:
        """Return how long no usable state came [s]; 0 while nobody waits for one."""
        if not self.armed or self.fault or self._last_input is None:
            return 0.0
        return steady - self._last_input

    def _begin(self) -> None:
        """Forget what was commanded before: nobody knows what happened to the robot since."""
        self._await_state()
        self._motion.begin()

    def _await_state(self) -> None:
        """Count silence from the next usable state on, and say that none came yet."""
        self._last_input, self._note = None, self._waiting

    def _latch(self, cause: str, reason: str) -> Command | None:
        fallback = self._fallback()
        self._arm_later = False
        if self.fault != EMERGENCY_STOP:  # whatever comes after it must not release it
            self.fault = reason
        self.counts[f'fault.{cause}'] += 1
        return fallback

    def _fallback(self) -> Command | None:
        """Return what to send when commanding ends now; None when it was not commanding."""
        if not self.armed or self.fault:
            return None
        command = self.safety.fallback(self._motion.last)
        self._motion.interrupt(self._motion.last if command is None else command)
        self.counts['fallbacks'] += command is not None
        return command

    def _not_finite(self, observation: Array) -> str:
        names = self._policy.spec.observation_names
        bad = [
            f"'{name}' is {value}" for name, value in zip(names, observation, strict=False) if not math.isfinite(value)
        ]
        return f'the state is not finite: {", ".join(bad)}'


def _finite(numbers: list[float]) -> bool:
    """Tell whether all are finite; when their sum is, they are, and for a dozen numbers it is the fastest to see."""
    return math.isfinite(sum(numbers)) or all(map(math.isfinite, numbers))
