"""What leaves the simulated robot: its state on two topics, as its sensors and its driver tell it, faults included."""

from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from velora_ros.gym.disturbances.observation_delay import DelayLine
from velora_ros.gym.disturbances.stack import DisturbanceStack
from velora_ros.gym.simulated_robot import Array, SimulatedRobot
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.ros.parameters import Values
from velora_ros.nodes.sim.base import to_imu, to_odometry
from velora_ros.nodes.sim.parameters import OWNER

# Sums of physics steps and delays are not exact; what is due within this is due [s].
EXACT_S = 1e-9


class StateOutput:
    """
    Reads the robot and publishes its state, late or not at all where a fault asks for it.

    That is ``joint_states`` and ``observation``, and before them, of a floating base, ``imu/data`` and ``odom``: they
    are there when the joints' state is answered.

    Args:
        node: where the topics live.
        robot: the robot.
        faults: what goes wrong on the way.
        values: the node's parameters.
    """

    def __init__(self, node: Node, robot: SimulatedRobot, faults: DisturbanceStack, values: Values) -> None:
        self._robot, self._faults = robot, faults
        self._frames = [values[f'{what}_frame_id'] for what in ('odom', 'base', 'imu')]
        names = [*(('imu/data', 'odom') if robot.has_base else ()), 'joint_states', 'observation']
        self._out = [create_publisher(node, OWNER, name) for name in names]
        self._on_the_way: DelayLine[list[Any]] = DelayLine()
        self._newest: list[Any] | None = None
        # Which entry of the observation is which joint's signal, so that both topics tell the same.
        self._observed = [
            (interface, robot.joint_names.index(joint), index)
            for index, name in enumerate(robot.spec.observation_names)
            for joint, _, interface in [name.rpartition('/')]
            if joint in robot.joint_names
        ]

    @property
    def next_due(self) -> float:
        """The robot's time at which the next delayed state goes out [s]."""
        return self._on_the_way.next_due

    def measure(self, stamp: int) -> None:
        """
        Read the sensors, and send off what the driver does not lose.

        Args:
            stamp: the time of the measurement [ns]; it stays, however late the state goes out.
        """
        settings = self._faults.settings
        frozen = self._newest if settings.frozen else None
        measured = frozen or self._messages(stamp)  # lost states too: other faults must not depend on which are lost
        if self._faults.drop_frames()[0]:
            return
        self._faults.counts['frozen'] += frozen is not None
        self._newest = measured
        delay = settings.observation_delay[0] * self._robot.spec.control_period
        self._faults.counts['observation_delay'] += delay > 0
        self._on_the_way.put(self._newest, self._robot.time + delay - EXACT_S)

    def publish_due(self, note: Callable[[], None]) -> None:
        """Publish what is due by the robot's time; ``note`` is called before each state."""
        for messages in self._on_the_way.take(self._robot.time):
            note()
            for publisher, message in zip(self._out, messages, strict=True):
                publisher.publish(message)

    def clear(self) -> None:
        """Lose what is on its way: the robot is put somewhere else."""
        self._on_the_way.clear()

    def _messages(self, stamp: int) -> list[Any]:
        robot = self._robot
        signals: dict[str, Array] = {
            'position': robot.positions,
            'velocity': robot.velocities,
            'effort': robot.efforts,
        }
        true = robot.observation[None]
        [read] = disturbed = self._faults.read(true)
        if disturbed is not true:
            for interface, joint, index in self._observed:
                signals[interface][joint] = read[index]
        joints = conversions.to_joint_state(
            robot.joint_names, signals['position'], signals['velocity'], signals['effort'], stamp
        )
        return [*self._base_messages(stamp), joints, conversions.to_vector(read)]

    def _base_messages(self, stamp: int) -> list[Any]:
        base = self._robot.base
        if base is None:
            return []
        odom_frame, base_frame, imu_frame = self._frames
        return [
            to_imu(base, imu_frame, stamp),
            to_odometry(base, odom_frame, base_frame, stamp),
        ]
