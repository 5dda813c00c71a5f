"""The limits between a policy and a robot: how old an input may be, what a command may be, what goes out on a fault."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from velora_ros.contract.joint_signals import joint_signal
from velora_ros.errors import ConfigError
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]
Command = list[float]
"""One number for each action. For a dozen of them a list is faster than an array, three times so with cold caches."""
FallbackKind = Literal['auto', 'zero', 'hold', 'pose', 'none']

# Multiples of the control period that a limit of -1 stands for.
STATE_AGE_PERIODS = 3.0
WATCHDOG_PERIODS = 10.0
GAP_PERIODS = 10.0
# An age above this is no delay any more but two clocks that differ [s].
CLOCK_DIFFERENCE_S = 10.0
# A slew rate that limits nothing; infinity times an elapsed time of zero would be no number.
_UNLIMITED = 1e300


@dataclass(frozen=True)
class Settings:
    """
    What a user may set; times of -1 derive from the control period T, 0 switches the check off.

    Args:
        max_state_age_s: an older observation yields no command [s]; -1 is 3 T.
        watchdog_timeout_s: silence for longer is a latched fault [s]; -1 is 10 T.
        max_gap_s: a longer gap between two observations resets the hidden state [s]; -1 is 10 T.
        auto_recover: a fresh observation clears a fault (never an emergency stop), and clearing one keeps it armed.
        fallback: what goes out on a fault and at the end: ``zero``, ``hold`` the last command, a ``pose``, ``none``;
            ``auto`` holds positions and servos, and zeroes velocities, efforts and what is unknown.
        fallback_pose: the command of ``pose``, in action order and SI units.
        interface: the meaning of the commands (position, velocity, effort); ``''`` reads it from the action names.
        ramp_s: how long commands take from where the robot is to what the policy wants, after arming [s]; 0 is off.
        slew_rate: fastest change of a command, in its SI unit per second: one for all or one each; 0 is off.
        scale: SI value of one unit of the policy's action, one each; empty is what the policy file says.
        offset: SI value of the policy's action at zero, one each; empty is what the policy file says.

    Raises:
        ConfigError: a time is negative and not -1, or not finite; a rate is negative or not finite; a scale is zero
            or not finite; an offset is not finite.
    """

    max_state_age_s: float = -1.0
    watchdog_timeout_s: float = -1.0
    max_gap_s: float = -1.0
    auto_recover: bool = False
    fallback: FallbackKind = 'auto'
    fallback_pose: tuple[float, ...] = ()
    interface: str = ''
    ramp_s: float = 0.0
    slew_rate: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ('max_state_age_s', 'watchdog_timeout_s', 'max_gap_s'):
            value = getattr(self, name)
            if value != -1 and not 0 <= value < math.inf:
                raise ConfigError(
                    f"'{name}' is {value:g} s; give a time, 0 to switch it off, or -1 to derive it from the policy."
                )
        for name, values in (('ramp_s', (self.ramp_s,)), ('slew_rate', self.slew_rate)):
            for value in values:
                if not 0 <= value < math.inf:
                    raise ConfigError(f"'{name}' has {value:g}; it must be a positive number, or 0 to switch it off.")
        for value in self.scale:
            if value == 0 or not math.isfinite(value):
                raise ConfigError(
                    f"'command.scale' has {value:g}; it must be a finite number other than 0: the SI value of one unit "
                    "of the policy's action."
                )
        for value in self.offset:
            if not math.isfinite(value):
                raise ConfigError(f"'command.offset' has {value:g}; it must be a finite number, in SI units.")


class Safety:
    """
    Settings made definite for one policy.

    Commands are in SI units; :meth:`commanded` makes them of the policy's actions.

    Args:
        spec: the policy's specification.
        settings: the user's settings.

    Raises:
        ConfigError: pose, rates, scale or offset do not fit the actions, or the interface contradicts their names.
    """

    def __init__(self, spec: PolicySpec, settings: Settings) -> None:
        period = spec.control_period
        self.settings = settings
        self.max_state_age = _limit(settings.max_state_age_s, STATE_AGE_PERIODS * period)
        self.watchdog_timeout = _limit(settings.watchdog_timeout_s, WATCHDOG_PERIODS * period)
        self.max_gap = _limit(settings.max_gap_s, GAP_PERIODS * period)
        self.longest_step = min(self.max_gap, GAP_PERIODS * period)
        """Between two commands no more time than this counts towards the slew rate [s], gaps checked for or not."""
        self.ramp = settings.ramp_s
        self.slew_rate = _slew_rates(spec, settings.slew_rate)
        self.shapes = self.ramp > 0 or any(settings.slew_rate)
        """Whether commands differ from what the policy wants while it is within the bounds."""
        self._spec = spec
        self._scale = _each(spec, 'command.scale', settings.scale, spec.scale)
        self._offset = _each(spec, 'command.offset', settings.offset, spec.offset)
        low, high = self.in_si(spec.action_low), self.in_si(spec.action_high)
        self._bounds = [(min(pair), max(pair)) for pair in zip(low, high, strict=True)]
        self._affine = list(zip(self._scale, self._offset, *zip(*self._bounds, strict=True), strict=True))
        self._is_si = all(scale == 1 for scale in self._scale) and not any(self._offset)
        self._positions = _positions(spec, settings)
        self._held = self._held_actions()
        self._rest = self._resting_command()

    def stale(self, age: float, clock_step: float = 0.0) -> str:
        """
        Return why an input of this age [s] must not be used, or ``''`` when it may.

        A clock that advances by ``clock_step`` [s] at a time is behind by up to that much: so much more an input may be
        ahead of it.
        """
        if -self.max_state_age - clock_step <= age <= self.max_state_age:
            return ''
        if age < 0 or age > CLOCK_DIFFERENCE_S:
            where = f'{-age:.3g} s in the future' if age < 0 else f'{age:.3g} s old'
            return f'the state is {where}: clocks differ, check use_sim_time or time synchronisation'
        return f'the state is {age:.3g} s old, above max_state_age_s ({self.max_state_age:g} s)'

    @property
    def bounds(self) -> list[tuple[float, float]]:
        """Lowest and highest command of each action, in SI units."""
        return list(self._bounds)

    def in_si(self, action: Sequence[float]) -> Command:
        """Return the SI values of the policy's actions, within bounds or not."""
        return [
            float(value) * scale + offset
            for value, scale, offset in zip(action, self._scale, self._offset, strict=True)
        ]

    def commanded(self, action: Command) -> Command:
        """Return the command for what the policy answered: its SI value, within the bounds."""
        if self._is_si:
            return self.clipped(action)
        return [
            low if (command := value * scale + offset) < low else high if command > high else command
            for value, (scale, offset, low, high) in zip(action, self._affine, strict=True)
        ]

    def clipped(self, action: Command) -> Command:
        """Return a command within its bounds."""
        return [
            low if value < low else high if value > high else value
            for value, (low, high) in zip(action, self._bounds, strict=True)
        ]

    def origin(self, observation: Array, action: Command) -> Command:
        """
        Return where a robot is that was not commanded before, in terms of commands, within the bounds.

        A position is where its joint is measured; where it is not, the pose of the fallback, else the action itself.
        Velocities and efforts start from zero. The policy sees a joint as it was in training; a scale or an offset of
        the user's turns that into the robot's own position, as it does with the policy's commands.
        """
        start = list(self._rest) if self.settings.fallback == 'pose' and self._rest else [0.0] * len(action)
        names = self._spec.observation_names
        for place, (name, is_position) in enumerate(zip(self._spec.action_names, self._positions, strict=True)):
            if not is_position:
                continue
            if name in names:
                start[place] = self._as_commanded(float(observation[names.index(name)]), place)
            elif self.settings.fallback != 'pose':
                start[place] = action[place]
        return self.clipped(start)

    def _as_commanded(self, value: float, place: int) -> float:
        """Return the command that means a place which the policy would command as ``value``."""
        own, shift = self._spec.scale[place], self._spec.offset[place]
        if (own, shift) == (self._scale[place], self._offset[place]):
            return value
        return (value - shift) / own * self._scale[place] + self._offset[place]

    def fallback(self, last: Command | None) -> Command | None:
        """
        Return the command that goes out when the policy may not drive any more.

        Args:
            last: the last command, or None if there was none.

        Returns:
            A command within the bounds; None when nothing is to be sent.
        """
        if self._rest is None:
            return None
        if not any(self._held):
            return list(self._rest)
        if last is None:
            return None
        return [old if held else rest for old, held, rest in zip(last, self._held, self._rest, strict=True)]

    def _held_actions(self) -> list[bool]:
        """Return which actions hold their last command as the fallback."""
        if self.settings.fallback == 'auto':
            return self._positions
        return [self.settings.fallback == 'hold'] * self._spec.action_dim

    def _resting_command(self) -> Command | None:
        if self.settings.fallback == 'none':
            return None
        if self.settings.fallback == 'pose':
            return _pose(self._spec, self.settings.fallback_pose, self._bounds)
        return self.clipped([0.0] * self._spec.action_dim)


def _limit(value: float, derived: float) -> float:
    return derived if value == -1 else value or math.inf


def _each(spec: PolicySpec, name: str, given: tuple[float, ...], own: tuple[float, ...]) -> tuple[float, ...]:
    """Return what the user gave for each action, or what the policy file says."""
    if len(given) not in (0, spec.action_dim):
        raise ConfigError(
            f"'{name}' has {len(given)} values and the policy commands {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one for each, or omit it to use what the policy file says.'
        )
    return tuple(map(float, given)) or own


def _slew_rates(spec: PolicySpec, rates: tuple[float, ...]) -> list[float]:
    """Return the rate of each action; what is off is so large that it limits nothing."""
    if len(rates) not in (0, 1, spec.action_dim):
        raise ConfigError(
            f"'slew_rate' has {len(rates)} values and the policy commands {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one for all, or one for each.'
        )
    each = rates if len(rates) == spec.action_dim else (rates or (0.0,)) * spec.action_dim
    return [float(rate) if rate > 0 else _UNLIMITED for rate in each]


def _positions(spec: PolicySpec, settings: Settings) -> list[bool]:
    """Return which actions are positions."""
    meanings = [(joint_signal(name) or ('', ''))[1] for name in spec.action_names]
    if wrong := [meaning for meaning in meanings if settings.interface and meaning not in ('', settings.interface)]:
        raise ConfigError(
            f"the command means '{settings.interface}' by its type, fields or 'command.interface', but the policy's "
            f"actions are {', '.join(spec.action_names)}; choose a 'command.type' and 'command.fields' that can mean "
            f"'{wrong[0]}', and set 'command.interface' to '{wrong[0]}' or leave it empty."
        )
    meanings = [settings.interface or meaning for meaning in meanings]
    holds = spec.action_holds or (False,) * spec.action_dim
    return [meaning == 'position' or (hold and not meaning) for meaning, hold in zip(meanings, holds, strict=True)]


def _pose(spec: PolicySpec, pose: tuple[float, ...], bounds: list[tuple[float, float]]) -> Command:
    if len(pose) != spec.action_dim:
        raise ConfigError(
            f"'fallback_pose' has {len(pose)} values and the policy commands {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one for each, or choose another fallback.'
        )
    for name, unit, value, (low, high) in zip(spec.action_names, spec.action_units, pose, bounds, strict=True):
        if not low <= value <= high:
            raise ConfigError(
                f"'fallback_pose' has {value:g} for '{name}'; it must be from {low:g} to {high:g} {unit}".rstrip() + '.'
            )
    return [float(value) for value in pose]
