"""The messages of a task's robot: its sensor values, in the messages that real drivers publish."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from velora_ros.gym.disturbances.disturb_arrays import DisturbanceStack
from velora_ros.gym.floating_base import FloatingBase
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.message_types import interface_class, is_installed
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.sim.imu_odometry_scan import to_imu, to_odometry, to_pose, to_scan, unit
from velora_ros.nodes.sim.message_faults import MessageFaults
from velora_ros.nodes.sim.robot_protocol import Array
from velora_ros.nodes.sim.state_publisher import StateTopic
from velora_ros.tasks.robot_sensors import IMU, ODOM, SCAN
from velora_ros.tasks.task_robot import TaskRobot

TF = 'tf2_msgs/msg/TFMessage'


class TaskMessages:
    """
    Makes messages of the robot's sensor values: first the sensors, then ``joint_states``, ``observation`` and ``tf``.

    A controller that handles a scan or a joint state has therefore received all other messages of the same time.

    Args:
        robot: the robot.
        faults: faults of the sensors' signals, such as ``<joint>/position``, ``imu`` or ``scan/3``; they do not affect
            ``observation``.
        values: the node's parameters.
    """

    def __init__(self, robot: TaskRobot, faults: DisturbanceStack, values: Values) -> None:
        self._robot, self._faults, self._sensors = robot, faults, robot.sensors
        self.message_faults = MessageFaults.of(values)
        """Faults of whole messages; they can be replaced at any time."""
        prefix = values['frame_prefix']
        self._odom_frame, self._base_frame, self._imu_frame, self._scan_frame = (
            f'{prefix}{values[name]}' for name in ('odom_frame_id', 'base_frame_id', 'imu_frame_id', 'scan_frame_id')
        )
        self._world = self._odom_frame if self._sensors.has_base else self._base_frame
        self._tf = self._sensors.has_base and has_tf()
        self.topics: Sequence[StateTopic] = [
            *([StateTopic('imu/data'), StateTopic('odom')] if self._sensors.has_base else []),
            *(StateTopic('<body>_pose', topic) for topic in robot.sources.poses),
            *(StateTopic('observation/<term>', topic) for topic in robot.sources.terms),
            *([StateTopic('scan')] if self._sensors.laser is not None else []),
            *(StateTopic('joint_states'), StateTopic('observation')),
            *([StateTopic('tf')] if self._tf else []),
        ]

    def measure(self, stamp: int) -> list[Any]:
        """Return one message for each topic, stamped ``stamp`` [ns]."""
        robot, sensors = self._robot, self._sensors
        read = self._faults.read(sensors.read(held=robot.holding)[None])[0]
        part = {name: read[place] for name, place in sensors.places.items()}
        base = [self._imu(part, stamp), self._odometry(part, stamp)] if sensors.has_base else []
        messages = [*base, *(self._pose(body, part, stamp) for body in sensors.poses)]
        messages += [conversions.to_vector(robot.sources.values(topic)) for topic in robot.sources.terms]
        if sensors.laser is not None:
            period = robot.spec.control_period
            scan = to_scan(sensors.laser, part[SCAN], period, self._scan_frame, stamp)
            messages.append(self.message_faults.spoil_scan(scan))
        joints = conversions.to_joint_state(
            sensors.joint_names, part['position'], part['velocity'], part['effort'], stamp
        )
        messages += [joints, conversions.to_vector(robot.observation)]
        return [*messages, self._transform(base[1])] if self._tf else messages

    def _pose(self, body: str, part: dict[str, Array], stamp: int) -> Any:
        return to_pose(part[f'{body}/position'], unit(part[f'{body}/orientation']), self._world, stamp)

    def _imu(self, part: dict[str, Array], stamp: int) -> Any:
        nowhere = np.zeros(3)  # an inertial sensor gives neither position nor velocity
        orientation, turning = unit(part[f'{IMU}/orientation']), part[f'{IMU}/angular_velocity']
        base = FloatingBase(nowhere, orientation, nowhere, turning, part[f'{IMU}/linear_acceleration'])
        return self.message_faults.spoil_imu(to_imu(base, self._imu_frame, stamp))

    def _odometry(self, part: dict[str, Array], stamp: int) -> Any:
        position, orientation = part[f'{ODOM}/position'], unit(part[f'{ODOM}/orientation'])
        velocity, turning = part[f'{ODOM}/velocity'], part[f'{ODOM}/angular_velocity']
        base = FloatingBase(position, orientation, velocity, turning, np.zeros(3))
        message = to_odometry(base, self._odom_frame, self._base_frame, stamp)
        return self.message_faults.spoil_odometry(message)

    def _transform(self, odometry: Any) -> Any:
        """Return the pose of an Odometry message as a TFMessage."""
        transform = interface_class('geometry_msgs/msg/TransformStamped')()
        transform.header, transform.child_frame_id = odometry.header, odometry.child_frame_id
        place, pose = transform.transform.translation, odometry.pose.pose
        place.x, place.y, place.z = pose.position.x, pose.position.y, pose.position.z
        transform.transform.rotation = pose.orientation
        return interface_class(TF)(transforms=[transform])


def has_tf() -> bool:
    """Return whether the messages of ``tf`` are installed."""
    return is_installed(TF)
