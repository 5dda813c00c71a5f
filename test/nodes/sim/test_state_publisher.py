"""The state of a floating base, in its frames."""

import pytest

from velora_ros.nodes.ros.conversions import to_nanoseconds

pytestmark = pytest.mark.ros
JOINTS = 'sensor_msgs/msg/JointState'
DRONE = """
<mujoco><worldbody><body name="drone" pos="1 2 3" quat="0.6 0 0 0.8"><freejoint/><geom size=".1"/>
  <body pos=".2 0 0"><joint name="arm" axis="0 1 0"/><geom size=".03" mass=".1"/></body></body></worldbody>
<actuator><motor joint="arm" ctrlrange="-1 1"/></actuator>
<keyframe><key qpos="1 2 3 0.6 0 0 0.8 0" qvel="2 0 0 0 0 1.5 0"/></keyframe></mujoco>
"""


def start(ros, **values):
    """Starts sim_node with parameters; `__` in a name stands for a dot."""
    words = [('-p', f'{name.replace("__", ".")}:={value}') for name, value in values.items()]
    return ros.start('sim_node', *(word for pair in words for word in pair))


def stamps(states):
    return [to_nanoseconds(state.header.stamp) for state in states]


def test_pose_and_velocity_of_a_floating_base_are_published_in_their_frames(ros, tmp_path):
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
