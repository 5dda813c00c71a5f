"""The images of sim_node when drawing fails: the node keeps running, and one line in the log says so."""

from types import SimpleNamespace

import pytest

from velora_ros.errors import ConfigError
from velora_ros.gym import make
from velora_ros.gym.robot import SimulatedRobot
from velora_ros.nodes.sim import image_publisher
from velora_ros.nodes.sim.image_publisher import MOST_FAILURES, ImagePublisher

pytestmark = pytest.mark.ros

IMAGE = 'sensor_msgs/msg/Image'
VALUES = {'image.rate_hz': 50.0, 'image.width': 64, 'image.height': 48, 'image.camera': ''}


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


def test_pictures_go_on_after_one_that_failed(ros, camera):
    images, said = camera(lambda number: RuntimeError('lost\n the context') if number in {3, 4} else None)
    ros.until(lambda: len(images) > 3, 'pictures after the failures')
    assert said == ['an image failed: RuntimeError: lost the context. The camera is created anew for the next image.']
    assert Flaky.made == 3, 'each failure is followed by a new camera'


def test_a_camera_that_fails_again_and_again_stays_off_and_says_so_once(ros, camera):
    images, said = camera(lambda number: MemoryError('no memory') if number > 2 else None)
    ros.until(lambda: len(said) > 1, 'the last word')
    drawn = Flaky.number
    ros.spin(0.2)
    assert (Flaky.number, len(said), len(images)) == (drawn, 2, 1)
    assert f'the camera is off: {MOST_FAILURES} images in a row failed, the last one with MemoryError' in said[1]


def test_a_start_that_fails_in_an_unexpected_way_leaves_the_node_without_pictures(camera):
    camera(lambda number: OSError('a broken driver'))
    assert Flaky.number == 1


def test_a_camera_that_the_model_lacks_is_still_refused(camera):
    with pytest.raises(ConfigError, match="no camera 'front'"):
        camera(lambda number: None, **{'image.camera': 'front'})
