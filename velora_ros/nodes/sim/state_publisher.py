"""Publishes the simulated robot's sensor values, with faults such as lost, late or repeated states."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from rclpy.node import Node

from velora_ros.gym.disturbances.disturb_arrays import DisturbanceStack
from velora_ros.gym.disturbances.observation_delay import DelayLine
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.sim.parameters import OWNER
from velora_ros.nodes.sim.robot_protocol import Robot

# A state that is due within this time is due now, because sums of physics steps and delays are not exact [s].
TOLERANCE_S = 1e-9


class StateTopic(NamedTuple):
    """A topic on which states are published: its name in the table of topics, and its actual name if that differs."""

    row: str
    name: str = ''


class StateMessages(Protocol):
    """Makes messages of a robot's sensor values, with their faults."""

    topics: Sequence[StateTopic]
    """The topics of the messages, in the order in which they are published."""

    def measure(self, stamp: int) -> list[Any]:
        """Return one message for each topic, stamped ``stamp`` [ns]."""


class StatePublisher:
    """
    Publishes the state of the robot: one message on each topic.

    A subscriber that handles a joint state has therefore received the other messages of the same time.

    Args:
        node: sim_node.
        robot: the robot.
        faults: the robot's faults: of sensors, and lost and delayed states.
        messages: reads the robot's sensors.
    """

    def __init__(self, node: Node, robot: Robot, faults: DisturbanceStack, messages: StateMessages) -> None:
        self._robot, self._faults, self._messages = robot, faults, messages
        self._publishers = [create_publisher(node, OWNER, row, topic_name=name) for row, name in messages.topics]
        self._delayed: DelayLine[list[Any]] = DelayLine()
        self._newest: list[Any] | None = None

    def measure(self, stamp: int) -> None:
        """
        Read the sensors, and queue the state unless it is lost.

        Args:
            stamp: the time of the measurement [ns], which a delayed state keeps.
        """
        settings = self._faults.settings
        frozen = self._newest if settings.frozen else None
        # Lost states are measured too, so that losses do not change the random numbers of other faults.
        state = frozen or self._messages.measure(stamp)
        if self._faults.drop_frames()[0]:
            return
        self._faults.counts['frozen'] += frozen is not None
        self._newest = state
        delay = settings.observation_delay[0] * self._robot.spec.control_period
        self._faults.counts['observation_delay'] += delay > 0
        self._delayed.put(state, self._robot.time + delay - TOLERANCE_S)

    def take_due(self) -> list[list[Any]]:
        """Remove and return the states that are due now, oldest first; each is a list of one message for each topic."""
        return self._delayed.take(self._robot.time)

    def publish(self, state: list[Any]) -> None:
        """Publish a state, one message on each topic."""
        for publisher, message in zip(self._publishers, state, strict=True):
            publisher.publish(message)

    def discard_delayed(self) -> None:
        """Discard the states that are not published yet; call this when the robot is reset."""
        self._delayed.clear()
