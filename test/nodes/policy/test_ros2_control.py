"""The complete example of docs/plug-in-your-robot.md: a robot under ros2_control with joints of other names."""

import numpy as np
import pytest
import yaml
from ros_bench import SOURCE

from velora_ros.nodes.ros.conversions import to_joint_state, to_nanoseconds
from velora_ros.policy import Policy
from velora_ros.utils.shipped_files import share_path

pytestmark = pytest.mark.ros

FILE = SOURCE / 'config' / 'ros2_control.yaml'
JOINTS, VECTOR = 'sensor_msgs/msg/JointState', 'std_msgs/msg/Float64MultiArray'
UPRIGHT = 0.02  # what the pole's encoder says then [rad]


# A busy machine may hold up a state for longer than the file allows; neither time is the subject.
PATIENT = {'max_state_age_s': 5.0, 'watchdog_timeout_s': 30.0}


def start(ros, namespace, controller, **parameters):
    """Start the controller with the documented file, in which only these parameters are changed."""
    [(key, content)] = yaml.safe_load(FILE.read_text()).items()
    parameters = {**content['ros__parameters'], **PATIENT, 'engine': 'numpy', **parameters}
    file = ros.folder / 'ros2_control.yaml'
    file.write_text(yaml.safe_dump({key: {'ros__parameters': parameters}}))
    ros.start(
        'policy_node', '--params-file', file, '-r', f'command:={controller}', '-r', f'__ns:={namespace or "/"}'
    )  # fmt: skip


def arm(ros, namespace):
    assert ros.call('std_srvs/srv/SetBool', f'{namespace}/policy_node/arm', data=True).success


@pytest.mark.parametrize('namespace', ['', '/left'])
def test_the_documented_configuration_drives_the_documented_robot(ros, namespace):
    controller = f'{namespace}/forward_effort_controller/commands'
    start(ros, namespace, controller)
    commands = ros.subscribe(VECTOR, controller)
    states = ros.publisher(JOINTS, f'{namespace}/joint_states', 10)

    def state(pivot, rail):
        """What the broadcaster sends: its own order, and a joint that the policy does not read."""
        stamp = ros.node.get_clock().now().nanoseconds
        states.publish(
            to_joint_state(['gripper', 'pivot', 'rail'], np.array([9.0, *pivot[:1], *rail[:1]]),
                           np.array([9.0, *pivot[1:], *rail[1:]]), np.empty(0), stamp)
        )  # fmt: skip

    state((0.1, 0.2), (0.0, 0.0))
    ros.spin(0.2)
    assert not commands, 'nobody armed it'
    arm(ros, namespace)
    ros.call('std_srvs/srv/Trigger', f'{namespace}/policy_node/reset_state')

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
    assert 3.0 < max(abs(command.data[0]) for command in commands) <= policy.spec.si_high[0], 'in newtons'


def test_the_rehearsal_on_the_simulated_robot_keeps_the_pole_up(ros):
    controller = '/forward_effort_controller/commands'
    ros.start(
        'sim_node', '-p', f'env:={SOURCE / "config" / "cart.xml"}', '-p', 'control_period_s:=0.04',
        '-p', 'publish_clock:=true', '-p', 'real_time_factor:=0.5', '-r', f'command:={controller}',
    )  # fmt: skip
    start(ros, '', controller, use_sim_time=True)
    states = ros.subscribe(JOINTS, 'joint_states', 100)
    commands = ros.subscribe(VECTOR, controller, 100)
    ros.until(lambda: len(states) > 10, 'states')
    assert {tuple(state.position) for state in states} == {(0.0, 0.03)}, 'held until somebody arms the controller'
    arm(ros, '')
    ros.until(lambda: states[-1].effort[0] != 0.0, 'the robot to move')
    moved = to_nanoseconds(states[-1].header.stamp)
    ros.until(lambda: to_nanoseconds(states[-1].header.stamp) > moved + 4e9, 'four seconds of simulated time')
    poles = np.array([state.position[1] for state in states])
    assert np.ptp(poles) > 0
    assert np.abs(poles - UPRIGHT).max() < 0.2, 'unaided it falls within three seconds'
    # One newton at the actuator is 1.0 on the wire. This listener may miss commands, because only the newest is kept.
    sent = {round(command.data[0], 6) for command in commands} - {0.0}
    exerted = {round(state.effort[0], 6) for state in states} - {0.0}
    assert len(sent & exerted) > 20 and max(map(abs, exerted)) > 3.0
