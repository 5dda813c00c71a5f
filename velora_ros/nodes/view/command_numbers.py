"""Reads the numbers of a command message, with their names, for each type that policy_node sends."""

from typing import Any

from velora_ros.nodes.ros.command_types import JOINT_FIELDS, TWIST_FIELDS

Numbers = dict[str, float]


def numbers_of(message: Any) -> Numbers:
    """
    Return the numbers of a Float64MultiArray, JointState, JointTrajectory, Twist or TwistStamped by name.

    The names of a Float64MultiArray are indices. Only the first point of a JointTrajectory is read. A Twist gives
    ``linear.x`` and the numbers that are not 0.
    """
    if hasattr(message, 'data'):
        return {str(index): float(value) for index, value in enumerate(message.data)}
    if hasattr(message, 'points'):
        return _of_joints(message.joint_names, message.points[0], 'JointTrajectory') if message.points else {}
    if hasattr(message, 'name'):
        return _of_joints(message.name, message, 'JointState')
    twist = getattr(message, 'twist', message)
    values = {name: float(getattr(getattr(twist, name.partition('.')[0]), name[-1])) for name in TWIST_FIELDS}
    return {name: value for name, value in values.items() if value or name == TWIST_FIELDS[0]}


def _of_joints(names: Any, message: Any, kind: str) -> Numbers:
    found = {}
    for interface, field in JOINT_FIELDS[kind].items():
        for name, value in zip(names, getattr(message, field), strict=False):
            found[f'{name}/{interface}'] = float(value)
    return found
