"""The quadruped of `make bench-node`: the robot of ``node_robot.py`` that also publishes an Imu and cmd_vel."""

from pathlib import Path
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist
from node_robot import Robot, expected_commands, marked_policy
from sensor_msgs.msg import Imu

from velora_ros.nodes.ros.topics_services_qos import RELIABLE
from velora_ros.policy import PolicyFile

SHIPPED = Path(__file__).parents[1] / 'policies' / 'quadruped.safetensors'
LARGEST = 0.05  # rad; within what counts as the start pose, where the policy takes over
TICKS_A_COMMAND = 10  # at 500 Hz cmd_vel is sent at 50 Hz, as from a joystick


def quadruped_policy() -> tuple[PolicyFile, np.ndarray]:
    """Return a policy of 64 neurons with the contract of the shipped policy, and its answers to the marks."""
    spec = PolicyFile.read_spec(SHIPPED)
    first = spec.observation_names.index(spec.action_names[0])
    file = marked_policy(spec, first, LARGEST)
    return file, expected_commands(file, first, LARGEST)


class QuadrupedRobot(Robot):
    """Sends an Imu before each joint state, and every tenth time a cmd_vel before both; see :class:`Robot`."""

    largest = LARGEST

    def __init__(self, *arguments: Any) -> None:
        contract = PolicyFile.read_spec(SHIPPED).contract
        assert contract is not None  # it was trained on a task
        self.joints, self.rest = contract.command.fields, contract.command.start_pose
        super().__init__(*arguments)
        topics = {source.type: source.topic for source in contract.sources}
        self._imu_publisher = self._node.create_publisher(Imu, topics['Imu'], RELIABLE.profile())
        self._twist_publisher = self._node.create_publisher(Twist, topics['Twist'], RELIABLE.profile())
        self._imu, self._twist = Imu(), Twist()
        self._imu.orientation.w = 1.0
        self._imu.linear_acceleration.z = 9.81
        self._twist.linear.x = 0.5

    def _publish_others(self, stamp: Time) -> None:
        self._imu.header.stamp = stamp
        if self._count % TICKS_A_COMMAND == 0:
            self._twist_publisher.publish(self._twist)
        self._imu_publisher.publish(self._imu)
