"""The messages of an environment's robot: joint states, observation, and the odometry and Imu of a floating base."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from velora_ros.gym.disturbances.disturb_arrays import DisturbanceStack
from velora_ros.gym.simulated_robot import SimulatedRobot
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.sim.imu_odometry_scan import to_imu, to_odometry
from velora_ros.nodes.sim.robot_protocol import Array
from velora_ros.nodes.sim.state_publisher import StateTopic


class ObservedJoint(NamedTuple):
    """One entry of the observation that is also a signal in ``joint_states``."""

    interface: str
    joint: int
    entry: int


class EnvironmentMessages:
    """
    Makes messages of the robot's state.

    Their order is ``imu/data`` and ``odom`` of a floating base, ``joint_states``, ``observation``.

    Args:
        robot: the robot.
        faults: the robot's sensor faults; they affect the observation and the same signals in the joint states.
        values: the node's parameters.
    """

    def __init__(self, robot: SimulatedRobot, faults: DisturbanceStack, values: Values) -> None:
        self._robot, self._faults = robot, faults
        self._odom_frame, self._base_frame = values['odom_frame_id'], values['base_frame_id']
        self._imu_frame = values['imu_frame_id']
        base = ('imu/data', 'odom') if robot.has_base else ()
        self.topics: Sequence[StateTopic] = [StateTopic(row) for row in (*base, 'joint_states', 'observation')]
        self._observed_joints = [
            ObservedJoint(interface, robot.joint_names.index(joint), entry)
            for entry, name in enumerate(robot.spec.observation_names)
            for joint, _, interface in [name.rpartition('/')]
            if joint in robot.joint_names
        ]

    def measure(self, stamp: int) -> list[Any]:
        """Return one message for each topic, stamped ``stamp`` [ns]."""
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
