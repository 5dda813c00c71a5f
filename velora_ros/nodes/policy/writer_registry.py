"""
Writes commands in message types of a vendor or of your own, with a small class in an installed package.

The package registers the class as an entry point of the group ``velora_ros.writers`` under the name of the type::

    # setup.py: entry_points={'velora_ros.writers': ['my_msgs/msg/MotorCommands = my_robot.writers:MotorWriter']}
    class MotorWriter:
        def __init__(self, actions: CommandedActions) -> None:
            self.message = MotorCommands(kp=actions.stiffness, kd=actions.damping)

        def write(self, command: Sequence[float]) -> MotorCommands:
            self.message.position = list(command)
            return self.message

``command.type: my_msgs/msg/MotorCommands`` selects it. ``command`` has one number for each action, in SI units, finite
and within the bounds; ``write`` may return the same message each time. When the node is configured, the writer is
tested once with a command in the middle of the bounds, which is not sent.
"""

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from velora_ros.control import Command
from velora_ros.errors import ConfigError, VeloraError, did_you_mean
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.message_types import canonical_type, interface_class
from velora_ros.spec import PolicySpec

ENTRY_POINTS = 'velora_ros.writers'


class WriterError(VeloraError):
    """A writer failed on a command; nothing was sent."""


@dataclass(frozen=True)
class CommandedActions:
    """
    What a writer can know about the actions that it writes.

    Args:
        names: the policy's action names, such as ``elbow/position``.
        units: the unit of each action, such as ``rad``; ``''`` if it is unknown.
        fields: ``command.fields``; empty if it is not set.
        interface: ``position``, ``velocity`` or ``effort``; ``''`` if it is not known.
        stiffness: the position gain that the policy file advises for each action; empty if it advises none.
        damping: the velocity gain that the policy file advises for each action; empty if it advises none.
        period: the control period [s].
        frame_id: ``command.frame_id``.
        now: returns the time of the robot's clock [ns], for stamps.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    fields: tuple[str, ...]
    interface: str
    stiffness: tuple[float, ...]
    damping: tuple[float, ...]
    period: float
    frame_id: str
    now: Callable[[], int]

    @classmethod
    def of(
        cls, spec: PolicySpec, *, interface: str, fields: Sequence[str], frame_id: str, now: Callable[[], int]
    ) -> 'CommandedActions':
        """Return the information for a writer, from a policy's specification and the node's parameters."""
        command = None if spec.contract is None else spec.contract.command
        gains = ((), ()) if command is None else (tuple(command.stiffness), tuple(command.damping))
        return cls(
            tuple(spec.action_names), tuple(spec.action_units), tuple(fields), interface, *gains, spec.control_period,
            frame_id, now,
        )  # fmt: skip


class OwnEncoder:
    """
    Encodes commands with a writer of an installed package.

    Args:
        kind: the type of the messages, by its full name.
        actions: the information for the writer.
        trial: a command with which the writer is tested; it is not sent.

    Raises:
        ConfigError: there is no such writer or type, or the writer fails on the trial.
    """

    def __init__(self, kind: str, actions: CommandedActions, trial: Command) -> None:
        self._kind = kind
        try:
            self._class = interface_class(kind)
        except (ValueError, ImportError, AttributeError) as error:
            raise ConfigError(
                f"'command.type' is {kind}, but this message type is not installed; install and source its package."
            ) from error
        try:
            self._writer = _entry_point(kind).load()(actions)
            self.encode(trial)
        except WriterError as error:
            raise ConfigError(f"'command.type' is {kind}: {error}") from error
        except Exception as error:
            raise ConfigError(
                f"'command.type' is {kind}: its writer cannot be created: {error!r}. Correct the package that provides "
                'the writer.'
            ) from error

    def encode(self, command: Command) -> Any:
        """
        Return the message of a command, one SI value for each action.

        Raises:
            WriterError: the writer failed, or returned something other than a message of its type.
        """
        try:
            message = self._writer.write(command)
        except Exception as error:
            raise WriterError(
                f'the writer of {self._kind} failed on a command: {error!r}. Correct the package that provides it.'
            ) from error
        if not isinstance(message, self._class):
            raise WriterError(
                f'the writer of {self._kind} returned a {type(message).__name__}; it must return a message of its type.'
            )
        return message


def command_type(kind: str) -> str:
    """
    Return the canonical name of a command's type (``''`` for none): short for built-in ones, full with a writer.

    Raises:
        ConfigError: the type is unknown and has no writer.
    """
    name = canonical_type(kind, COMMAND_TYPES) if kind else ''
    if name and name not in COMMAND_TYPES and name not in (own := own_types()):
        raise ConfigError(
            f"parameter 'command.type' is '{kind}'.{did_you_mean(kind, COMMAND_TYPES)} A type with a writer (entry "
            f'point group {ENTRY_POINTS}) is valid too; installed: {", ".join(own) or "none"}.'
        )
    return name


def full_type(kind: str) -> str:
    """Return the full name of a command's type."""
    return COMMAND_TYPES.get(kind, kind)


def own_types() -> list[str]:
    """Return the full names of the message types for which an installed package has a writer."""
    return sorted({entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)})


def _entry_point(kind: str) -> importlib.metadata.EntryPoint:
    """Return the first entry point of a type; :func:`command_type` has checked that there is one."""
    return next(iter(importlib.metadata.entry_points(group=ENTRY_POINTS, name=kind)))
