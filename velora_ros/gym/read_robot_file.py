"""Read robot files into a MuJoCo model: MJCF, URDF (motors are added) and compiled models."""

import os
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ENDINGS = ('.xml', '.mjcf', '.urdf', '.mjb')
"""Suffixes of files that can be read, in upper or lower case."""
FOREIGN_ENDINGS = ('.xacro', '.sdf', '.usd', '.usda', '.usdc', '.usdz', '.world')
"""Suffixes of robot files that cannot be read."""
ADVICE = 'The valid formats are MJCF (.xml, .mjcf), URDF (.urdf) and compiled MuJoCo models (.mjb).'

_XACRO = 'it still has xacro elements; expand them, with: xacro {} > robot.urdf'
_MESHES = ('.stl', '.obj', '.msh')
_COMPILED, _URDF_ROOT, _PACKAGE = '.mjb', 'robot', 'package://'


def is_robot_file(name: str) -> bool:
    """Return whether this is the path of a robot file that can be read, not an environment's id."""
    return Path(name).suffix.lower() in ENDINGS


def kind_of(name: str) -> str:
    """Return the kind of a robot file by its suffix, with an article."""
    return {'.urdf': 'a URDF file', '.mjb': 'a compiled MuJoCo model'}.get(Path(name).suffix.lower(), 'an MJCF file')


def foreign_file(name: str) -> str:
    """Return why a robot file of another kind cannot be read and what to do; ``''`` for all other names."""
    ending = Path(name).suffix.lower()
    if ending == '.xacro':
        return f"'{name}' is a xacro file; convert it first, with: xacro {name} > robot.urdf. {ADVICE}"
    if ending in FOREIGN_ENDINGS:
        return f"'{name}' is a robot file in another format ({ending}); convert it first. {ADVICE}"
    return ''


def read(path: str) -> Any:
    """
    Read and compile a robot file into an ``mjModel``; its root element decides between MJCF and URDF.

    Raises:
        ValueError: MuJoCo cannot read it; the message says why.
        OSError: the file cannot be opened.
    """
    import mujoco  # noqa: PLC0415 - is_robot_file must not load it

    if Path(path).suffix.lower() == _COMPILED:
        return mujoco.MjModel.from_binary_path(path)
    root = _root(path)
    return specification(path).compile() if _declares_xacro_or_urdf(path, root) else mujoco.MjModel.from_xml_path(path)


def specification(path: str) -> Any:
    """
    Read an MJCF or URDF file into an ``MjSpec``, which is not compiled yet; a URDF gets its motors.

    Raises:
        ValueError: MuJoCo cannot read it, or it is a compiled model.
        OSError: the file cannot be opened.
    """
    import mujoco  # noqa: PLC0415 - is_robot_file must not load it

    if Path(path).suffix.lower() == _COMPILED:
        raise ValueError('it is a compiled model, which cannot be extended; give the MJCF file')
    root = _root(path)
    if root is None and b'<xacro:' in Path(path).read_bytes():  # the prefix is undeclared
        raise ValueError(_XACRO.format(Path(path).name))
    if root is None or root.tag != _URDF_ROOT:
        return mujoco.MjSpec.from_file(path)
    if any('xacro' in element.tag for element in root.iter() if isinstance(element.tag, str)):
        raise ValueError(_XACRO.format(Path(path).name))
    find_meshes(root, Path(path).resolve().parent)
    spec = mujoco.MjSpec.from_string(ElementTree.tostring(root, encoding='unicode'))
    spec.modelfiledir = str(Path(path).resolve().parent)
    for joint in _driven_joints(root):
        spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    return spec


def _declares_xacro_or_urdf(path: str, root: ElementTree.Element | None) -> bool:
    return b'<xacro:' in Path(path).read_bytes() if root is None else root.tag == _URDF_ROOT


def is_urdf(path: str) -> bool:
    """Return whether the file is a URDF, regardless of its extension."""
    root = None if Path(path).suffix.lower() == _COMPILED else _root(path)
    return root is not None and root.tag == _URDF_ROOT


def _root(path: str) -> ElementTree.Element | None:
    try:
        return ElementTree.parse(path).getroot()
    except ElementTree.ParseError:
        return None  # MuJoCo reports it with the line


def find_meshes(root: ElementTree.Element, folder: Path) -> None:
    """Replace ``package://`` with paths, and remove visual meshes that MuJoCo cannot read and physics does not need."""
    for link in root.iterfind('link'):
        for part in [*link.iterfind('visual'), *link.iterfind('collision')]:
            mesh = part.find('geometry/mesh')
            if mesh is None:
                continue
            name = mesh.get('filename', '').removeprefix('file://')
            found = _mesh(name, folder)
            if part.tag == 'visual' and (found is None or found.suffix.lower() not in _MESHES):
                link.remove(part)
            elif found is not None:
                mesh.set('filename', str(found))
            elif name.startswith(_PACKAGE):
                raise ValueError(
                    f"the mesh '{name}' is missing, because its package is neither a folder around the file nor in "
                    'AMENT_PREFIX_PATH; source the workspace that has the package'
                )


def _mesh(name: str, folder: Path) -> Path | None:
    """Return the path of a mesh; None if it is not found."""
    if not name.startswith(_PACKAGE):
        places = [folder / name, folder / Path(name).name]
    else:
        inside = name.removeprefix(_PACKAGE)
        prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
        shares = [Path(prefix) / 'share' for prefix in prefixes if prefix]
        places = [parent / inside for parent in (*folder.parents, *shares)]
    return next((place for place in places if place.is_file()), None)


def _driven_joints(root: ElementTree.Element) -> list[str]:
    """Return the joints that get a motor: all with an effort limit; if the file declares driven joints, only these."""
    limited = {}
    for joint in root.findall('joint'):
        limit, name = joint.find('limit'), joint.get('name', '')
        if limit is not None and joint.find('mimic') is None and joint.get('type') != 'fixed':
            limited[name] = _number(limit.get('effort'))
    declared = {joint.get('name', '') for joint in root.iterfind('transmission/joint')}
    controlled = root.iterfind('ros2_control/joint')
    declared |= {joint.get('name', '') for joint in controlled if joint.find('command_interface') is not None}
    named = declared & limited.keys()
    driven = [name for name, effort in limited.items() if effort > 0 and (not named or name in named)]
    moving = [joint.get('name', '') for joint in root.findall('joint') if _moves(joint)]
    passive = [name for name in moving if name not in driven and (not named or name in named)]
    if driven and passive:
        warnings.warn(
            f'joints of the URDF without an effort limit above 0 get no motor: {", ".join(passive)}. To drive a joint, '
            'give its <limit> an effort.',
            stacklevel=2,
        )
    return driven


def _moves(joint: ElementTree.Element) -> bool:
    return joint.get('type') in ('revolute', 'continuous', 'prismatic') and joint.find('mimic') is None


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
