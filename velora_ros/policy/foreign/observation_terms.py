"""Finds observation terms by their names in Isaac Lab, mjlab and legged_gym, and the sources of their values."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from velora_ros.contract.joint_signals import signal_name
from velora_ros.errors import PolicyFileError, did_you_mean
from velora_ros.policy.foreign.description import Term
from velora_ros.spec import Source
from velora_ros.spec.robot_contract import GAIT_CLOCK, LAST_ACTION

XYZ = ('x', 'y', 'z')
JOINTS = Source('joints', 'joint_states', 'JointState')
IMU = Source('imu', 'imu/data', 'Imu')
ODOMETRY = Source('odom', 'odom', 'Odometry')
COMMAND = Source('cmd_vel', 'cmd_vel', 'Twist', missing=(0.0,), max_age_s=0.5)
LAST = Source('last_action', '', LAST_ACTION)
_COMMANDED = ('linear.x', 'linear.y', 'angular.z')

GYRO, GRAVITY, BASE_VELOCITY, POSITIONS, VELOCITIES, EFFORTS, ACTIONS, TWIST, CLOCK = (
    'gyro', 'gravity', 'base_velocity', 'joint_positions', 'joint_velocities', 'joint_efforts', 'last_action', 'twist',
    'clock',
)  # fmt: skip
OTHER_NAMES = {
    GYRO: ('base_ang_vel', 'ang_vel', 'base_angular_velocity', 'imu_ang_vel', 'angular_velocity'),
    GRAVITY: ('projected_gravity', 'gravity_orientation', 'imu_projected_gravity', 'gravity_vec'),
    BASE_VELOCITY: ('base_lin_vel', 'lin_vel', 'base_linear_velocity', 'imu_lin_vel', 'linear_velocity'),
    POSITIONS: ('joint_pos', 'joint_pos_rel', 'dof_pos', 'joint_position', 'joint_positions_rel'),
    VELOCITIES: ('joint_vel', 'joint_vel_rel', 'dof_vel', 'joint_velocity', 'joint_velocities_rel'),
    EFFORTS: ('joint_effort', 'joint_torque', 'joint_torques'),
    ACTIONS: ('actions', 'action', 'last_actions', 'prev_action', 'prev_actions', 'previous_actions'),
    CLOCK: ('gait_phase', 'phase', 'gait_clock'),
    TWIST: ('command', 'commands', 'velocity_commands', 'velocity_command', 'cmd', 'vel_command', 'cmd_vel'),
}
"""The names of each term in other libraries."""
_KNOWN = {name: term for term, names in OTHER_NAMES.items() for name in (term, *names)}


class Entries(NamedTuple):
    """
    The values of a term: one entry of the observation for each.

    Args:
        source: the source of the values.
        fields: ``<source>:<field>`` of each value.
        names: the observation name of each value.
        units: the unit of each value; ``''`` if it is unknown.
        default: the number that is subtracted from each value.
    """

    source: Source
    fields: tuple[str, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    default: tuple[float, ...]


def known_term(name: str) -> str:
    """Return this package's name of a term; '' if the term is unknown, so that it needs its own topic."""
    return _KNOWN.get(name.lower(), '')


def is_of_joints(name: str) -> bool:
    """Return whether a term has a value for each joint."""
    return known_term(name) in (POSITIONS, VELOCITIES, EFFORTS)


def entries_of(
    term: Term, joints: Sequence[str], defaults: Sequence[float], units: Sequence[str], n_actions: int
) -> Entries:
    """
    Return the values of a term.

    Args:
        term: the term.
        joints: names of all joints.
        defaults: default position of each joint [rad or m]; empty if not known.
        units: unit of the position of each joint, ``rad`` or ``m``.
        n_actions: number of actions.

    Raises:
        PolicyFileError: the term is unknown and has no topic, or names a joint that does not exist.
    """
    kind = known_term(term.term)
    is_twist = kind == TWIST and not (term.size or term.topic)
    if (term.fields or term.size or term.topic) and not is_twist:
        return _own(term)
    if is_of_joints(term.term):
        return _of_joints(term, kind, joints, defaults, units)
    if kind == ACTIONS:
        numbers = range(n_actions)
        return _at(LAST, [str(i) for i in numbers], [f'{ACTIONS}.{i}' for i in numbers], '', term)
    if kind == TWIST:
        source = Source(COMMAND.name, COMMAND.topic, COMMAND.type, COMMAND.missing, max_age_s=COMMAND.max_age_s,
                        low=term.low, high=term.high)  # fmt: skip
        fields = term.fields or _COMMANDED
        found = _at(source, fields, [f'{TWIST}.{one}' for one in fields], '', term)
        return found._replace(units=tuple('rad/s' if one.startswith('angular') else 'm/s' for one in fields))
    if kind == CLOCK:
        return _clock(term)
    usual = {
        GYRO: (IMU, 'angular_velocity', 'rad/s'),
        GRAVITY: (IMU, 'orientation.gravity', ''),
        BASE_VELOCITY: (ODOMETRY, 'twist.twist.linear', 'm/s'),
    }
    if kind not in usual:
        raise PolicyFileError(
            f"its term '{term.term}' is not in any standard message; give the 'topic' and 'size' of the term in the "
            f'description.{did_you_mean(term.term, _KNOWN)}'
        )
    source, path, unit = usual[kind]
    return _at(source, [f'{path}.{axis}' for axis in XYZ], [f'{kind}.{axis}' for axis in XYZ], unit, term)


def _at(source: Source, fields: Sequence[str], names: Sequence[str], unit: str, term: Term) -> Entries:
    count = len(names)
    return Entries(
        source, tuple(f'{source.name}:{one}' for one in fields), tuple(names), (unit,) * count,
        spread(f"'default' of the term '{term.term}'", term.default, count) or (0.0,) * count,
    )  # fmt: skip


def _clock(term: Term) -> Entries:
    if not 0 < term.stride < math.inf:
        raise PolicyFileError(f"its term '{term.term}' is a gait clock; give its 'stride', a duration in seconds.")
    source = Source(
        CLOCK, '', GAIT_CLOCK, period_s=term.stride, moves_with=COMMAND.name if term.still_below else '',
        moves_above=term.still_below,
    )  # fmt: skip
    return _at(source, ('sin', 'cos'), [f'{CLOCK}.{one}' for one in ('sin', 'cos')], '', term)


def _of_joints(
    term: Term, kind: str, joints: Sequence[str], defaults: Sequence[float], units: Sequence[str]
) -> Entries:
    chosen = term.joints or tuple(joints)
    if not chosen:
        raise PolicyFileError(f"its term '{term.term}' has a value for each joint; give the names in 'joints'.")
    if unknown := [name for name in chosen if name not in joints]:
        raise PolicyFileError(
            f"its term '{term.term}' names the unknown joint '{unknown[0]}'.{did_you_mean(unknown[0], joints)}"
        )
    interface = {POSITIONS: 'position', VELOCITIES: 'velocity', EFFORTS: 'effort'}[kind]
    names = [signal_name(joint, interface) for joint in chosen]
    found = _at(JOINTS, names, names, '', term)
    own = dict(zip(joints, units, strict=True))
    ends = {'position': '', 'velocity': '/s'}
    unit = tuple(f'{own[one]}{ends[interface]}' if interface in ends else '' for one in chosen)
    start = dict(zip(joints, defaults, strict=False))
    if kind == POSITIONS and not term.default and start:
        found = found._replace(default=tuple(start[one] for one in chosen))
    return found._replace(units=unit)


def _own(term: Term) -> Entries:
    """Return the values of a term that is read from its own topic."""
    name = ''.join(letter if letter.isalnum() else '_' for letter in term.term)
    source = Source(name, term.topic or f'observation/{name}', term.type or 'Float64MultiArray',
                    low=term.low, high=term.high)  # fmt: skip
    if term.fields and term.size not in (0, len(term.fields)):
        raise PolicyFileError(
            f"its term '{term.term}' has {len(term.fields)} fields but the size {term.size}; correct or omit 'size'."
        )
    if not term.fields and not 0 < term.size <= 100_000:
        raise PolicyFileError(f"its term '{term.term}' is read from '{source.topic}'; give its 'size' or 'fields'.")
    fields = term.fields or tuple(str(i) for i in range(term.size))
    return _at(source, fields, [f'{name}.{i}' for i in range(len(fields))], '', term)


def spread(what: str, values: Sequence[float], count: int) -> tuple[float, ...]:
    """
    Return one value for each of ``count`` entries, from one for all or one for each; empty if ``values`` is empty.

    Raises:
        PolicyFileError: the number of values is wrong.
    """
    if len(values) not in (0, 1, count):
        raise PolicyFileError(f'{what} has {len(values)} values; give one for all, or one for each of the {count}.')
    return tuple(map(float, values)) * (count if len(values) == 1 else 1)
