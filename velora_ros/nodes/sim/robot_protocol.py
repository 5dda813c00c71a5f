"""The interface that sim_node needs from a simulated robot of an environment or a task."""

from typing import Any, Protocol

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.gym.servo_gains import Gains
from velora_ros.gym.simulated_robot import Period
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]


class Robot(Protocol):
    """
    A robot that is simulated one physics step at a time.

    :class:`velora_ros.gym.simulated_robot.SimulatedRobot` and :class:`velora_ros.tasks.task_robot.TaskRobot` implement
    it; their docstrings describe the methods.
    """

    holding: bool
    """Whether the robot is held in its initial state until a command arrives."""
    episode_return: float
    """Sum of the rewards since the last reset."""
    physics_step: float
    """Duration of one physics step [s]."""
    steps_per_period: int
    """Number of physics steps in the nominal control period."""
    takes_gains: bool
    """Whether commands are targets of position servos, whose gains can be set."""
    spec: PolicySpec
    """The specification: its observations are the signals that faults can affect, its actions are the commands."""

    @property
    def model(self) -> mujoco.MjModel:
        """The MuJoCo model."""

    @property
    def view(self) -> dict[str, Any]:
        """The default camera, as fields of ``mjvCamera``."""

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Lowest and highest value of each signal that faults can affect, two arrays of shape (signals,)."""

    @property
    def time(self) -> float:
        """Simulated time, including held time and resets [s]."""

    @property
    def period_end(self) -> float:
        """The time at which the current control period ends [s]."""

    @property
    def held_time(self) -> float:
        """Simulated time during which the robot was held [s]."""

    @property
    def command_delay(self) -> float:
        """Delay from the arrival of a command to its effect [s]."""

    @property
    def caution(self) -> str:
        """A warning about the robot for the log; ``''`` if there is none."""

    def reset(self, seed: int | None = None) -> Array:
        """Put the robot in a new initial state, hold it there, and return its observation, shape (observation,)."""

    def check_command(self, command: npt.ArrayLike) -> Array:
        """Check a command in SI units, shape (action,), and return the action for :meth:`set_action`."""

    def set_action(self, action: npt.ArrayLike) -> None:
        """Apply an action from :meth:`check_command` from the next physics step on."""

    def set_gains(self, gains: Gains) -> None:
        """Set the gains of the position servos from the next physics step on."""

    def relax(self) -> None:
        """Keep the targets of position servos, and set every other actuator to zero."""

    def release(self) -> None:
        """Stop holding the robot in its initial state."""

    def set_period(self, steps: int) -> None:
        """Set the number of physics steps in the current control period."""

    def push(self, speed: float) -> bool:
        """Change the horizontal velocity of the floating base by ``speed`` [m/s]; return False if there is none."""

    def copy_state(self, target: mujoco.MjData) -> None:
        """Copy the whole state of the simulation into ``target``."""

    def advance(self) -> Period | None:
        """Advance by one physics step; return the outcome of the control period if it ended."""
