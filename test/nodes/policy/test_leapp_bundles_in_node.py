"""policy_node runs a LEAPP bundle over real DDS; its commands are compared with torch."""

import numpy as np
import pytest
from leapp_bundles import JOINTS, ZERO_POSE, Reference, describe, write_bundle
from policy_robot import Robot

from velora_ros.nodes.ros.conversions import to_joint_state
from velora_ros.nodes.ros.message_types import interface_class

pytestmark = pytest.mark.ros

TURNING, COMMAND, HEIGHT = (0.2, -0.3, 0.1), (0.6, 0.1, -0.5), (0.3, -0.1)
PARAMETERS = (
    'engine:=auto', 'gains_confirmed:=true', 'start_pose_speed:=0.0', 'rate_hz:=0.0', 'observation.imu.max_age_s:=0.0',
    'observation.cmd_vel.max_age_s:=0.0', 'observation.height.max_age_s:=0.0',
)  # fmt: skip


class Leg(Robot):
    """Four joints, an upright inertial sensor, a commanded velocity, and two heights on a topic of their own."""

    def __init__(self, ros, path):
        super().__init__(ros, path, *PARAMETERS)
        self._others = {
            'imu/data': interface_class('sensor_msgs/msg/Imu')(),
            'cmd_vel': interface_class('geometry_msgs/msg/Twist')(),
            'observation/height': interface_class('std_msgs/msg/Float64MultiArray')(data=HEIGHT),
        }
        imu, twist, _ = self._others.values()
        imu.orientation.w = 1.0
        imu.angular_velocity.x, imu.angular_velocity.y, imu.angular_velocity.z = TURNING
        twist.linear.x, twist.linear.y, twist.angular.z = COMMAND
        kinds = ('sensor_msgs/msg/Imu', 'geometry_msgs/msg/Twist', 'std_msgs/msg/Float64MultiArray')
        self._publishers = [ros.publisher(kind, topic) for kind, topic in zip(kinds, self._others, strict=True)]

    def publish(self, values=(*ZERO_POSE, 0.0, 0.0, 0.0, 0.0), joints=JOINTS, stamp=None):
        position, velocity = np.split(np.asarray(values, dtype=float), 2)
        self._states.publish(to_joint_state(joints, position, velocity, np.empty(0), self.now))

    def sense(self):
        for publisher, message in zip(self._publishers, self._others.values(), strict=True):
            publisher.publish(message)
        self.ros.spin(0.1)

    def until_it_answers(self):
        def answered():
            self.sense()
            self.publish()
            self.ros.spin(0.02)
            return self.commands

        self.ros.until(answered, 'the first command')
        return self


def test_commands_are_those_of_the_network_from_its_start_values_on(ros, tmp_path):
    path, made = write_bundle(tmp_path)
    robot = Leg(ros, describe(path)).until_it_answers()
    reference, rng = Reference(made), np.random.default_rng(0)
    for _ in range(2):  # the second time from a memory that was reset
        robot.ready()
        robot.until_status('armed')
        robot.sense()
        reference.reset()
        for _ in range(6):
            values = [*(np.asarray(ZERO_POSE) + rng.normal(size=4) * 0.2), *rng.normal(size=4)]
            observation = [*values, *TURNING, 0.0, 0.0, -1.0, *COMMAND, *HEIGHT]
            wanted = np.clip(reference.step(observation), -3.0, 3.0)
            np.testing.assert_allclose(robot.command(values), wanted, atol=2e-5)
    assert robot.diagnostics()['engine'] == 'onnx'
