"""What sim_node needs of a simulated robot, be it an environment's or a task's."""

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

    :class:`velora_ros.gym.simulated_robot.SimulatedRobot` and :class:`velora_ros.tasks.task_robot.TaskRobot` are such
    robots; their docstrings say what the methods do.
    """

    holding: bool
    """Whether the robot is held at its initial state, until a command."""
    episode_return: float
    """Sum of rewards since the last reset."""
    physics_step: float
    """Duration of one physics step [s]."""
    steps_per_period: int
    """Physics steps in the nominal control period."""
    takes_gains: bool
    """Whether its commands are positions of servos, whose gains can be set."""
    spec: PolicySpec
    """The signals that faults can affect as its observations, and the values of its commands."""

    @property
    def model(self) -> mujoco.MjModel:
        """The MuJoCo model."""

    @property
    def view(self) -> dict[str, Any]:
        """The default camera, as fields of ``mjvCamera``."""

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Lowest and highest value of each signal that faults can affect, each of shape (signals,)."""

    @property
    def time(self) -> float:
        """Simulated time, including held time and resets [s]."""

    @property
    def period_end(self) -> float:
        """The time at which the running control period ends [s]."""

    @property
    def held_time(self) -> float:
        """The part of the time during which the robot was held [s]."""

    @property
    def command_delay(self) -> float:
        """By how much commands are late [s]."""

    @property
    def caution(self) -> str:
        """A warning for policies that drive it; ``''`` if there is none."""

    def reset(self, seed: int | None = None) -> Array:
        """Put the robot at a new initial state and hold it there."""

    def check_command(self, command: npt.ArrayLike) -> Array:
        """Return what to give to :meth:`set_action` for a command in SI units."""

    def set_action(self, action: npt.ArrayLike) -> None:
        """Apply a command from the next physics step on."""

    def set_gains(self, gains: Gains) -> None:
        """Give its servos these gains from the next physics step on."""

    def relax(self) -> None:
        """Withdraw the command."""

    def release(self) -> None:
        """Release a held robot."""

    def set_period(self, steps: int) -> None:
        """Set the length of the running control period."""

    def push(self, speed: float) -> bool:
        """Change the horizontal velocity of its base [m/s]; False if it has none."""

    def copy_state(self, target: mujoco.MjData) -> None:
        """Copy the whole state of the simulation."""

    def advance(self) -> Period | None:
        """Advance by one physics step; return the outcome of the control period if it ended."""
