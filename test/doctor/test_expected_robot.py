"""What a policy file expects of a robot."""

import numpy as np
import pytest
from foreign_policies import mjlab_policy

from velora_ros.contract.sources import ObservationSettings
from velora_ros.doctor.check_policy import check_policy
from velora_ros.doctor.expected_robot import expected_robot
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.policy import load_file
from velora_ros.spec import PolicySpec
from velora_ros.utils.shipped_files import share_path

SPEC = PolicySpec(
    ('a/position', 'b/position', 'a/velocity'), ('rad', 'm', 'rad/s'), ('b/effort',), ('N',), (-1.0,), (1.0,), 0.04
)


@pytest.fixture
def file(make_policy_file):
    return make_policy_file(3, spec=SPEC)


def test_a_file_without_a_contract_expects_the_joints_of_its_names(file):
    robot = expected_robot(file, ObservationSettings())
    assert [source.source.topic for source in robot.sources] == ['joint_states']
    assert robot.sources[0].joints == ['a', 'b']
    assert [(joint.name, joint.unit, joint.start) for joint in robot.joints] == [('a', 'rad', None), ('b', 'm', None)]
    assert (robot.commanded, robot.interface, robot.period) == (['b'], 'effort', 0.04)
    assert not robot.steps_at_period


def test_where_joints_were_in_training_is_in_the_robots_own_units(file):
    plain = expected_robot(file, ObservationSettings()).joints[0]
    fields = tuple(f'joints:{name}' for name in ('q1/position', 'q2/position', 'q1/velocity'))
    mapped = ObservationSettings(fields=fields, scale=(-2.0, 1.0, 1.0), offset=(0.5, 0.0, 0.0))
    joint = expected_robot(file, mapped).joints[0]
    assert (joint.name, joint.sign) == ('q1', -1.0)
    assert joint.mean == pytest.approx((plain.mean - 0.5) / -2)
    assert joint.deviation == pytest.approx(plain.deviation / 2)


def test_a_contract_gives_sources_start_pose_and_commands():
    robot = expected_robot(PolicyFile.load(share_path('policies', 'quadruped.safetensors')), ObservationSettings())
    by_name = {source.source.name: source for source in robot.sources}
    assert list(by_name) == ['joints', 'imu', 'cmd_vel'], 'not what the node keeps itself'
    assert by_name['joints'].is_trigger
    assert by_name['imu'].reads_orientation
    assert by_name['cmd_vel'].may_be_silent
    assert len(robot.joints) == len(robot.commanded) == 12
    calf = next(joint for joint in robot.joints if joint.name == 'FR_calf_joint')
    assert (calf.start, calf.unit, calf.is_revolute) == (-1.8, 'rad', True)
    assert abs(calf.mean - calf.start) < 0.5
    assert robot.interface == 'position'
    assert robot.steps_at_period


def test_an_onnx_model_of_another_library_has_a_start_pose_and_no_statistics(tmp_path):
    file = load_file(mjlab_policy(tmp_path)[0])
    robot = expected_robot(file, ObservationSettings())
    assert len(robot.joints) == 12
    assert all(np.isnan(joint.deviation) and joint.start is not None for joint in robot.joints)
    assert check_policy('walk', Policy(file))[:2] == ('note', 'trace')
