"""
Decides whether the policy may command: arming, the latched fault, resets, and the change to another policy.

``controller.py`` computes the commands. The supervisor uses ``arming.py``, ``watchdog.py``, ``state_times.py``,
``tilt_and_speed_latches.py``, ``standing_up.py`` and ``policy_swap.py``.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from velora_ros.control.arming import EMERGENCY_STOP, Arming
from velora_ros.control.changed_commands import ChangedCommands
from velora_ros.control.command_limits import Array, Command, RampAndSlew, Safety
from velora_ros.control.controller_settings import Settings
from velora_ros.control.policy_swap import SilentPolicy
from velora_ros.control.recurrent_policy import RecurrentPolicy
from velora_ros.control.standing_up import StandingUp
from velora_ros.control.state_times import StateTimes
from velora_ros.control.status import WAITING, Status
from velora_ros.control.tilt_and_speed_latches import Latches, Normalisation
from velora_ros.control.watchdog import Watchdog
from velora_ros.errors import ConfigError

MOVED = 'request'
"""The cause of a reset for a robot that was moved to another place, such as a simulated robot after a fall."""


class Supervisor:
    """
    Decides when the policy commands.

    Every method that may produce a command returns it, or None for "publish nothing". Arguments and errors are those of
    :class:`velora_ros.control.controller.Controller`.
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
                "the policy moves position targets from the joints' positions, but no source provides these; add a "
                "source of joint states to 'observation.sources', or send speeds with 'command.interface' velocity."
            )
        self.counts: Counter[str] = Counter()
        """Counts of observations, commands, fallbacks, ``reset.<cause>``, ``rejected.<cause>``, ``fault.<cause>``."""
        self.policy_action: Array | None = None
        """The policy's last action, in its own units; None if the last observation did not reach the policy."""
        self.dt: float | None = None
        """Elapsed time of the last step [s]; None for one control period."""
        self._policy = policy
        self._reason = self._waiting = waiting
        self._arming = Arming(fault)
        self._watchdog = Watchdog(self.safety)
        self._times = StateTimes(self.safety)
        self.begins = self._times.begins
        """Function: whether an observation with a stamp [ns] is the first after a reset, or causes a reset."""
        self._successor: SilentPolicy | None = None
        self._ramp_and_slew = RampAndSlew()
        self.changed = ChangedCommands(*self.safety.sent_signals)
        """Counts the commands that limits change."""
        self.last_action: Array = np.zeros(policy.spec.action_dim)
        """The policy's action in the previous step, in its own units; zero after a reset. Always the same array."""
        self._standing_up = StandingUp(self.safety, measures_joints=measures_joints)
        self._targets = self.safety.targets() if self.safety.increments else None
        self._normalisation = normalisation
        self._latches = Latches(policy.spec, settings, normalisation)

    @property
    def armed(self) -> bool:
        """Whether the controller is armed; even then, it sends no commands while a fault is latched."""
        return self._arming.armed

    @property
    def is_commanding(self) -> bool:
        """Whether commands may be sent: the controller is armed and no fault is latched."""
        return self._arming.is_commanding

    @property
    def fault(self) -> str:
        """The reason of the latched fault; '' if there is none."""
        return self._arming.fault

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
        """The settings. New settings are checked first, which may raise ConfigError, and then applied at once."""
        return self.safety.settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self.safety, self._latches = self.check(settings)
        self._watchdog.safety = self._times.safety = self.safety
        self._standing_up.limit(self.safety)

    def check(self, settings: Settings) -> tuple[Safety, Latches]:
        """
        Return the limits that settings make for the running policy, without changing anything.

        Raises:
            ConfigError: they do not fit it, or a policy that runs silently.
        """
        spec = self._policy.spec
        if self._successor is not None:
            Latches(spec, settings, self._successor.normalisation)
        return Safety(spec, settings), Latches(spec, settings, self._normalisation)

    @property
    def refusals(self) -> tuple[str, ...]:
        """
        Reasons not to arm, one sentence each; a new reason never disarms.

        When the last reason is removed, a controller that should have been armed on activation is armed.
        """
        return self._arming.refusals

    @refusals.setter
    def refusals(self, refusals: Iterable[str]) -> None:
        self._arming.refusals = tuple(refusals)
        if not self._arming.refusals and self._arming.is_pending:
            self.arm()
            self._arming.is_pending = False  # if its posture forbids it, a later setting must not arm the robot

    @property
    def status(self) -> Status:
        """The status: its level, the state of the controller, and the reason for it."""
        if self.fault:
            return Status('error', 'fault', self.fault)
        if self.refusals and not self.armed:
            return Status('warn', 'disarmed', '; '.join(self.refusals))
        fine = self._reason in ('', self._waiting)
        state = self._standing_up.state if self.armed else 'disarmed'
        return Status('ok' if fine else 'warn', state, self._reason)

    def start(self) -> str:
        """Let the policy take over as soon as the start pose is reached; return '', or the reason why it cannot."""
        if self.fault:
            return f'a fault is latched: {self.fault}. Call ~/clear_fault first.'
        if not self.armed:
            return 'the robot is not armed; call ~/arm first.'
        return self._standing_up.start()

    def reject(self, cause: str, reason: str) -> None:
        """Count an input that cannot be used, and show the reason in the status; nothing else changes."""
        self.counts[f'rejected.{cause}'] += 1
        self._reason = reason

    def emergency_stop(self) -> Command | None:
        """Latch the emergency stop, armed or not; return the fallback command."""
        return None if self.fault == EMERGENCY_STOP else self._latch('emergency_stop', EMERGENCY_STOP)

    def stop(self, reason: str) -> None:
        """Latch a fault because a command could not be sent; the fallback cannot be sent either."""
        self._latch('not_sent', reason)

    def clear_fault(self) -> None:
        """
        Clear a latched fault; the controller is disarmed afterwards, unless ``auto_recover`` is set.

        If there is no fault, nothing changes: an armed controller keeps commanding.
        """
        if self.fault:
            self._arming.clear(stay_armed=self.settings.auto_recover)
            self._await_state()

    def arm(self) -> bool:
        """Start commanding at the next state; return False if a fault or :attr:`why_not_armed` prevents it."""
        if not self.fault and not self.armed and not self.why_not_armed:
            self._arming.arm()
            self._begin()
        return self._arming.is_commanding

    @property
    def why_not_armed(self) -> tuple[str, ...]:
        """Reasons not to arm: :attr:`refusals`, and a posture from which the robot must not move."""
        return (*self.refusals, *([self._standing_up.refusal] if self._standing_up.refusal else []))

    def disarm(self) -> Command | None:
        """Stop commanding; return the fallback command if the controller was commanding."""
        fallback = self._fallback()
        self._arming.disarm()
        self._hand_over()
        return fallback

    def _hand_over(self) -> None:
        """Let a policy that runs silently take over immediately, because the robot is no longer commanded."""
        if self._successor is not None:
            self._continue_with(self._successor)
            self.reset('swap')

    def reset(self, cause: str) -> None:
        """
        Reset the hidden state; the next step counts as one control period.

        If the robot was moved to another place, there is no motion to continue: a policy that runs silently takes over,
        and a robot that stands up starts again from its measured pose.
        """
        if cause == MOVED:
            self._standing_up.restart()
            if self._successor is not None:
                self._end_silence(self._successor)
        self._policy.reset()
        if self._successor is not None:
            self._successor.reset()
        self._times.last = None
        self.last_action[:] = 0.0
        if self._targets is not None:
            self._targets.begin()
        self._ramp_and_slew.end_line()
        self.counts[f'reset.{cause}'] += 1

    def activate(self, *, arm: bool) -> None:
        """
        Start with a fresh hidden state, watchdog and last command; a latched fault remains.

        Args:
            arm: whether to arm, now or as soon as :attr:`refusals` is empty.
        """
        self.reset('activation')
        self._begin()
        self._arming.arm_when_possible(arm=arm)

    def swap(self, policy: RecurrentPolicy, normalisation: Normalisation | None = None) -> None:
        """
        Change to another policy of the same specification, with a fresh hidden state.

        If the policy has a contract and the robot is commanded, the new policy silently reads the same observations for
        a second before it takes over, so that its hidden state fits them.

        Args:
            policy: the policy, warmed up.
            normalisation: mean and inverse deviation of each observation in its training; None if not known.

        Raises:
            ConfigError: the settings do not fit the new policy; the old policy stays in use.
        """
        Safety(policy.spec, self.settings)
        Latches(policy.spec, self.settings, normalisation)
        self._successor = SilentPolicy(policy, normalisation)
        if policy.spec.contract is None or not self._arming.is_commanding or not self._standing_up.done:
            self._hand_over()

    def _end_silence(self, successor: SilentPolicy) -> None:
        """Let a policy that has run silently take over with its current hidden state."""
        self._continue_with(successor)
        self.counts['swap.taken_over'] += 1

    def _continue_with(self, successor: SilentPolicy) -> None:
        """Replace the policy, and the limits and latches that depend on it."""
        self._policy, self._normalisation, self._successor = successor.policy, successor.normalisation, None
        self.settings = self.settings
        self._ramp_and_slew.end_line()

    def _begin(self) -> None:
        """Drop the earlier commands, because the robot may have moved."""
        self._await_state()
        self._ramp_and_slew.begin()
        self._standing_up.begin()
        if self._targets is not None:
            self._targets.begin()
        self.changed.begin()

    def _await_state(self) -> None:
        """Measure silence only from the next usable state on; until then, the status is that no state has arrived."""
        self._watchdog.restart()
        self._reason = self._waiting

    def _latch(self, cause: str, reason: str) -> Command | None:
        fallback = self._fallback()
        self._hand_over()
        self._arming.latch(reason)
        self.counts[f'fault.{cause}'] += 1
        return fallback

    def _fallback(self) -> Command | None:
        """Return the last command before commanding ends; None if the controller was not commanding."""
        if not self._arming.is_commanding:
            return None
        last = self._ramp_and_slew.last
        command = self.safety.fallback(last)
        self._ramp_and_slew.interrupt(last if command is None else command)
        self.counts['fallbacks'] += command is not None
        return command
