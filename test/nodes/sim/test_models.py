"""Other robots, other speeds and pictures: sim_node with an MJCF file, a real-time factor, a camera."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ros_bench import in_step

from velora_ros.gym import make, spec_from_env
from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.utils.shipped_files import share_path

pytestmark = pytest.mark.ros
ARM = share_path('config', 'arm.xml')
JOINTS = 'sensor_msgs/msg/JointState'
VECTOR = 'std_msgs/msg/Float64MultiArray'


def start(ros, **values):
    """Starts sim_node with parameters; `__` in a name stands for a dot."""
    words = [('-p', f'{name.replace("__", ".")}:={value}') for name, value in values.items()]
    return ros.start('sim_node', *(word for pair in words for word in pair))


def stamps(states):
    return [to_nanoseconds(state.header.stamp) for state in states]


def test_an_arm_from_a_file_moves_to_its_command(ros):
    process = start(ros, env=ARM)
    states = ros.subscribe(JOINTS, 'joint_states', 100)
    observations = ros.subscribe(VECTOR, 'observation')
    command = ros.publisher(VECTOR, 'command')
    ros.until(lambda: len(states) > 3 and len(observations) > 3)
    assert states[0].name == ['shoulder', 'elbow']
    assert list(states[0].position) == [0.4, 0.8]
    assert len(observations[0].data) == 10
    assert in_step(stamps(states), 20_000_000)
    target = interface_class(VECTOR)(data=[0.2, -0.5])

    def is_there():
        command.publish(target)
        return np.allclose(states[-1].position, target.data, atol=0.02)

    ros.until(is_there, 'the arm to get there')
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    assert json.loads(process.output.splitlines()[-1])['terminated'] == 0


def test_a_policy_drives_the_arm(ros, make_policy_file, tmp_path):
    path = tmp_path / 'arm.safetensors'
    make_policy_file(10, 20, 2, spec=spec_from_env(make(str(ARM)))).save(path)
    process = start(ros, env=ARM)
    # The subject is whether the two fit together: a machine that stood still for a moment is no fault here.
    settings = ('autostart:=true', 'arm_on_activate:=true', 'watchdog_timeout_s:=30')
    policy = ros.start('policy_node', '-p', f'policy:={path}', *(word for one in settings for word in ('-p', one)))
    commands = ros.subscribe(VECTOR, 'command')
    ros.until(lambda: len(commands) > 80 or policy.exit_code is not None, '80 commands')
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    summary = json.loads(process.output.splitlines()[-1])
    assert summary['commands'] > 75, policy.output + process.output
    assert (summary['falls'], summary['fallbacks']) == (0, 0)
    assert np.abs([command.data for command in commands]).max() > 0


@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'env': 'nowhere/robot.xml'}, "there is no file 'nowhere/robot.xml'; give the path of an MJCF file."),
        ({'env': 'BROKEN'}, 'cannot be read: XML Error'),
        ({'env': 'IDLE'}, 'has no actuators'),
        ({'control_period_s': 0.02}, "'InvertedPendulum-v5' has its own control period"),
        (
            {'real_time_factor': 2.0},
            'set publish_clock to true here and use_sim_time to true in the other',
        ),
        ({'real_time_factor': 0.0}, "parameter 'real_time_factor' is 0.0"),
    ],
)
def test_an_environment_that_is_not_a_robot_is_refused_in_one_sentence(ros, tmp_path, values, words):
    files = {'BROKEN': '<mujoco><foo/></mujoco>', 'IDLE': '<mujoco/>'}
    if (content := files.get(values.get('env'))) is not None:
        values = {'env': tmp_path / 'robot.xml'}
        values['env'].write_text(content)
    process = start(ros, **values)
    assert process.wait() == 1
    [line] = process.output.splitlines()
    assert words in line


def test_an_unknown_opengl_backend_is_refused_in_one_sentence():
    result = subprocess.run(
        [sys.executable, '-m', 'velora_ros.nodes.sim'],
        env={**os.environ, 'MUJOCO_GL': 'nonsense'}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith(
        "the environment variable MUJOCO_GL is 'nonsense', which MuJoCo does not support; set it to egl"
    )


def test_a_run_at_another_speed_is_judged_by_that_speed(ros):
    process = start(ros, publish_clock=True, real_time_factor=4.0)
    states, received = [], []

    def take(state):
        states.append(state)
        received.append(time.monotonic())

    ros.node.create_subscription(interface_class(JOINTS), 'joint_states', take, 100)

    def speeds(first, stretch=20):
        """Simulated over real time of each stretch of states from the first one on."""
        simulated, real = np.array(stamps(states[first:])) / 1e9, np.array(received[first:])
        return (simulated[stretch:] - simulated[:-stretch]) / (real[stretch:] - real[:-stretch])

    # A busy machine may make time pass more slowly than asked now and then, but never faster for long.
    ros.until(lambda: len(states) > 60 and np.median(speeds(-60)) > 1.5, 'time to pass faster')
    assert ros.set_parameters('sim_node', real_time_factor=0.5)[0].successful
    first = len(states) + 10
    ros.until(lambda: len(states) > first + 40, 'states at half the speed')
    assert np.median(speeds(first)) < 0.75
    assert in_step(stamps(states), 40_000_000)
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    summary = json.loads(process.output.splitlines()[-1])
    assert 0.5 < summary['real_time_factor_asked'] < 4.0
