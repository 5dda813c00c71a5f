from velora_ros.contract.joint_signals import joint_signal, reads_joints


def test_joint_names_may_contain_slashes_and_others_are_no_signals():
    assert joint_signal('arm/left/elbow/effort') == ('arm/left/elbow', 'effort')
    assert not any(joint_signal(name) for name in ('obs_0', 'elbow/torque', '/position', 'position'))
    assert reads_joints(('slider/position', 'hinge/effort'))
    assert not reads_joints(('slider/position', 'obs_4'))
