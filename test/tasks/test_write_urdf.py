"""The URDF made from a model: the same kinematics, masses and limits, and what check_urdf says to it."""

import shutil
import subprocess
import xml.etree.ElementTree as ET

import mujoco
import numpy as np
import pytest

from velora_ros.errors import TaskError
from velora_ros.tasks.find_task import find
from velora_ros.tasks.urdf_shapes import roll_pitch_yaw
from velora_ros.tasks.write_urdf import Frame, to_urdf

# Joints with anchors and reference positions of their own, two on one body, a slide, and every shape.
TRICKY = """
<mujoco><compiler angle="radian"/><worldbody><body name="base" pos="1 2 3"><freejoint/><geom size=".1"/>
  <body name="arm" pos=".2 .1 0" euler=".3 .2 .1"><joint name="lift" axis="0 1 0" pos=".05 0 .1" ref=".4"/>
    <joint name="turn" axis="0 0 1" pos="0 .03 0" range="-1 1" limited="true"/>
    <geom type="capsule" fromto="0 0 0 .1 .2 .3" size=".02"/>
    <body name="hand" pos=".1 .2 .3" euler="0 .5 0"><joint name="slide" type="slide" axis="1 0 0" ref=".02"/>
      <geom type="ellipsoid" size=".03 .03 .01"/><geom type="box" size=".01 .02 .03" pos=".1 0 0"/>
      <geom type="cylinder" size=".01 .02" pos="-.1 0 0" contype="0" conaffinity="0"/></body></body></body>
</worldbody><actuator><motor joint="turn" forcerange="-7 7"/></actuator></mujoco>
"""
SHIPPED = ('quadruped', 'arm', 'rover')


def compiled(text):
    """The model of a URDF, with every link and joint kept."""
    head, tail = text.split('>\n', 2)[1] + '>', text.split('>\n', 2)[2]
    options = 'fusestatic="false" discardvisual="false" balanceinertia="true" boundmass="1e-9" boundinertia="1e-9"'
    keep = f'<mujoco><compiler {options}/></mujoco>'
    return mujoco.MjModel.from_xml_string(f'{head}\n{keep}\n{tail}')


def poses(model, positions):
    """Position and axes of each body relative to the first moving one, by name."""
    data = mujoco.MjData(model)
    for name, value in positions.items():
        data.joint(name).qpos[:] = value
    mujoco.mj_kinematics(model, data)
    return {model.body(i).name: (data.xipos[i], data.xpos[i], data.xmat[i].reshape(3, 3)) for i in range(model.nbody)}


@pytest.fixture(params=[*SHIPPED, 'tricky'])
def model(request):
    return mujoco.MjModel.from_xml_string(TRICKY) if request.param == 'tricky' else find(request.param).built.model


def test_bodies_move_as_in_the_model(model):
    urdf = compiled(to_urdf(model, 'robot', root='base_link'))
    joints = [urdf.joint(i).name for i in range(urdf.njnt)]
    assert joints == [model.joint(i).name for i in range(model.njnt) if int(model.jnt_type[i]) >= 2]
    root = next(i for i in range(1, model.nbody) if model.body_rootid[i] == model.body_rootid[model.jnt_bodyid[-1]])
    rng = np.random.default_rng(0)
    for _ in range(3):
        positions = {name: rng.uniform(-1, 1) for name in joints}
        ours, theirs = poses(model, positions), poses(urdf, positions)
        _, origin, axes = ours[model.body(root).name]
        for name in set(ours) & set(theirs) - {'world'}:
            assert axes.T @ (ours[name][0] - origin) == pytest.approx(theirs[name][0], abs=1e-7), name
            assert axes.T @ ours[name][2] == pytest.approx(theirs[name][2], abs=1e-7)


def test_masses_and_limits_are_those_of_the_model(model):
    text = to_urdf(model, 'robot', root='base_link')
    masses = {link.get('name'): float(link.find('inertial/mass').get('value')) for link in ET.fromstring(text)
              if link.tag == 'link' and link.find('inertial') is not None}  # fmt: skip
    assert masses == pytest.approx({name: model.body(name).mass[0] for name in masses})
    for joint in ET.fromstring(text).iter('joint'):
        if joint.get('type') == 'revolute':
            limit = joint.find('limit')
            low, high = model.joint(joint.get('name')).range
            assert (float(limit.get('lower')), float(limit.get('upper'))) == pytest.approx((low, high))


def test_efforts_are_those_of_the_actuators():
    text = to_urdf(find('quadruped').built.model, 'robot', root='base_link')
    efforts = {joint.get('name'): joint.find('limit').get('effort') for joint in ET.fromstring(text).iter('joint')
               if joint.find('limit') is not None}  # fmt: skip
    assert (efforts['FR_hip_joint'], efforts['FR_calf_joint']) == ('23.7', '35.55')


def test_obstacles_and_floor_are_not_part_of_the_robot():
    names = [link.get('name') for link in ET.fromstring(to_urdf(find('rover').built.model, 'r', root='base_link'))]
    assert [name for name in names if 'obstacle' in name or 'wall' in name or name == 'world'] == []


def test_frames_of_sensors_are_links():
    model = find('rover').built.model
    place = np.array([-0.04, 0, 0.19])
    text = to_urdf(model, 'r', root='base_link', frames=[Frame('laser', model.body('base_link').id, place)])
    [joint] = [one for one in ET.fromstring(text).iter('joint') if one.find('child').get('link') == 'laser']
    assert joint.find('origin').get('xyz') == '-0.04 0 0.19'
    assert joint.get('type') == 'fixed'


@pytest.mark.skipif(shutil.which('check_urdf') is None, reason='needs liburdfdom-tools')
def test_check_urdf_accepts_it(model, tmp_path):
    path = tmp_path / 'robot.urdf'
    path.write_text(to_urdf(model, 'robot', root='base_link'))
    checked = subprocess.run(['check_urdf', path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert 'Successfully Parsed XML' in checked.stdout
    assert 'root Link: base_link' in checked.stdout


def test_what_a_urdf_cannot_have_is_refused():
    ball = '<mujoco><worldbody><body><joint name="hip" type="ball"/><geom size=".1"/></body></worldbody></mujoco>'
    with pytest.raises(TaskError, match="'hip' is a ball joint"):
        to_urdf(mujoco.MjModel.from_xml_string(ball), 'robot', root='base_link')
    still = '<mujoco><worldbody><geom size=".1"/></worldbody></mujoco>'
    with pytest.raises(TaskError, match='no joints'):
        to_urdf(mujoco.MjModel.from_xml_string(still), 'robot', root='base_link')


def test_angles_are_about_fixed_axes():
    half = np.sqrt(0.5)
    assert roll_pitch_yaw(np.array([half, half, 0, 0])) == pytest.approx([np.pi / 2, 0, 0])
    assert roll_pitch_yaw(np.array([half, 0, half, 0]))[1] == pytest.approx(np.pi / 2)
    assert roll_pitch_yaw(np.array([half, 0, 0, half])) == pytest.approx([0, 0, np.pi / 2])
