import mujoco
import numpy as np
import pytest

from velora_ros.nodes.view.displayed_robot import DisplayedRobot, start_pose
from velora_ros.nodes.view.robot_pose import RobotPose, scan_points

ARM = """
<mujoco>
  <worldbody>
    <body name="upper"><joint name="shoulder" axis="0 1 0"/><geom size="0.1"/>
      <body name="lower" pos="1 0 0">
        <joint name="elbow" axis="0 1 0"/><geom size="0.1"/><site name="tool" pos="1 0 0"/>
      </body>
    </body>
  </worldbody>
</mujoco>"""
CART = """
<mujoco>
  <worldbody>
    <body name="trunk" pos="0 0 0.5"><freejoint/><geom size="0.1"/><site name="laser" pos="0.2 0 0"/>
      <body name="wheel"><joint name="roll" axis="0 1 0"/><geom size="0.1"/></body>
    </body>
  </worldbody>
</mujoco>"""
QUARTER_LEFT = (np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5))


@pytest.fixture
def pose():
    def of(text):
        model = mujoco.MjModel.from_xml_string(text)
        return RobotPose(DisplayedRobot('robot', model, start_pose(model)))

    return of


def test_joints_are_set_by_name_in_any_order(pose):
    arm = pose(ARM)
    arm.set_joints(['elbow', 'shoulder'], [np.pi / 2, -np.pi / 2])
    arm.update()
    assert arm.place_of('lower')[0] == pytest.approx([0, 0, 1], abs=1e-12)
    assert arm.place_of('tool')[0] == pytest.approx([1, 0, 1], abs=1e-12)


def test_a_state_in_parts_sets_each_joint_from_the_part_that_has_it(pose):
    arm = pose(ARM)
    arm.set_joints(['shoulder'], [0.3])
    arm.set_joints(['elbow'], [0.4])
    assert arm.data.qpos.tolist() == [0.3, 0.4]


def test_values_that_are_not_finite_unknown_joints_and_missing_positions_change_nothing(pose):
    arm = pose(ARM)
    arm.set_joints(['shoulder', 'elbow', 'gripper'], [0.3, np.nan, 1.0])
    arm.set_joints(['shoulder', 'elbow'], [])
    arm.set_joints(['shoulder', 'elbow'], [np.inf])
    assert arm.data.qpos.tolist() == [0.3, 0.0]


def test_the_base_goes_where_odometry_says(pose):
    cart = pose(CART)
    cart.set_base((1, 2, 3), QUARTER_LEFT)
    cart.update()
    place, axes = cart.place_of('trunk')
    assert place == pytest.approx([1, 2, 3])
    assert axes[:, 0] == pytest.approx([0, 1, 0], abs=1e-12)
    assert cart.place_of('laser')[0] == pytest.approx([1, 2.2, 3])


def test_an_imu_turns_the_base_and_leaves_it_where_it_is(pose):
    cart = pose(CART)
    cart.set_orientation([2 * part for part in QUARTER_LEFT])
    cart.update()
    assert cart.place_of('trunk')[0] == pytest.approx([0, 0, 0.5])
    assert cart.place_of('laser')[0] == pytest.approx([0, 0.2, 0.5], abs=1e-12)


@pytest.mark.parametrize('quaternion', [(0, 0, 0, 0), (np.nan, 0, 0, 1), (np.inf, 0, 0, 0)])
def test_an_invalid_quaternion_leaves_the_orientation(pose, quaternion):
    cart = pose(CART)
    cart.set_base((1, 0, np.nan), quaternion)
    assert cart.data.qpos[:7].tolist() == [0, 0, 0.5, 1, 0, 0, 0]


def test_a_robot_without_a_floating_base_ignores_odometry(pose):
    arm = pose(ARM)
    arm.set_base((1, 2, 3), QUARTER_LEFT)
    assert not arm.has_base
    assert arm.data.qpos.tolist() == [0, 0]


def test_an_unknown_frame_is_that_of_the_base(pose):
    cart = pose(CART)
    cart.set_base((1, 2, 3), (1, 0, 0, 0))
    cart.update()
    assert cart.place_of('lidar_link')[0].tolist() == cart.place_of('')[0].tolist() == [1, 2, 3]
    assert pose(ARM).place_of('lidar_link')[0].tolist() == [0, 0, 0]


def test_nothing_is_simulated(pose):
    cart = pose(CART)
    cart.set_base((0, 0, 5), (1, 0, 0, 0))
    cart.update()
    cart.update()
    assert cart.data.time == 0
    assert cart.place_of('trunk')[0][2] == 5


def test_a_scan_hits_points_in_the_frame_of_the_laser():
    points = scan_points([1.0, 2.0, np.inf, np.nan, 0.0, 12.0], 0.0, np.pi / 2, 12.0)
    assert points == pytest.approx(np.array([[1, 0, 0], [0, 2, 0]]), abs=1e-12)
    assert len(scan_points([1.0, 50.0], 0.0, 0.1, 0.0)) == 2
    assert scan_points([], 0.0, 0.1, 4.0).shape == (0, 3)
