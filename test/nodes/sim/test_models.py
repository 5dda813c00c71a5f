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
from velora_ros.utils import share_path

pytestmark = pytest.mark.ros

ARM = share_path('config', 'arm.xml')
JOINTS = 'sensor_msgs/msg/JointState'
VECTOR = 'std_msgs/msg/Float64MultiArray'
IMAGE = 'sensor_msgs/msg/Image'


def start(ros, **values):
    """Starts sim_node with parameters; `__` in a name stands for a dot."""
    words = [('-p', f'{name.replace("__", ".")}:={value}') for name, value in values.items()]
    return ros.start('sim_node', *(word for pair in words for word in pair))


def stamps(states):
    return [to_nanoseconds(state.header.stamp) for state in states]


# --- a robot from a file


def test_an_arm_from_a_file_moves_to_where_it_is_commanded(ros):
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
        ({'control_period_s': 0.02}, "'InvertedPendulum-v5' is not an MJCF file"),
        (
            {'real_time_factor': 2.0},
            'a value other than 1 needs publish_clock: true here and use_sim_time: true in the',
        ),
        ({'real_time_factor': 0.0}, "parameter 'real_time_factor' is 0.0"),
    ],
)
def test_what_is_no_robot_is_refused_in_one_sentence(ros, tmp_path, values, words):
    files = {'BROKEN': '<mujoco><foo/></mujoco>', 'IDLE': '<mujoco/>'}
    if (content := files.get(values.get('env'))) is not None:
        values = {'env': tmp_path / 'robot.xml'}
        values['env'].write_text(content)
    process = start(ros, **values)
    assert process.wait() == 1
    [line] = process.output.splitlines()
    assert words in line


# --- a floating base


DRONE = """
<mujoco><worldbody><body name="drone" pos="1 2 3" quat="0.6 0 0 0.8"><freejoint/><geom size=".1"/>
  <body pos=".2 0 0"><joint name="arm" axis="0 1 0"/><geom size=".03" mass=".1"/></body></body></worldbody>
<actuator><motor joint="arm" ctrlrange="-1 1"/></actuator>
<keyframe><key qpos="1 2 3 0.6 0 0 0.8 0" qvel="2 0 0 0 0 1.5 0"/></keyframe></mujoco>
"""


def test_a_floating_base_s_pose_and_velocity_are_published_in_their_frames(ros, tmp_path):
    path = tmp_path / 'drone.xml'
    path.write_text(DRONE)
    start(ros, env=path, odom_frame_id='world', base_frame_id='drone', imu_frame_id='drone_imu')
    odometry = ros.subscribe('nav_msgs/msg/Odometry', 'odom')
    inertial = ros.subscribe('sensor_msgs/msg/Imu', 'imu/data')
    states = ros.subscribe(JOINTS, 'joint_states')
    ros.until(lambda: len(odometry) > 2 and len(inertial) > 2 and len(states) > 2)
    odom, imu = odometry[0], inertial[0]
    assert (odom.header.frame_id, odom.child_frame_id, imu.header.frame_id) == ('world', 'drone', 'drone_imu')
    assert {stamp for stamp in stamps(odometry) if stamp in stamps(states)}, 'of one time with the joints'
    position, turned = odom.pose.pose.position, odom.pose.pose.orientation
    assert [position.x, position.y, position.z] == pytest.approx([1, 2, 3])
    assert [turned.w, turned.x, turned.y, turned.z] == pytest.approx([0.6, 0, 0, 0.8])
    assert imu.orientation == turned
    # The key says 2 m/s along the world's x; the base is turned by 106.26 degrees about z.
    twist, rate, force = odom.twist.twist, imu.angular_velocity, imu.linear_acceleration
    assert [twist.linear.x, twist.linear.y, twist.linear.z] == pytest.approx([2 * -0.28, 2 * -0.96, 0])
    assert twist.angular.z == rate.z == pytest.approx(1.5)
    assert [force.x, force.y, force.z] == pytest.approx([0, 0, 9.81]), 'held, it stands'


def test_an_opengl_backend_that_mujoco_does_not_know_is_one_sentence():
    result = subprocess.run(
        [sys.executable, '-m', 'velora_ros.nodes.sim'],
        env={**os.environ, 'MUJOCO_GL': 'nonsense'}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith(
        "the environment variable MUJOCO_GL is 'nonsense', which MuJoCo does not know; set it to egl"
    )


# --- time


def test_simulated_time_may_pass_faster_and_slower_and_the_run_is_judged_by_that(ros):
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


# --- pictures


def test_pictures_are_offered_only_when_asked_for(ros):
    start(ros)
    ros.subscribe(JOINTS, 'joint_states')
    ros.until(lambda: '/diagnostics' in dict(ros.node.get_topic_names_and_types()), 'the topics that are made last')
    assert '/sim_node/image' not in dict(ros.node.get_topic_names_and_types())


@pytest.mark.usefixtures('opengl')
def test_pictures_show_the_robot_as_it_moves_and_the_states_go_on(ros):
    process = start(ros, env=ARM, image__rate_hz=10.0, image__width=160, image__height=120, image__camera='side')
    states = ros.subscribe(JOINTS, 'joint_states', 100)
    images = ros.subscribe(IMAGE, 'sim_node/image', 1)
    ros.until(lambda: len(images) > 1, 'pictures')
    command = ros.publisher(VECTOR, 'command')
    first = images[-1]
    assert (first.width, first.height, first.step, first.encoding) == (160, 120, 480, 'rgb8')
    assert first.header.frame_id == 'side'
    assert np.ptp(first.data) > 50

    def has_moved():
        command.publish(interface_class(VECTOR)(data=[-1.0, 0.0]))
        return bytes(images[-1].data) != bytes(first.data)

    ros.until(has_moved, 'another picture')
    assert in_step(stamps(states), 20_000_000)
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.mark.usefixtures('opengl')
def test_a_picture_has_the_stamp_of_the_state_that_it_shows(ros):
    start(
        ros, env=ARM, image__rate_hz=10.0, image__width=64, image__height=48, publish_clock=True, real_time_factor=0.25,
        hold_until_command=False,
    )  # fmt: skip
    states = ros.subscribe(JOINTS, 'joint_states', 100)
    images = ros.subscribe(IMAGE, 'sim_node/image', 100)
    diagnostics = ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics', 100)
    ros.until(lambda: len(images) > 5 and len(diagnostics) > 2, 'pictures and diagnostics')
    newest = stamps(states)[-1]
    for message in (images[-1], diagnostics[-1]):
        assert abs(to_nanoseconds(message.header.stamp) - newest) < 400_000_000, '/clock is seconds behind by now'


@pytest.mark.usefixtures('opengl')
def test_a_camera_that_the_model_lacks_is_refused_in_one_sentence(ros):
    process = start(ros, env=ARM, image__rate_hz=10.0, image__camera='front')
    assert process.wait() == 1
    [line] = process.output.splitlines()
    assert "the model has no camera 'front'. Valid: side" in line


def test_without_opengl_a_picture_is_refused_with_what_to_install(ros):
    no_driver = {'MUJOCO_GL': 'egl', '__EGL_VENDOR_LIBRARY_FILENAMES': '/nowhere'}
    process = ros.start('sim_node', '-p', 'image.rate_hz:=10.0', **no_driver)
    assert process.wait() == 1
    [line] = process.output.splitlines()
    assert "the OpenGL backend 'egl' does not work here" in line and 'apt install libegl1' in line
