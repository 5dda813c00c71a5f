import re
from pathlib import Path

import mujoco
import numpy as np
import pytest

from velora_ros.robots import model as path_of

ROBOTS = ('quadruped', 'arm', 'rover')
HEADINGS = {'quadruped': 'Quadruped and', 'arm': 'Arm and', 'rover': 'Rover and'}
PAGE = Path(__file__).parents[2] / 'docs' / 'robots.md'


@pytest.fixture(params=ROBOTS)
def robot(request):
    return request.param


def compiled(robot):
    return mujoco.MjModel.from_xml_path(path_of(robot))


def rows(robot):
    section = PAGE.read_text(encoding='utf-8').split(f'### {HEADINGS[robot]}')[1].split('\n###')[0]
    return re.findall(r'^\| `([^`]+)` \| ([-0-9.]+) \| ([-0-9.]+) \|', section, flags=re.MULTILINE)


def value(model, place):
    kind, name, *what = place.split() if place != 'total mass' else ('total', 'mass')
    if kind == 'total':
        return model.body_mass.sum()
    if kind == 'subtree':
        return model.body_subtreemass[model.body(name).id]
    one = getattr(model, kind)(name)
    return {
        'mass': lambda: one.mass[0],
        'offset': lambda: np.linalg.norm(one.pos),
        'side': lambda: abs(one.pos[1]),
        'height': lambda: one.pos[2],
        'size': lambda: one.size[0],
        'low': lambda: one.range[0],
        'high': lambda: one.range[1],
        'armature': lambda: one.armature[0],
        'limit': lambda: one.forcerange[1],
        'cutoff': lambda: one.cutoff[0],
    }[what[0]]()


def test_the_numbers_of_the_page_are_those_of_the_model(robot):
    model, table = compiled(robot), rows(robot)
    assert len(table) >= 8
    for place, in_model, _ in table:
        assert value(model, place) == pytest.approx(float(in_model), rel=1e-4), place


def test_the_model_loads_without_warnings_and_every_actuator_has_limits(robot):
    model = compiled(robot)
    assert model.nmesh == 0
    assert model.actuator_forcelimited.all()
    assert model.actuator_ctrllimited.all()
    assert (model.body_mass[1:][model.body_mocapid[1:] < 0] > 0).all()
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_step(model, data)
    assert not any(warning.number for warning in data.warning)


def test_the_start_pose_penetrates_nothing_and_is_kept(robot):
    model = compiled(robot)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    if robot == 'quadruped':
        data.ctrl[:] = data.qpos[7:]
    mujoco.mj_forward(model, data)
    assert all(contact.dist > -1e-3 for contact in data.contact[: data.ncon])
    start = data.qpos.copy()
    for _ in range(round(2 / model.opt.timestep)):
        mujoco.mj_step(model, data)
    assert np.abs(data.qpos - start).max() < 0.2  # servos give way a little under the weight
    assert np.abs(data.qvel).max() < 0.05
    assert not any(warning.number for warning in data.warning)


def test_the_rover_drives_as_fast_as_its_wheels_turn_and_turns_on_the_spot():
    model = compiled('rover')
    data = mujoco.MjData(model)
    wheel = 0.31 / 0.03575
    for ctrl, entry, wanted in (((wheel, wheel), 0, 0.31), ((-6.19, 6.19), 5, 1.9)):
        mujoco.mj_resetDataKeyframe(model, data, 0)
        data.ctrl[:] = ctrl
        for _ in range(100):
            mujoco.mj_step(model, data)
        assert data.qvel[entry] == pytest.approx(wanted, rel=0.03)


def test_rays_of_the_rover_point_from_behind_on_the_right_to_behind_on_the_left():
    model = compiled('rover')
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    data.mocap_pos[:, 0] += 100  # an empty room of 6 m x 6 m
    mujoco.mj_forward(model, data)
    axes = data.site_xmat.reshape(-1, 3, 3)[:, :, 2]
    angles = np.arctan2(axes[:, 1], axes[:, 0])
    np.testing.assert_allclose(np.degrees(angles), np.arange(-175, 180, 10), atol=1e-3)
    ahead = int(np.argmin(np.abs(angles - np.radians(5))))
    assert data.sensordata[ahead] == pytest.approx(3.04 / np.cos(np.radians(5)), abs=1e-3)
