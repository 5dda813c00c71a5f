"""The user's limits on what a controller may do: ages of states, watchdog, fallback, ramp, slew rate, scale."""

import math
from dataclasses import dataclass
from typing import Literal

from velora_ros.errors import ConfigError

FallbackKind = Literal['auto', 'zero', 'hold', 'pose', 'none', 'damp']


@dataclass(frozen=True)
class Settings:
    """
    The limits that a user may set. A time of -1 is derived from the control period T; 0 switches the check off.

    Args:
        max_state_age_s: an older state gets no command [s]; -1 is 3 T.
        watchdog_timeout_s: a longer silence latches a fault [s]; -1 is 10 T.
        max_gap_s: a longer gap between two states resets the hidden state [s]; -1 is 10 T.
        auto_recover: a usable state clears a fault, except an emergency stop; clearing a fault does not disarm.
        fallback: the command sent on a fault and at the end: ``zero``, ``hold`` the last command, a ``pose``, ``none``;
            ``auto`` holds positions and servos, and sets velocities, efforts and unknown actions to zero; ``damp``
            holds, and the message removes the stiffness.
        fallback_pose: the command of ``pose``, in action order and SI units.
        interface: the meaning of the commands (position, velocity, effort); ``''`` reads it from the action names.
        ramp_s: time after arming in which commands move from the robot's position to the policy's action [s]; 0 is off.
        slew_rate: fastest change of a command, in its SI unit per second: one for all or one for each; 0 is off.
        scale: SI value of one unit of the policy's action, one for each; empty: as in the policy file.
        offset: SI value of the policy's action at zero, one for each; empty: as in the policy file.
        interpolate: rate at which commands move linearly to the newest one over one period [Hz]; 0 is off.
        start_pose_speed: speed at which arming moves the joints to the start pose of the policy file [rad/s or m/s];
            0: the policy commands from the joints' current positions.
        start_when_ready: whether the policy takes over by itself when the start pose is reached.
        max_tilt: a robot that tilts by more is a fault [rad]; 0 is off.
        max_joint_speed: a joint that is faster is a fault [rad/s or m/s]; 0 is off.
        max_deviation: an observation farther from its mean in training is a fault [standard deviations]; 0 is off.

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
    interpolate: float = 0.0
    start_pose_speed: float = 0.5
    start_when_ready: bool = False
    max_tilt: float = 0.0
    max_joint_speed: float = 0.0
    max_deviation: float = 0.0

    def __post_init__(self) -> None:
        for name in ('max_state_age_s', 'watchdog_timeout_s', 'max_gap_s'):
            value = getattr(self, name)
            if value != -1 and not 0 <= value < math.inf:
                raise ConfigError(
                    f"'{name}' is {value:g} s; give a time, 0 to switch it off, or -1 to derive it from the policy."
                )
        single = 'ramp_s', 'interpolate', 'start_pose_speed', 'max_tilt', 'max_joint_speed', 'max_deviation'
        for name, values in (*((name, (getattr(self, name),)) for name in single), ('slew_rate', self.slew_rate)):
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
