from velora_ros.contract.joint_signals import INTERFACES, UNITS, joint_signal, reads_joints, signal_name


def test_joint_names_may_contain_slashes_and_other_names_are_not_signals():
    assert joint_signal('arm/left/elbow/effort') == ('arm/left/elbow', 'effort')
    assert not any(joint_signal(name) for name in ('obs_0', 'elbow/torque', '/position', 'position'))
    assert reads_joints(('slider/position', 'hinge/effort'))
    assert not reads_joints(('slider/position', 'obs_4'))


def test_every_interface_has_a_name_and_units():
    for interface in INTERFACES:
        assert joint_signal(signal_name('elbow', interface)) == ('elbow', interface)
    assert UNITS.keys() == set(INTERFACES)
