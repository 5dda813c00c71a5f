"""Measures the simulated robot's state and publishes it: joint states, observation, odometry and IMU, with faults."""

from typing import Any, NamedTuple

from rclpy.node import Node

from velora_ros.gym.disturbances.disturbance_stack import DisturbanceStack
from velora_ros.gym.disturbances.observation_delay import DelayLine
from velora_ros.gym.floating_base import FloatingBase
from velora_ros.gym.simulated_robot import Array, SimulatedRobot
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.parameters import Values
from velora_ros.nodes.sim.parameters import OWNER

# Sums of physics steps and delays are not exact: whatever is due within this time is due now [s].
TOLERANCE_S = 1e-9


class ObservedJoint(NamedTuple):
    """One entry of the observation that is also a signal in ``joint_states``."""

    interface: str
    joint: int
    entry: int


class StatePublisher:
    """
    Publishes ``joint_states`` and ``observation``, and before them ``imu/data`` and ``odom`` of a floating base.

    A subscriber that answers a joint state has therefore received the base's state of the same time.

    Args:
        node: sim_node.
        robot: the robot.
        faults: its sensor faults, lost and delayed states.
        values: the node's parameters.
    """

    def __init__(self, node: Node, robot: SimulatedRobot, faults: DisturbanceStack, values: Values) -> None:
        self._robot, self._faults = robot, faults
        self._odom_frame, self._base_frame = values['odom_frame_id'], values['base_frame_id']
        self._imu_frame = values['imu_frame_id']
        topics = [*(('imu/data', 'odom') if robot.has_base else ()), 'joint_states', 'observation']
        self._publishers = [create_publisher(node, OWNER, topic) for topic in topics]
        self._delayed: DelayLine[list[Any]] = DelayLine()
        self._newest: list[Any] | None = None
        self._observed_joints = [
            ObservedJoint(interface, robot.joint_names.index(joint), entry)
            for entry, name in enumerate(robot.spec.observation_names)
            for joint, _, interface in [name.rpartition('/')]
            if joint in robot.joint_names
        ]

    @property
    def next_due(self) -> float:
        """Simulated time at which the next state is due [s]; infinite if none is."""
        return self._delayed.next_due

    def measure(self, stamp: int) -> None:
        """
        Read the sensors, and queue the state unless it is lost.

        Args:
            stamp: time of the measurement [ns]. A delayed state keeps it.
        """
        settings = self._faults.settings
        frozen = self._newest if settings.frozen else None
        # Lost states are measured too: which states are lost must not change the random numbers of other faults.
        state = frozen or self._messages(stamp)
        if self._faults.drop_frames()[0]:
            return
        self._faults.counts['frozen'] += frozen is not None
        self._newest = state
        delay = settings.observation_delay[0] * self._robot.spec.control_period
        self._faults.counts['observation_delay'] += delay > 0
        self._delayed.put(state, self._robot.time + delay - TOLERANCE_S)

    def take_due(self) -> list[list[Any]]:
        """Return the states that are due now, oldest first, each as one message for each topic."""
        return self._delayed.take(self._robot.time)

    def publish(self, state: list[Any]) -> None:
        """Publish a state."""
        for publisher, message in zip(self._publishers, state, strict=True):
            publisher.publish(message)

    def discard_delayed(self) -> None:
        """Discard the states that are not published yet: the robot was reset."""
        self._delayed.clear()

    def _messages(self, stamp: int) -> list[Any]:
        return [*self._base_messages(stamp), *self._joint_messages(stamp)]

    def _joint_messages(self, stamp: int) -> list[Any]:
        robot = self._robot
        signals: dict[str, Array] = {
            'position': robot.positions,
            'velocity': robot.velocities,
            'effort': robot.efforts,
        }
        measured = robot.observation[None]  # one stream
        read = self._faults.read(measured)
        observation = read[0]
        if read is not measured:  # both topics must show the same sensor fault
            for interface, joint, entry in self._observed_joints:
                signals[interface][joint] = observation[entry]
        joint_state = conversions.to_joint_state(
            robot.joint_names, signals['position'], signals['velocity'], signals['effort'], stamp
        )
        return [joint_state, conversions.to_vector(observation)]

    def _base_messages(self, stamp: int) -> list[Any]:
        base = self._robot.base
        if base is None:
            return []
        odometry = to_odometry(base, self._odom_frame, self._base_frame, stamp)
        return [to_imu(base, self._imu_frame, stamp), odometry]


def to_odometry(base: FloatingBase, frame_id: str, child_frame_id: str, stamp: int) -> Any:
    """Return the odometry of a floating base, its twist in ``child_frame_id``, stamped ``stamp`` [ns]."""
    message = interface_class('nav_msgs/msg/Odometry')(child_frame_id=child_frame_id)
    message.header.stamp, message.header.frame_id = conversions.to_stamp(stamp), frame_id
    pose, twist = message.pose.pose, message.twist.twist
    pose.position.x, pose.position.y, pose.position.z = map(float, base.position)
    _fill_quaternion(pose.orientation, base.orientation)
    twist.linear.x, twist.linear.y, twist.linear.z = map(float, base.velocity)
    twist.angular.x, twist.angular.y, twist.angular.z = map(float, base.angular_velocity)
    return message


def to_imu(base: FloatingBase, frame_id: str, stamp: int) -> Any:
    """Return what an inertial sensor at the origin of a floating base measures, stamped ``stamp`` [ns]."""
    message = interface_class('sensor_msgs/msg/Imu')()
    message.header.stamp, message.header.frame_id = conversions.to_stamp(stamp), frame_id
    _fill_quaternion(message.orientation, base.orientation)
    rate, acceleration = message.angular_velocity, message.linear_acceleration
    rate.x, rate.y, rate.z = map(float, base.angular_velocity)
    acceleration.x, acceleration.y, acceleration.z = map(float, base.acceleration)
    return message


def _fill_quaternion(message: Any, orientation: Array) -> None:
    message.w, message.x, message.y, message.z = map(float, orientation)
