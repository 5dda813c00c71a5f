"""The complete example of docs/plug-in-your-robot.md: a robot under ros2_control with joints of other names."""

import numpy as np
import pytest
import yaml
from ros_bench import SOURCE

from velora_ros.nodes.conversions import to_joint_state
from velora_ros.policy import Policy
from velora_ros.utils import share_path

pytestmark = pytest.mark.ros

FILE = SOURCE / 'config' / 'ros2_control.yaml'


def test_the_documented_configuration_drives_the_documented_robot(ros):
    controller = '/forward_effort_controller/commands'
    ros.start('policy_node', '--params-file', FILE, '-r', f'command:={controller}', '-p', 'engine:=numpy')
    commands = ros.subscribe('std_msgs/msg/Float64MultiArray', controller)
    states = ros.publisher('sensor_msgs/msg/JointState', 'joint_states', 10)

    def state(pivot, rail):
        """What the broadcaster sends: its own order, and a joint that is none of the policy's."""
        stamp = ros.node.get_clock().now().nanoseconds
        states.publish(
            to_joint_state(['gripper', 'pivot', 'rail'], np.array([9.0, *pivot[:1], *rail[:1]]),
                           np.array([9.0, *pivot[1:], *rail[1:]]), np.empty(0), stamp)
        )  # fmt: skip

    state((0.1, 0.2), (0.0, 0.0))
    ros.spin(0.2)
    assert not commands, 'nobody armed it'
    assert ros.call('std_srvs/srv/SetBool', 'policy_node/arm', data=True).success
    ros.call('std_srvs/srv/Trigger', 'policy_node/reset_state')

    def answered():
        state((0.1, 0.2), (0.03, -0.01))
        ros.spin(0.02)
        return len(commands) >= 30

    ros.until(answered, 'commands')
    settings = yaml.safe_load(FILE.read_text())['/**/policy_node']['ros__parameters']
    policy = Policy.load(share_path('policies', f'{settings["policy"]}.safetensors'), engine='numpy')
    observation = np.array([0.03, 0.1, -0.01, 0.2]) * settings['observation.scale'] + settings['observation.offset']
    for _ in range(300):
        action = policy.step(observation)
    assert commands[0].data[0] == 0.0, 'the slew rate begins at zero'
    assert np.sign(commands[-1].data[0]) == np.sign(action[0])
    assert abs(commands[-1].data[0]) <= policy.spec.action_high[0]
