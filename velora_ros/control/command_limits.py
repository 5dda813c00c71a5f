"""
Turns a policy's action into a safe command: SI units, bounds, ramp, slew rate; also gives the fallback on a fault.

:class:`Safety` holds the limits for one policy, :class:`RampAndSlew` remembers the last command and limits the next.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from velora_ros.contract.actions import action_meaning
from velora_ros.contract.joint_signals import UNITS, signal_name
from velora_ros.control.controller_settings import Settings
from velora_ros.control.interpolation import Interpolation
from velora_ros.control.limit_settings import checked_pose, line_duration, or_derived, slew_rates
from velora_ros.control.position_targets import MovingTargets
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]
Command = list[float]
"""One number for each action, in SI units. For a dozen numbers, a list is up to three times as fast as an array."""

# Multiples of the control period that a limit of -1 stands for.
STATE_AGE_PERIODS = 3.0
WATCHDOG_PERIODS = 10.0
GAP_PERIODS = 10.0


class Safety:
    """
    The limits of the commands of one policy.

    Args:
        spec: the policy's specification.
        settings: the user's settings.

    Raises:
        ConfigError: pose, rates, scale or offset do not fit the actions, the interface contradicts their names, or the
            rate of interpolated commands does not fit the control period.
    """

    def __init__(self, spec: PolicySpec, settings: Settings) -> None:
        period = spec.control_period
        self.settings = settings
        self.max_state_age = or_derived(settings.max_state_age_s, STATE_AGE_PERIODS * period)
        """Largest age of a state that gets a command [s]."""
        self.watchdog_timeout = or_derived(settings.watchdog_timeout_s, WATCHDOG_PERIODS * period)
        """Longest time without a usable state before a fault is latched [s]."""
        self.max_gap = or_derived(settings.max_gap_s, GAP_PERIODS * period)
        """Longest time between two states without a reset of the hidden state [s]."""
        self.longest_step = min(self.max_gap, GAP_PERIODS * period)
        """Longest time that counts for the slew rate [s], however long the pause between two commands was."""
        self.ramp = settings.ramp_s
        self.slew_rate = slew_rates(spec, settings.slew_rate)
        self.has_ramp_or_slew = self.ramp > 0 or any(settings.slew_rate)
        self.line = line_duration(settings.interpolate, period, self.max_state_age)
        """Time in which the sent command moves to a new command [s]; 0 if the new command is sent immediately."""
        self._spec = spec
        self._meaning = meaning = action_meaning(
            spec, scale=settings.scale, offset=settings.offset, interface=settings.interface
        )
        self._bounds = list(zip(meaning.low, meaning.high, strict=True))
        self._actions = list(zip(meaning.scale, meaning.offset, meaning.low, meaning.high, strict=True))
        self._held = self._held_actions()
        self._rest = self._resting_command()
        self.zeroes_at_once = spec.contract is not None and not all(self._held) and self._rest is not None
        """Whether the fallback is sent as soon as the input is too old, as for velocities and efforts."""

    @property
    def increments(self) -> bool:
        """Whether actions are the speeds at which the commanded positions move."""
        return self._meaning.increments

    @property
    def sent_signals(self) -> tuple[Sequence[str], Sequence[str]]:
        """The names and the SI units of the commands as they are sent; for increments, those of the positions."""
        names, units = self._spec.action_names, self._spec.action_units
        if not self.increments or self._spec.contract is None:
            return names, units
        positions = dict(zip(UNITS['velocity'], UNITS['position'], strict=True))
        fields = self._spec.contract.command.fields
        return [signal_name(field, 'position') for field in fields], [positions.get(unit, '') for unit in units]

    @property
    def start_pose(self) -> Command:
        """The start pose, within the bounds [rad or m]; empty if there is none or ``start_pose_speed`` is 0."""
        pose = list(self._meaning.start_pose)
        return self.clip(pose) if pose and self.settings.start_pose_speed else []

    @property
    def start_pose_speeds(self) -> Command:
        """Largest speed of each joint on the way to the start pose, at most its slew rate [rad/s or m/s]."""
        return [min(self.settings.start_pose_speed, rate) for rate in self.slew_rate]

    @property
    def reach(self) -> Command:
        """Deflection of each commanded joint's servo under the largest effort [rad or m]; empty if it is not known."""
        return list(self._meaning.reach)

    @property
    def joint_limits(self) -> list[tuple[float, float]]:
        """Lowest and highest position of each commanded joint [rad or m]; the policy's bounds are often narrower."""
        return list(self._meaning.limits)

    @property
    def spec(self) -> PolicySpec:
        """The policy's specification."""
        return self._spec

    def targets(self) -> MovingTargets:
        """Return the position targets that the actions move, for a policy with :attr:`increments`."""
        return MovingTargets(self._spec.control_period, self._meaning.reach, self._bounds)

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Lowest and highest command of each action, in SI units."""
        return list(self._bounds)

    def in_si(self, action: npt.ArrayLike) -> Array:
        """Return the SI values of the policy's actions, shape (..., action), not clipped."""
        return self._meaning.to_si(action)

    def bounded(self, action: Command) -> tuple[Command, Command]:
        """Return the SI values of the policy's actions (speeds for increments), and these values within the bounds."""
        values, commands = [], []
        for number, (scale, offset, low, high) in zip(action, self._actions, strict=True):
            value = number * scale + offset
            values.append(value)
            commands.append(low if value < low else high if value > high else value)
        return values, commands

    def clip(self, command: Command) -> Command:
        """Return a command clipped to its bounds."""
        return [
            low if value < low else high if value > high else value
            for value, (low, high) in zip(command, self._bounds, strict=True)
        ]

    def origin(self, observation: Array, command: Command, measured: Command | None = None) -> Command:
        """
        Return the command from which a ramp starts if no command was sent before, within the bounds.

        A position starts from the measured position of the joint. If the policy does not read that, it starts from the
        fallback pose or, without one, from ``command`` itself. Velocities and efforts start from zero. A position is
        measured in the policy's units, so the user's scale and offset are applied to it as to the policy's actions.

        Args:
            observation: the policy's observation, shape (observation,).
            command: the command for the policy's action.
            measured: positions of the commanded joints [rad or m]; None if they are not read directly.
        """
        if measured is not None and all(self._meaning.positions):
            return self.clip(measured)
        start = list(self._rest) if self.settings.fallback == 'pose' and self._rest else [0.0] * len(command)
        names = self._spec.observation_names
        for place, (name, is_position) in enumerate(zip(self._spec.action_names, self._meaning.positions, strict=True)):
            if not is_position:
                continue
            if name in names and self._spec.contract is None:
                start[place] = self._command_of_position(float(observation[names.index(name)]), place)
            elif self.settings.fallback != 'pose':
                start[place] = command[place]
        return self.clip(start)

    def _command_of_position(self, position: float, place: int) -> float:
        """Return the command that keeps the joint at ``position``, its measured value in the policy's units."""
        own = self._spec.scale[place], self._spec.offset[place]
        scale, offset = self._meaning.scale[place], self._meaning.offset[place]
        return position if own == (scale, offset) else (position - own[1]) / own[0] * scale + offset

    def fallback(self, last: Command | None) -> Command | None:
        """
        Return the fallback command, which is sent when the policy may no longer command.

        Args:
            last: the last command; None if there was none.

        Returns:
            A command within the bounds; None if nothing is to be sent.
        """
        if self._rest is None:
            return None
        if not any(self._held):
            return list(self._rest)
        if last is None:
            return None
        return [old if held else rest for old, held, rest in zip(last, self._held, self._rest, strict=True)]

    def _held_actions(self) -> tuple[bool, ...]:
        """Return for each action whether its fallback is its last command."""
        if self.settings.fallback == 'auto':
            return self._meaning.positions
        return (self.settings.fallback in ('hold', 'damp'),) * self._spec.action_dim

    def _resting_command(self) -> Command | None:
        if self.settings.fallback == 'none':
            return None
        if self.settings.fallback == 'pose':
            return checked_pose(self._spec, self.settings.fallback_pose, self._bounds)
        return self.clip([0.0] * self._spec.action_dim)


class RampAndSlew:
    """
    Remembers the last command and limits the next one, by a ramp after arming and by the slew rate.

    Every result is within the action's bounds, because the start and the policy's action are.
    Times are on the steady clock [s].
    """

    def __init__(self) -> None:
        self.last: Command | None = None
        """The last command that was sent, of the policy or the fallback; None if none was sent since :meth:`begin`."""
        self.target: Command | None = None
        """The command for the policy's last action; None after an interruption."""
        self.before_slew: Command = []
        """The last command of the policy before the slew rate was applied."""
        self._sent_at: float | None = None
        self._ramping = True
        self._ramp_from: Command | None = None
        self._ramp_began = 0.0
        self._line = Interpolation()

    def begin(self) -> None:
        """Start commanding; the last command is dropped, because the robot may have moved."""
        self.interrupt(None)

    def interrupt(self, last: Command | None) -> None:
        """Interrupt commanding; ``last`` is the fallback command or None, and the next command ramps in from it."""
        self.last, self.target, self._sent_at = last, None, None
        self._ramping, self._ramp_from = True, None
        self._line.end()

    def end_line(self) -> None:
        """End an interpolation; the next one begins at the last command that was sent."""
        self._line.end()

    def next(
        self, target: Command, observation: Array, steady: float, safety: Safety, measured: Command | None = None
    ) -> Command:
        """
        Return the next command on the way to a target.

        If a ramp, a slew rate or an interpolation is set, it begins at ``Safety.origin``: the robot's position, or zero
        for velocities and efforts.

        Args:
            target: the command for the policy's action, within the bounds.
            observation: the policy's observation, shape (observation,).
            steady: the time on the steady clock [s].
            safety: the limits.
            measured: positions of the commanded joints [rad or m]; None if they are not read directly.
        """
        if self.last is None and (safety.has_ramp_or_slew or safety.line):
            self.last = safety.origin(observation, target, measured)
        self.target = target
        if safety.line and self.last is not None:
            target = safety.clip(self._line.turn_to(target, self.last, steady, safety.line))
        return self._step(target, steady, safety)

    def note(self, command: Command, steady: float) -> None:
        """Record a command that was not limited here, sent at ``steady`` [s]; the next command starts from it."""
        self.interrupt(command)
        self._sent_at = steady

    def repeat(self, steady: float, safety: Safety) -> Command | None:
        """Return the next command on the way to the last target; None if there is no target."""
        return None if self.target is None else self._step(self.target, steady, safety)

    def interpolate(self, steady: float, safety: Safety) -> Command | None:
        """Return the next command of the interpolation; None if its target was returned, or there is no target."""
        if self._line.is_over or not safety.line:
            return None
        return self._step(safety.clip(self._line.at(steady)), steady, safety)

    def _step(self, command: Command, steady: float, safety: Safety) -> Command:
        if safety.has_ramp_or_slew and self.last is not None:
            if self._ramping:
                command = safety.clip(self._ramped(command, self.last, steady, safety.ramp))
            self.before_slew = command
            command = self._slewed(command, self.last, steady, safety)
        else:
            self.before_slew = command
            self._ramping = False  # a ramp that is set later begins at the next arming
        self.last, self._sent_at = command, steady
        return command

    def _ramped(self, command: Command, last: Command, steady: float, ramp: float) -> Command:
        if self._ramp_from is None:
            self._ramp_from, self._ramp_began = last, steady
        weight = (steady - self._ramp_began) / ramp if ramp > 0 else 1.0
        if weight >= 1:
            self._ramping = False
            return command
        return [start + weight * (value - start) for value, start in zip(command, self._ramp_from, strict=True)]

    def _slewed(self, command: Command, last: Command, steady: float, safety: Safety) -> Command:
        """Return a command between ``last`` and ``command``; it is within the bounds because both are."""
        elapsed = 0.0 if self._sent_at is None else max(steady - self._sent_at, 0.0)
        time = min(elapsed, safety.longest_step)  # a pause must not allow a jump
        return [
            value if abs(value - before) <= rate * time else before + math.copysign(rate * time, value - before)
            for value, before, rate in zip(command, last, safety.slew_rate, strict=True)
        ]
