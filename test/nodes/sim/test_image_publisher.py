"""The images of sim_node when drawing fails: the node keeps running, and one line in the log says so."""

import signal
from types import SimpleNamespace

import numpy as np
import pytest
from ros_bench import in_step

from velora_ros.errors import ConfigError
from velora_ros.gym import make
from velora_ros.gym.simulated_robot import SimulatedRobot
from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.sim import image_publisher
from velora_ros.nodes.sim.image_publisher import MOST_FAILURES, ImagePublisher
from velora_ros.utils.shipped_files import share_path

pytestmark = pytest.mark.ros
IMAGE = 'sensor_msgs/msg/Image'
VALUES = {'image.rate_hz': 50.0, 'image.width': 64, 'image.height': 48, 'image.camera': ''}
ARM = share_path('config', 'arm.xml')
JOINTS = 'sensor_msgs/msg/JointState'
VECTOR = 'std_msgs/msg/Float64MultiArray'


class Flaky(image_publisher.Camera):
    """A camera whose pictures fail as the test says; `made` counts cameras."""

    made, fails = 0, staticmethod(lambda number: None)
    number = 0

    def __init__(self, *arguments):
        Flaky.made += 1
        super().__init__(*arguments)

    def picture(self, data):
        Flaky.number += 1
        if (error := Flaky.fails(Flaky.number)) is not None:
            raise error
        return super().picture(data)


@pytest.fixture
def camera(ros, monkeypatch):
    """Starts a camera output on the bench's own node; pictures for whose number `fails` returns an error fail."""
    outputs, said = [], []

    def start(fails, **values):
        Flaky.made, Flaky.number, Flaky.fails = 0, 0, staticmethod(fails)
        monkeypatch.setattr(image_publisher, 'Camera', Flaky)
        loop = SimpleNamespace(robot=SimulatedRobot(make('InvertedPendulum-v5')), stamp=1)
        output = ImagePublisher(ros.node, loop, VALUES | values)
        output._logger = Log(said)
        outputs.append(output)
        return ros.subscribe(IMAGE, 'test_peer/image', matched=False), said

    yield start
    for output in outputs:
        output.close()


class Log:
    def __init__(self, said):
        self._said = said

    def warning(self, text):
        self._said.append(text)

    error = warning


def test_images_continue_after_a_failure(ros, camera):
    images, said = camera(lambda number: RuntimeError('lost\n the context') if number in {3, 4} else None)
    ros.until(lambda: len(images) > 3, 'pictures after the failures')
    assert said == [
        'rendering an image failed: RuntimeError: lost the context. The camera is recreated for the next image.'
    ]
    assert Flaky.made == 3, 'each failure is followed by a new camera'


def test_a_camera_that_fails_repeatedly_stays_off_and_logs_it_once(ros, camera):
    images, said = camera(lambda number: MemoryError('no memory') if number > 2 else None)
    ros.until(lambda: len(said) > 1, 'the last word')
    drawn = Flaky.number
    ros.spin(0.2)
    assert (Flaky.number, len(said), len(images)) == (drawn, 2, 1)
    assert f'the camera is off: {MOST_FAILURES} images in a row failed, the last one with MemoryError' in said[1]


def test_an_unexpected_failure_of_the_first_image_leaves_the_node_without_images(camera):
    camera(lambda number: OSError('a broken driver'))
    assert Flaky.number == 1


def test_a_camera_that_the_model_lacks_is_refused(camera):
    with pytest.raises(ConfigError, match="no camera 'front'"):
        camera(lambda number: None, **{'image.camera': 'front'})


def start(ros, **values):
    """Starts sim_node with parameters; `__` in a name stands for a dot."""
    words = [('-p', f'{name.replace("__", ".")}:={value}') for name, value in values.items()]
    return ros.start('sim_node', *(word for pair in words for word in pair))


def stamps(states):
    return [to_nanoseconds(state.header.stamp) for state in states]


def test_images_are_published_only_with_a_rate(ros):
    start(ros)
    ros.subscribe(JOINTS, 'joint_states')
    ros.until(lambda: '/diagnostics' in dict(ros.node.get_topic_names_and_types()), 'the topics that are made last')
    assert '/sim_node/image' not in dict(ros.node.get_topic_names_and_types())


@pytest.mark.usefixtures('opengl')
def test_images_show_the_moving_robot_and_states_stay_periodic(ros):
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
def test_an_image_has_the_stamp_of_its_state(ros):
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


def test_without_opengl_images_are_refused_with_what_to_install(ros):
    no_driver = {'MUJOCO_GL': 'egl', '__EGL_VENDOR_LIBRARY_FILENAMES': '/nowhere'}
    process = ros.start('sim_node', '-p', 'image.rate_hz:=10.0', **no_driver)
    assert process.wait() == 1
    [line] = process.output.splitlines()
    assert "the OpenGL backend 'egl' does not work here" in line and 'apt install libegl1' in line
