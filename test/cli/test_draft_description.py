"""``velora_ros deploy walk.onnx`` drafts the description of a policy of another library, then shows its contract."""

import pytest
import yaml
from foreign_policies import HIGH, JOINTS, LOW, TERMS, actor, attach, description, export, mjlab_metadata, mjlab_policy
from leapp_bundles import JOINTS as BUNDLE_JOINTS
from leapp_bundles import write_bundle

from velora_ros.cli.main import main
from velora_ros.errors import PolicyFileError
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.onnx_export import save_onnx
from velora_ros.robots import model as robot_path
from velora_ros.utils.shipped_files import share_path

URDF = """<robot name="arm">
  <link name="base"/><link name="a"/><link name="b"/>
  <joint name="turn" type="revolute"><parent link="base"/><child link="a"/>
    <limit lower="-1.5" upper="2.0" effort="30" velocity="1"/></joint>
  <joint name="reach" type="prismatic"><parent link="a"/><child link="b"/>
    <limit lower="0.0" upper="0.4" effort="80" velocity="1"/></joint>
  <joint name="tip" type="fixed"><parent link="b"/><child link="c"/></joint>
</robot>"""


@pytest.fixture
def model(tmp_path):
    path = export(actor(), tmp_path / 'walk.onnx')
    attach(path, mjlab_metadata())
    return path


def run(capsys, *arguments):
    status = main(['deploy', *map(str, arguments)])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_a_draft_has_what_metadata_and_robot_say_and_null_for_the_rest(model, capsys):
    status, out, _ = run(capsys, model, '--robot', robot_path('quadruped'))
    assert status == 0 and 'walk.yaml: drafted; fill in the null values' in out
    found = yaml.safe_load(model.with_suffix('.yaml').read_text())
    assert found['period'] is None and found['joints'] == list(JOINTS)
    assert [term['term'] for term in found['observations']] == list(TERMS)
    assert all(term['scale'] is None for term in found['observations'])
    assert (found['actions']['low'], found['actions']['high']) == (list(LOW), list(HIGH))
    assert found['actions']['effort_limit'] == [23.7, 23.7, 35.55] * 4  # of the actuators


def test_a_draft_that_is_filled_in_runs_and_is_written_as_parameters(model, capsys):
    run(capsys, model, '--robot', robot_path('quadruped'))
    status, _, err = run(capsys, model)
    assert status == 1 and 'it lacks the period, the scale of the observations' in err
    beside = model.with_suffix('.yaml')
    beside.write_text(beside.read_text().replace('period: null', 'period: 0.02').replace('scale: null', 'scale: 1.0'))
    assert Policy.load(model).step([0.0] * 48).shape == (12,)
    status, out, _ = run(capsys, model)
    assert status == 0 and "'odom:twist.twist.linear.x'  # base_velocity.x" in out
    status, _, err = run(capsys, model, '--robot', robot_path('quadruped'))
    assert status == 2 and '--robot is for the draft of a description' in err


def of_nine_joints():
    """A description of 48 observations as the network has them, but of 9 actions instead of 12."""
    terms = [term for term in TERMS if term != 'actions']
    return {
        'observations': [
            *({'term': term, 'scale': 1.0} for term in terms),
            {'term': 'twelve', 'topic': 'twelve', 'size': 12, 'scale': 1.0},
        ],
        'actions': {
            'joints': [*JOINTS[:9]],
            'low': [*LOW[:9]],
            'high': [*HIGH[:9]],
            'scale': [0.25],
            'stiffness': [20.0],
            'damping': [0.5],
        },
    }


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (
            {'observations': [{'term': term, 'scale': 1.0} for term in TERMS[1:]]},
            'its network reads 48 numbers, but its terms have 45',
        ),
        (of_nine_joints(), 'its network returns 12 actions and 0 numbers of hidden state, but the description has 9'),
        (
            {'observations': [{'term': 'gyroscope', 'scale': 1.0}]},
            "its term 'gyroscope' is not in any standard message; give the 'topic' and 'size' of the term in the "
            "description. Did you mean 'gyro'?",
        ),
    ],
)
def test_a_description_that_misfits_the_model_is_refused_in_the_sentence_of_policy_node(
    tmp_path, capsys, changes, words
):
    path, _ = mjlab_policy(tmp_path)
    beside = path.with_suffix('.yaml')
    beside.write_text(yaml.safe_dump(description(**changes)))
    with pytest.raises(PolicyFileError) as error:
        Policy.load(path)
    assert words in str(error.value)
    status, out, err = run(capsys, path)
    assert (status, out) == (1, '')
    assert err == f'velora_ros: error: {error.value}\n'


def test_a_model_without_metadata_gets_the_joints_of_the_robot(tmp_path, capsys):
    path, urdf = export(actor(n_observations=4, n_actions=2), tmp_path / 'arm.onnx'), tmp_path / 'arm.urdf'
    urdf.write_text(URDF)
    assert run(capsys, path, '--robot', urdf)[0] == 0
    text = path.with_suffix('.yaml').read_text()
    found = yaml.safe_load(text)
    assert (found['joints'], found['sliding_joints']) == (None, ['reach'])  # libraries order joints differently
    assert 'the robot file has [turn, reach]' in text
    assert (found['actions']['low'], found['actions']['high']) == ([-1.5, 0.0], [2.0, 0.4])
    assert found['actions']['effort_limit'] == [30.0, 80.0]
    assert '4 numbers in all' in text
    for line, filled in (
        ('period: null', 'period: 0.02'), ('default_positions: null', 'default_positions: 0.0'),
        ('joints: null', 'joints: [turn, reach]'),
        ('observations: null', 'observations: [{term: joint_pos, scale: 1}, {term: joint_vel, scale: 1}]'),
        ('scale: null', 'scale: 0.5'),
    ):  # fmt: skip
        text = text.replace(line, filled)
    path.with_suffix('.yaml').write_text(text)
    spec = Policy.load(path).spec
    assert spec.action_units == ('rad', 'm') and spec.observation_units == ('rad', 'm', 'rad/s', 'm/s')


def test_unclear_tensors_are_listed_in_the_draft(tmp_path, capsys):
    path = export(actor(cell='gru'), tmp_path / 'walk.onnx', ('obs', 'x'), ('actions', 'y'))
    assert run(capsys, path, '--out', tmp_path / 'other.yaml')[0] == 0
    text = (tmp_path / 'other.yaml').read_text()
    assert 'tensors:  # inputs: obs, x; outputs: actions, y' in text and not path.with_suffix('.yaml').exists()


def test_errors_are_one_sentence(tmp_path, model, capsys):
    (tmp_path / 'arm.urdf').write_text(URDF)
    (tmp_path / 'bad.xml').write_text('<mujoco')
    (tmp_path / 'bad.onnx').write_bytes(b'\x08\x0a\x12\x07pytorch')
    for arguments, words in (
        (
            (model, '--robot', tmp_path / 'arm.urdf'),
            "the policy has the joint 'FR_hip_joint', but the robot file has turn",
        ),
        ((model, '--robot', tmp_path / 'bad.xml'), 'cannot be read'),
        ((model, '--robot', tmp_path / 'none.xml'), 'cannot be read'),
        ((tmp_path / 'bad.onnx',), 'an ONNX model without a network'),
    ):
        status, _, err = run(capsys, *arguments)
        assert status in (1, 2) and words in err and len(err.splitlines()) == 1, err


def test_an_export_of_this_package_needs_no_draft(tmp_path, capsys):
    save_onnx(PolicyFile.load(share_path('policies', 'quadruped.safetensors')), tmp_path / 'own.onnx')
    status, out, _ = run(capsys, tmp_path / 'own.onnx')
    assert status == 0 and "'imu:angular_velocity.x'" in out


def test_the_draft_of_a_bundle_asks_for_limits_and_pose(tmp_path, capsys):
    path, _ = write_bundle(tmp_path)
    robot = tmp_path / 'leg.urdf'
    limits = '<limit lower="-1.0" upper="2.0" effort="30" velocity="1"/>'
    joints = ''.join(f'<joint name="{name}" type="revolute">{limits}</joint>' for name in BUNDLE_JOINTS)
    robot.write_text(f'<robot name="leg">{joints}</robot>')
    status, out, _ = run(capsys, path, '--robot', robot)
    assert status == 0 and 'walk.description.yaml: drafted; fill in the null values (3 lines)' in out
    beside = path.with_suffix('.description.yaml')
    found = yaml.safe_load(beside.read_text())
    assert found['actions'] == {'low': [-1.0] * 4, 'high': [2.0] * 4, 'stiffness': None, 'damping': None}
    beside.write_text(beside.read_text().replace('default_positions: null', 'default_positions: [0.1, 0.9, -0.8, 0.3]'))
    assert Policy.load(path).spec.contract.command.start_pose == (0.1, 0.9, -0.8, 0.3)
    status, out, _ = run(capsys, path)
    assert status == 0 and 'observation.sources' in out


def test_the_draft_of_a_bundle_is_for_its_own_robot(tmp_path, capsys):
    path, _ = write_bundle(tmp_path)
    robot = tmp_path / 'other.urdf'
    robot.write_text(URDF)
    status, _, err = run(capsys, path, '--robot', robot)
    assert status != 0 and "the policy has the joint 'hip', but the robot file has turn, reach" in err
