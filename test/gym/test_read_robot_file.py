import mujoco
import pytest

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym import make, spec_from_env

MJCF = """
<mujoco model="leg">
  <worldbody><body><joint name="hip" axis="0 1 0" range="-1 1"/><geom size="0.1"/></body></worldbody>
  <actuator><motor joint="hip" ctrlrange="-3 3"/></actuator>
</mujoco>
"""
MASS = '<inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>'
LINKS = ''.join(f'<link name="{name}">{MASS}</link>' for name in ('thigh', 'shin', 'foot'))
HIP = '<joint name="hip" type="revolute"><parent link="base"/><child link="thigh"/><axis xyz="0 1 0"/>{}</joint>'
KNEE = '<joint name="knee" type="continuous"><parent link="thigh"/><child link="shin"/><axis xyz="0 1 0"/>{}</joint>'
TOE = '<joint name="toe" type="prismatic"><parent link="shin"/><child link="foot"/><axis xyz="0 1 0"/>{}</joint>'
LIMIT = '<limit lower="-1" upper="1" effort="{}" velocity="3"/>'
TRANSMISSION = '<transmission name="t"><type>simple</type><joint name="knee"/><actuator name="m"/></transmission>'
CONTROL = (
    '<ros2_control name="c" type="system"><joint name="toe"><command_interface name="effort"/></joint></ros2_control>'
)


BASE = '<link name="base"/>'
OF_HIP, OF_KNEE, OF_TOE = (LIMIT.format(effort) for effort in (50, 20, 5))


def urdf(hip=OF_HIP, knee=OF_KNEE, toe=OF_TOE, more=''):
    """Return a leg on a fixed base; each joint holds what is given."""
    return f'<robot name="leg">{BASE}{LINKS}{HIP.format(hip)}{KNEE.format(knee)}{TOE.format(toe)}{more}</robot>'


@pytest.mark.parametrize('name', ['leg.xml', 'leg.XML', 'leg.mjcf', 'Leg.MJCF', 'leg.mjb', 'leg.MJB'])
def test_a_robot_is_read_whatever_the_ending_of_its_file(tmp_path, name):
    path = str(tmp_path / name)
    if name.lower().endswith('mjb'):
        mujoco.mj_saveModel(mujoco.MjModel.from_xml_string(MJCF), path)
    else:
        (tmp_path / name).write_text(MJCF)
    spec = spec_from_env(make(path))
    assert (spec.action_names, spec.action_high) == (('hip/effort',), (3.0,))


@pytest.mark.parametrize('name', ['leg.urdf', 'leg.URDF', 'leg.xml'])
def test_the_joints_of_a_urdf_get_motors_with_their_effort_limits(tmp_path, name):
    (tmp_path / name).write_text(urdf())
    spec = spec_from_env(make(str(tmp_path / name)))
    assert spec.action_names == ('hip/effort', 'knee/effort', 'toe/effort')
    assert spec.action_units == ('N*m', 'N*m', 'N')
    assert (spec.action_low, spec.action_high) == ((-50.0, -20.0, -5.0), (50.0, 20.0, 5.0))
    assert spec.observation_names[:3] == ('hip/position', 'knee/position', 'toe/position')


@pytest.mark.parametrize(
    ('description', 'driven'),
    [
        (urdf(more=TRANSMISSION), ['knee/effort']),
        (urdf(more=CONTROL), ['toe/effort']),
        (urdf(more=TRANSMISSION + CONTROL), ['knee/effort', 'toe/effort']),
        (urdf(toe=LIMIT.format(5) + '<mimic joint="hip" multiplier="0.1"/>'), ['hip/effort', 'knee/effort']),
    ],
)
def test_only_the_joints_of_a_urdf_that_something_drives_get_a_motor(tmp_path, description, driven):
    (tmp_path / 'leg.urdf').write_text(description)
    assert list(spec_from_env(make(str(tmp_path / 'leg.urdf'))).action_names) == driven


@pytest.mark.parametrize(
    ('description', 'driven', 'passive'),
    [
        (urdf(knee='', toe=LIMIT.format(0)), ['hip/effort'], 'knee, toe'),
        (urdf(hip='<limit lower="-1" upper="1" velocity="3"/>'), ['knee/effort', 'toe/effort'], 'hip'),
    ],
)
def test_joints_of_a_urdf_without_an_effort_limit_are_named_in_a_warning(tmp_path, description, driven, passive):
    (tmp_path / 'leg.urdf').write_text(description)
    with pytest.warns(UserWarning, match=f'get no motor: {passive}. To drive'):
        assert list(spec_from_env(make(str(tmp_path / 'leg.urdf'))).action_names) == driven


MESH = '<link name="base"><{part}><geometry><mesh filename="{file}"/></geometry></{part}></link>'


def meshed(part, file):
    """Return the leg with a mesh for its base."""
    return urdf().replace(BASE, MESH.format(part=part, file=file))


@pytest.mark.parametrize('file', ['hull.obj', 'package://leg/meshes/hull.obj', 'file://{here}/meshes/hull.obj'])
def test_meshes_are_found_beside_the_file_and_in_packages_around_it(tmp_path, file):
    folder = tmp_path / 'leg' / 'urdf'
    for place in (folder, tmp_path / 'leg' / 'meshes'):
        place.mkdir(parents=True)
        (place / 'hull.obj').write_text('v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n')
    (folder / 'leg.urdf').write_text(meshed('collision', file.format(here=tmp_path / 'leg')))
    assert make(str(folder / 'leg.urdf')).unwrapped.model.nmesh == 1


@pytest.mark.parametrize('file', ['package://elsewhere/hull.dae', 'absent.stl', 'hull.dae'])
def test_a_picture_of_a_link_that_cannot_be_read_is_left_out(tmp_path, file):
    (tmp_path / 'hull.dae').write_text('<COLLADA/>')
    (tmp_path / 'leg.urdf').write_text(meshed('visual', file))
    assert make(str(tmp_path / 'leg.urdf')).unwrapped.model.nmesh == 0


@pytest.mark.parametrize(
    ('name', 'content', 'words'),
    [
        ('leg.urdf', urdf('', '', ''), r'no actuators.*give joints a <limit> with an effort above 0'),
        ('leg.urdf', meshed('collision', 'hull.stl'), r'cannot be read: .*hull\.stl'),
        ('leg.urdf', meshed('collision', 'package://leg/hull.stl'), r"the mesh 'package://leg/hull\.stl' is missing"),
        ('leg.urdf', urdf().replace('</robot>', ''), 'cannot be read: XML parse error'),
        ('leg.urdf', urdf(more='<xacro:leg xmlns:xacro="x/xacro"/>'), 'cannot be read: it still has xacro elements'),
        ('leg.urdf', urdf(more='<xacro:macro name="leg"/>'), 'cannot be read: it still has xacro elements'),
        ('leg.mjb', 'nonsense', r"leg\.mjb' cannot be read"),
        ('leg.xml', MJCF.replace('ctrlrange="-3 3"', 'name="m"'), "an actuator 'm' without limits; give it"),
        ('leg.urdf.xacro', '', r'is a xacro file; convert it first, with: xacro .*> robot\.urdf'),
        ('leg.sdf', '', r'robot file in another format \(\.sdf\)'),
        ('leg.USD', '', r'robot file in another format \(\.usd\)'),
    ],
)  # fmt: skip
def test_a_file_that_gives_no_robot_is_refused_in_one_sentence(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(UnsupportedEnvironmentError, match=words) as raised:
        make(str(tmp_path / name))
    assert '\n' not in str(raised.value)


def test_a_robot_file_that_is_not_there_is_named_whatever_its_ending(tmp_path):
    for name, kind in (('a.urdf', 'a URDF file'), ('b.MJCF', 'an MJCF file'), ('c.mjb', 'a compiled MuJoCo model')):
        with pytest.raises(UnsupportedEnvironmentError, match=f"there is no file '.*{name}'; give the path of {kind}"):
            make(str(tmp_path / name))
