"""The contents of a task robot's messages: the signals of its sensors, and the values that its driver expects."""

from collections.abc import Sequence
from typing import Any

from velora_ros.contract.joint_signals import UNITS, signal_name
from velora_ros.errors import TaskError
from velora_ros.spec import PolicySpec
from velora_ros.spec.robot_contract import INCREMENT
from velora_ros.tasks.actions.protocols import Drive


def wire_spec(task: Any, drive: Drive, sensors: Sequence[str]) -> PolicySpec:
    """
    Return the signals of a robot's sensors as observations, and the values of its commands, in SI units, as actions.

    Args:
        task: the task.
        drive: its action.
        sensors: name of each signal of the sensors.

    Raises:
        TaskError: the action does not define what a robot receives.
    """
    command = drive.command
    if command is None or not command.low:
        raise TaskError(
            f"the action of the task '{task.name}' does not define what a robot receives; give the action a 'command' "
            'with limits.'
        )
    units = [one.unit for one in drive.signals]
    if command.mode == INCREMENT:  # the actions are speeds, but positions are sent
        kinds = dict(zip(UNITS['velocity'], UNITS['position'], strict=True))
        units = [kinds[unit] for unit in units]
    twist = command.type.startswith('Twist')
    return PolicySpec(
        observation_names=tuple(sensors),
        observation_units=('',) * len(sensors),
        action_names=tuple(one if twist else signal_name(one, command.interface) for one in command.fields),
        action_units=tuple(units),
        action_low=command.low,
        action_high=command.high,
        control_period=float(task.period),
    )
