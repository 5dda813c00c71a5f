import mujoco
import numpy as np
import pytest

from velora_ros.errors import ConfigError
from velora_ros.gym.camera import Camera
from velora_ros.utils.shipped_files import share_path

pytestmark = pytest.mark.usefixtures('opengl')


@pytest.fixture
def arm():
    model = mujoco.MjModel.from_xml_path(str(share_path('config', 'arm.xml')))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def test_a_picture_has_its_size_and_shows_the_robot_where_it_is(arm):
    model, data = arm
    camera = Camera(model, 80, 60, 'side')
    upright = camera.picture(data)
    assert (upright.shape, upright.dtype) == ((60, 80, 3), np.uint8)
    data.qpos[:] = 1.2
    mujoco.mj_forward(model, data)
    assert not np.array_equal(camera.picture(data), upright)
    blue = upright[:, :, 2].astype(int) - upright[:, :, 0]
    assert blue.argmax() // 80 < 45, 'the arm is above its base: the picture does not stand on its head'
    camera.close()


def test_it_may_be_larger_than_the_model_s_buffer_and_look_from_anywhere(arm):
    model, data = arm
    camera = Camera(model, 700, 500, view={'distance': 2.0, 'lookat': np.zeros(3)})
    assert camera.picture(data).std() > 1
    camera.close()


def test_a_camera_that_is_not_there_is_refused_with_those_that_are(arm):
    with pytest.raises(ConfigError, match=r"no camera 'sid'\. Did you mean 'side'"):
        Camera(arm[0], 80, 60, 'sid')
