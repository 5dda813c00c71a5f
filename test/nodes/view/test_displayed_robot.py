from pathlib import Path

import numpy as np
import pytest

from velora_ros.errors import TaskError, UnsupportedEnvironmentError
from velora_ros.nodes.view.displayed_robot import from_description, load
from velora_ros.nodes.view.robot_pose import RobotPose
from velora_ros.tasks.find_task import find

ROOT = Path(__file__).parents[3]
URDF = """
<robot name="cart">
  <link name="base_link"><visual><geometry><box size="1 1 0.2"/></geometry></visual></link>
  <link name="mast"><visual><geometry><mesh filename="package://nowhere/mast.dae"/></geometry></visual>
    <inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="lean" type="revolute"><parent link="base_link"/><child link="mast"/><axis xyz="0 1 0"/>
    <origin xyz="0 0 0.5"/><limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
</robot>"""


def joints(model):
    return [(model.joint(index).name, int(model.jnt_qposadr[index])) for index in range(model.njnt)]


def test_a_gymnasium_environment_is_shown_at_its_start():
    robot = load('InvertedPendulum-v5')
    assert (robot.name, robot.model.nq, robot.ranges) == ('InvertedPendulum-v5', 2, None)
    assert robot.start.tolist() == [0, 0]


def test_a_robot_s_file_is_shown_at_its_keyframe():
    robot = load(str(ROOT / 'config' / 'arm.xml'))
    assert robot.name == 'arm.xml'
    assert robot.start.shape == (robot.model.nq,)
    assert not robot.model.nkey or np.array_equal(robot.start, robot.model.key_qpos[0])


@pytest.mark.parametrize('name', ['quadruped', 'arm', 'rover'])
def test_the_robot_of_a_task_is_the_one_that_is_simulated(name):
    shown, simulated = load(name), find(name).make()
    assert joints(shown.model) == joints(simulated.model)
    home = shown.model.key('home').qpos
    assert np.array_equal(shown.start, home)
    simulated.close()


def test_the_sliders_have_the_range_of_the_task_s_command():
    task = find('quadruped').commands['twist']
    assert load('quadruped').ranges == tuple(zip(task.low, task.high, strict=True))
    assert load('arm').ranges is None


def test_obstacles_whose_place_no_topic_tells_are_not_shown():
    model = load('rover').model
    hidden = {model.geom(index).name for index in range(model.ngeom) if model.geom_rgba[index, 3] == 0}
    assert hidden
    assert all(name.startswith('obstacle') for name in hidden)


def test_a_robot_description_gets_a_base_that_can_move():
    robot = from_description(URDF)
    assert robot.name == 'cart'
    pose = RobotPose(robot)
    pose.set_base((1, 2, 3), (1, 0, 0, 0))
    pose.set_joints(['lean'], [0.5])
    pose.update()
    assert pose.place_of('base_link')[0].tolist() == [1, 2, 3]
    assert pose.place_of('mast')[0].tolist() == [1, 2, 3.5]


def test_what_cannot_be_shown_is_refused_with_the_reason():
    with pytest.raises(UnsupportedEnvironmentError, match="'robot_description' cannot be shown"):
        from_description('<robot')
    with pytest.raises(UnsupportedEnvironmentError, match=r'nowhere\.xml'):
        load('nowhere.xml')
    with pytest.raises(UnsupportedEnvironmentError, match='has no MuJoCo model'):
        load('CartPole-v1')
    with pytest.raises(TaskError, match='there is no file'):
        load('nowhere.py:WALK')
