"""The rangefinders of a model as one laser scanner."""

import mujoco
import numpy as np
import pytest

from velora_ros.tasks.find_task import find
from velora_ros.tasks.laser import find_laser


def with_rays(*axes, place='0 0 .1'):
    sites = ''.join(f'<site name="r{i}" pos="{place}" zaxis="{axis}"/>' for i, axis in enumerate(axes))
    sensors = ''.join(f'<rangefinder site="r{i}"/>' for i in range(len(axes)))
    body = f'<body><freejoint/><geom size=".05"/>{sites}</body>'
    text = f'<mujoco><worldbody>{body}</worldbody><sensor>{sensors}</sensor></mujoco>'
    return mujoco.MjModel.from_xml_string(text)


def test_the_rover_has_36_rays_ten_degrees_apart_from_behind_to_behind():
    model = find('rover').built.model
    laser = find_laser(model)
    assert len(laser.places) == 36
    assert np.degrees([laser.angle_min, laser.angle_increment]) == pytest.approx([-175, 10], abs=0.01)
    assert laser.range_max == 12
    assert model.body(laser.body).name == 'base_link'
    assert laser.position == pytest.approx([-0.04, 0, 0.1925])


def test_rays_without_a_cutoff_have_no_largest_range():
    laser = find_laser(with_rays('1 0 0', '0 1 0', '-1 0 0'))
    assert laser.range_max == np.inf
    assert (laser.angle_min, laser.angle_increment) == pytest.approx((0, np.pi / 2))


@pytest.mark.parametrize('axes', [('1 0 0',), ('1 0 0', '0 1 0', '-1 -1 0'), ('1 0 0', '0 1 1', '-1 0 0'), ()])
def test_what_is_no_scan_is_none(axes):
    assert find_laser(with_rays(*axes)) is None
