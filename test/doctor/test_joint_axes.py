"""The positive direction of joints, in words."""

from velora_ros.doctor.joint_axes import joint_directions

URDF = """<robot name="r">
  <joint name="knee" type="revolute"><parent link="thigh"/><child link="calf"/><axis xyz="0 1 0"/></joint>
  <joint name="rail" type="prismatic"><parent link="base"/><child link="cart"/></joint>
  <joint name="glue" type="fixed"><parent link="base"/><child link="lid"/></joint>
</robot>"""


def test_each_joint_that_moves_has_a_direction():
    assert joint_directions(URDF) == {
        'knee': "about (0, 1, 0) of the frame of 'calf', by the right-hand rule",
        'rail': "along (1, 0, 0) of the frame of 'cart'",
    }


def test_what_is_no_urdf_has_no_joints():
    assert joint_directions('') == joint_directions('not XML') == joint_directions('<robot') == {}
