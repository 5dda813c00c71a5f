"""
Derives settings of the controller and of the observation, and open confirmations, from policy_node's parameters.

The parameters themselves are in ``parameters.py``.
"""

import math
import re

from velora_ros.contract.sources import DEFAULT_SOURCES, ObservationSettings
from velora_ros.control import Settings
from velora_ros.control.command_limits import Safety
from velora_ros.errors import ConfigError
from velora_ros.nodes.policy.command_layout import DAMP
from velora_ros.nodes.policy.encoders import interface_of
from velora_ros.nodes.policy.parameters_with_contract import source_of
from velora_ros.nodes.ros.command_types import GAINS
from velora_ros.nodes.ros.parameter import Values
from velora_ros.policy import PolicyFile
from velora_ros.policy.foreign.foreign_policy_file import OnnxFile
from velora_ros.spec import PolicySpec, Source

# The name of an action without a meaning.
_NO_MEANING = re.compile(r'action_\d+')


def settings_of(values: Values) -> Settings:
    """
    Return the controller's settings.

    Raises:
        ConfigError: a time is negative and not -1, or the command's type and meaning contradict each other.
    """
    for name, value in values.items():
        if name.endswith('.max_age_s') and -1 < value < 0:
            raise ConfigError(
                f"'{name}' is {value:g} s; give a time above 0, 0 to disable the check, or -1 for max_state_age_s."
            )
    if values['fallback'] == DAMP and not set(GAINS) <= {*values['command.layout']}:
        raise ConfigError(
            "'fallback' is damp, which is possible only with stiffness and damping in 'command.layout'; add both, or "
            "set 'fallback' to hold."
        )
    _check_interpolation(values)
    return Settings(
        max_state_age_s=values['max_state_age_s'],
        watchdog_timeout_s=values['watchdog_timeout_s'],
        max_gap_s=values['max_gap_s'],
        auto_recover=values['auto_recover'],
        fallback=values['fallback'],
        fallback_pose=tuple(values['fallback_pose']),
        interface=interface_of(values['command.type'], values['command.interface'], values['command.fields']),
        ramp_s=values['ramp_s'],
        slew_rate=tuple(values['slew_rate']),
        interpolate=values['command.interpolate'],
        scale=tuple(values['command.scale']),
        offset=tuple(values['command.offset']),
        start_pose_speed=values['start_pose_speed'],
        start_when_ready=values['start_when_ready'],
        max_tilt=values['max_tilt'],
        max_joint_speed=values['max_joint_speed'],
        max_deviation=values['max_deviation'],
    )


def _check_interpolation(values: Values) -> None:
    """Refuse to interpolate a JointTrajectory, whose controller interpolates itself, or at a fixed rate."""
    if values['command.interpolate'] and values['command.type'] == 'JointTrajectory':
        raise ConfigError(
            "'command.interpolate' is not for a JointTrajectory, whose controller interpolates itself; omit "
            "'command.interpolate', or choose another 'command.type'."
        )
    if values['command.interpolate'] and values['rate_hz'] > 0:
        raise ConfigError(
            f"'command.interpolate' is {values['command.interpolate']:g} Hz and 'rate_hz' is {values['rate_hz']:g} Hz; "
            'both set the rate of commands, so omit one of them.'
        )


def open_confirmations(values: Values, file: PolicyFile | OnnxFile, safety: Safety, topic: str = '') -> list[str]:
    """
    Return the confirmations that are needed before this policy may be armed, one sentence each.

    Args:
        values: the node's parameters.
        file: the policy file.
        safety: the limits of the policy's commands.
        topic: the topic of the commands.
    """
    spec, sentences = file.spec, []
    if file.converted_units and not values['command.si_confirmed']:
        was = ', '.join(
            f"'{name}' was sent as at most {high:g} in units of {old}, and is now sent as at most {most:g} {unit}"
            for name, old, unit, high, (_, most) in zip(
                spec.action_names, file.converted_units, spec.action_units, spec.action_high, safety.bounds, strict=True
            )
            if old != unit
        )
        sentences.append(
            f'commands are now in SI units, but the policy file is of version 1: {was}. Remove a factor that was added '
            "by hand, then set 'command.si_confirmed' to true"
        )
    unknown = [
        name
        for name, unit in zip(spec.action_names, spec.action_units, strict=True)
        if not unit and _NO_MEANING.fullmatch(name)
    ]
    mapped = values['command.type'] not in ('', 'Float64MultiArray') or values['command.fields']
    # Joint controllers of ros2_control, such as forward_command_controller, subscribe to ~/commands, in SI units.
    if unknown and not mapped and topic.endswith('/commands') and not values['command.si_confirmed']:
        sentences.append(
            f"the training environment did not define the meaning of the policy's {', '.join(unknown)}, and '{topic}' "
            "is a topic of joint controllers. Set 'command.scale' and 'command.offset' if the controller does not "
            "expect the policy's own numbers, then set 'command.si_confirmed' to true"
        )
    carried = set(GAINS) <= {*values['command.layout']}
    if (advice := _gains(spec, values)) and not values['gains_confirmed'] and not carried:
        sentences.append(advice)
    if spec.control_period_assumed and not values['control_period_confirmed']:
        sentences.append(
            f"the policy's control period of {spec.control_period:g} s was assumed in training. If the robot's states "
            "have this period, set 'control_period_confirmed' to true; otherwise train again with the robot's period"
        )
    return sentences


def _gains(spec: PolicySpec, values: Values) -> str:
    """Return the sentence that asks to confirm the servos' gains; '' if the policy has no positions or no gains."""
    contract = spec.contract
    if contract is None or not contract.command.stiffness or values['command.interface'] not in ('', 'position'):
        return ''
    gains = zip(contract.command.stiffness, contract.command.damping or contract.command.stiffness, strict=True)
    pairs = ', '.join(f'{stiffness:g} and {damping:g}' for stiffness, damping in dict.fromkeys(gains))
    return (
        f'the policy sends position targets to servos with a stiffness and damping of {pairs} (velora_ros deploy'
        " shows the values of each joint). If the robot's servos have about these gains, set 'gains_confirmed' to true"
    )


def check_times(values: Values, safety: Safety) -> None:
    """
    Check the rate against the watchdog's timeout, which may depend on the policy.

    Raises:
        ConfigError: the fixed rate is too slow for the watchdog.
    """
    rate, timeout = values['rate_hz'], safety.watchdog_timeout
    if -1 < rate < 0:
        raise ConfigError(
            f"'rate_hz' is {rate:g} Hz; give a positive rate, 0 for a command per state, or -1 for a step per period."
        )
    if rate > 0 and 1 / rate >= timeout:
        raise ConfigError(
            f"'rate_hz' is {rate:g} Hz, one command every {1 / rate:.3g} s, but 'watchdog_timeout_s' is {timeout:g} s: "
            'the watchdog would fire between two commands. Raise one of them, or switch the watchdog off with 0.'
        )


def observation_of(values: Values) -> ObservationSettings:
    """
    Return the settings of the observation.

    Raises:
        ConfigError: a source has no type.
    """
    joints, vector = (source_of(source.name, values) for source in DEFAULT_SOURCES)
    return ObservationSettings(
        sources=tuple(_checked(source_of(name, values)) for name in values['observation.sources']),
        defaults=(joints, vector),
        fields=tuple(values['observation.fields']),
        scale=tuple(values['observation.scale']),
        offset=tuple(values['observation.offset']),
        transform=tuple(values['observation.transform']),
        nonfinite=tuple(values['observation.nonfinite']),
    )


def max_age(source: Source, values: Values, max_state_age: float) -> float:
    """Return the longest time between a source's values and the observation's stamp [s]; ``inf`` for no limit."""
    age: float = values[f'observation.{source.name}.max_age_s']
    return max_state_age if age == -1 else age or math.inf


def _checked(source: Source) -> Source:
    if not source.type:
        raise ConfigError(
            f"'observation.{source.name}.type' is empty; give the message type of '{source.topic}', for example Imu."
        )
    return source
