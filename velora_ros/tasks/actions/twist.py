"""Actions that are the speeds of a differential drive, as ``cmd_vel`` carries them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from velora_ros.contract.joint_signals import Signal
from velora_ros.spec import RobotCommand
from velora_ros.tasks.actions.joint_actuators import actuator_of, actuators_on
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.robot_model import RobotModel


@dataclass(frozen=True)
class Twist:
    """The arguments of :func:`velora_ros.tasks.act.twist`."""

    left: str
    right: str
    radius: float
    separation: float
    linear: float
    angular: float
    gain: float = 1.0

    def prepare(self, model: RobotModel) -> None:
        """Give each wheel a velocity servo."""
        for pattern in (self.left, self.right):
            for name in model.joint_names(pattern, 'twist'):
                actuator = actuator_of(model, name)
                actuator.set_to_velocity(kv=self.gain)
                actuator.gear = [1, 0, 0, 0, 0, 0]
                actuator.ctrllimited = 0

    def bind(self, sim: Sim) -> 'TwistDrive':
        """Return this action, bound to simulations."""
        return TwistDrive(sim, self)


class TwistDrive:
    """Speeds of a differential drive, bound to simulations; see :class:`velora_ros.tasks.actions.protocols.Drive`."""

    source = 'TwistStamped or Twist, cmd_vel'
    servos: Ids | None = None

    def __init__(self, sim: Sim, action: Twist) -> None:
        self._sim, self._action = sim, action
        self._left = actuators_on(sim, sim.joints(action.left), 'twist')
        self._right = actuators_on(sim, sim.joints(action.right), 'twist')
        self.signals: Sequence[Signal] = [
            Signal('linear.x', 'm/s', action.linear),
            Signal('angular.z', 'rad/s', action.angular),
        ]
        self._largest = np.array([action.linear, action.angular])
        low, high = tuple((-self._largest).tolist()), tuple(self._largest.tolist())
        self.command: RobotCommand | None = RobotCommand(
            'TwistStamped', ('linear.x', 'angular.z'), 'velocity', low=low, high=high
        )

    def begin(self, ids: Ids) -> None:
        """Command no speed in simulations whose episode begins."""
        self._sim.ctrl[np.ix_(ids, np.concatenate([self._left, self._right]))] = 0

    def apply(self, action: Array) -> None:
        """Write the wheels' speeds for actions in [-1, 1], shape (n, 2)."""
        self.follow(self._largest * action)

    def follow(self, command: Array) -> None:
        """Write the wheels' speeds for a linear [m/s] and an angular speed [rad/s], shape (n, 2)."""
        drive = self._action
        speed, turn = command[:, :1], drive.separation / 2 * command[:, 1:]
        self._sim.ctrl[:, self._left] = (speed - turn) / drive.radius
        self._sim.ctrl[:, self._right] = (speed + turn) / drive.radius

    def action_of(self, command: Array) -> Array:
        """Return the actions that result in these speeds, shape (n, 2)."""
        found: Array = command / self._largest
        return found

    def relax(self) -> None:
        """Command no speed."""
        self.begin(self._sim.everyone)
