"""The user's settings of a controller: age limits, watchdog, fallback, ramp, slew rate, scale, start pose, faults."""

import math
from dataclasses import dataclass
from typing import Literal

from velora_ros.errors import ConfigError

FallbackKind = Literal['auto', 'zero', 'hold', 'pose', 'none', 'damp']


@dataclass(frozen=True)
class Settings:
    """
    The settings of a controller. A time of -1 is derived from the control period T; 0 switches the check off.

    Args:
        max_state_age_s: an older state gets no command [s]; -1 is 3 T.
        watchdog_timeout_s: a longer silence latches a fault [s]; -1 is 10 T.
        max_gap_s: a longer gap between two states resets the hidden state [s]; -1 is 10 T.
        auto_recover: a usable state clears a fault, except an emergency stop; clearing a fault does not disarm.
        fallback: the command that is sent on a fault and when commands end: ``zero``, ``hold`` (the last command),
            ``pose`` (``fallback_pose``) or ``none``. ``auto`` holds positions and sets velocities, efforts and unknown
            actions to zero. ``damp`` is ``hold`` with zero stiffness in the message.
        fallback_pose: the command of the fallback ``pose``, in action order and SI units.
        interface: the meaning of the commands (position, velocity, effort); ``''`` derives it from the action names.
        ramp_s: time after arming in which commands move from the robot's position to the policy's action [s]; 0 is off.
        slew_rate: fastest change of a command, in its SI unit per second: one number for all actions, or one for each;
            0 is off.
        scale: SI value of one unit of each of the policy's actions; if empty, the policy file's values.
        offset: SI value of each of the policy's actions at zero; if empty, the policy file's values.
        interpolate: rate at which commands move linearly to the newest one over one period [Hz]; 0 is off.
        start_pose_speed: speed at which arming moves the joints to the start pose of the policy file [rad/s or m/s];
            with 0, the policy commands from the joints' current positions.
        start_when_ready: whether the policy takes over by itself when the start pose is reached.
        max_tilt: a larger tilt of the robot is a fault [rad]; 0 is off.
        max_joint_speed: a higher speed of a joint is a fault [rad/s or m/s]; 0 is off.
        max_deviation: a larger distance of an observation from its mean in training is a fault [standard deviations];
            0 is off.

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
                    f"'{name}' is {value:g} s; give a time above 0, 0 to disable the check, or -1 to derive the time "
                    'from the policy.'
                )
        single = 'ramp_s', 'interpolate', 'start_pose_speed', 'max_tilt', 'max_joint_speed', 'max_deviation'
        for name, values in (*((name, (getattr(self, name),)) for name in single), ('slew_rate', self.slew_rate)):
            for value in values:
                if not 0 <= value < math.inf:
                    raise ConfigError(f"'{name}' has the value {value:g}; give a positive number, or 0 to disable it.")
        for value in self.scale:
            if value == 0 or not math.isfinite(value):
                raise ConfigError(
                    f"'command.scale' has the value {value:g}; give the SI value of one unit of the policy's action, a "
                    'finite number other than 0.'
                )
        for value in self.offset:
            if not math.isfinite(value):
                raise ConfigError(f"'command.offset' has the value {value:g}; give a finite number, in SI units.")
