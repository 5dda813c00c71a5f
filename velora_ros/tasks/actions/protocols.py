"""The interface of a task's actions: before the simulations exist (``Action``), and bound to them (``Drive``)."""

from collections.abc import Sequence
from typing import Protocol

from velora_ros.contract.joint_signals import Signal
from velora_ros.spec import RobotCommand
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.robot_model import RobotModel


class Drive(Protocol):
    """An action that is bound to simulations."""

    signals: Sequence[Signal]
    """Name, unit, scale and offset of each action."""
    servos: Ids | None
    """The position servo of each action, as an index of the actuators; None if actions are not positions."""
    source: str
    """Message type that carries the command to the robot, for tables."""

    @property
    def command(self) -> RobotCommand | None:
        """The command that a robot receives, for the policy file; None if it is not known."""

    def begin(self, ids: Ids) -> None:
        """Command the current pose in simulations whose episode begins."""

    def apply(self, action: Array) -> None:
        """Write the controls of actions in [-1, 1], shape (n, action)."""

    def follow(self, command: Array) -> None:
        """Write the controls for commands in the robot driver's form, in SI units, shape (n, action)."""

    def action_of(self, command: Array) -> Array:
        """Return the actions that result in these commands, shape (n, action); outside [-1, 1] if no action does."""

    def relax(self) -> None:
        """Withdraw the command: positions are kept, speeds and efforts become zero."""


class Action(Protocol):
    """What a task's policy commands; the functions of ``tasks/terms/act.py`` return it."""

    def prepare(self, model: RobotModel) -> None:
        """Add or change the model's actuators."""

    def bind(self, sim: Sim) -> Drive:
        """Return this action, bound to simulations."""
