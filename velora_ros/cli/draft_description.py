"""``velora_ros deploy walk.onnx``: draft the description beside a foreign policy, with limits from a robot file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from velora_ros.errors import ConfigError, PolicyFileError
from velora_ros.gym.read_robot_file import read
from velora_ros.policy.foreign.draft import JointLimits, draft, draft_bundle
from velora_ros.policy.foreign.foreign_policy_file import description_path, is_bundle, is_foreign, read_model
from velora_ros.policy.foreign.leapp_bundle import read_bundle
from velora_ros.policy.foreign.metadata import own_spec
from velora_ros.utils.atomic_files import atomic_write

_HINGE, _SLIDE = 3, 2
_JOINT = 0  # mjTRN_JOINT, the transmission of an actuator to a joint
_TURNING, _SLIDING = ('revolute', 'continuous'), ('prismatic',)


def needs_description(path: str) -> bool:
    """Return whether a path is an ONNX model of another library, or a LEAPP bundle, without a description beside it."""
    if not (is_foreign(path) and Path(path).is_file()) or description_path(Path(path)).exists():
        return False
    return is_bundle(path) or own_spec(_metadata(path)) is None


def write_description(path: str, out: str | None, robot: str | None) -> str:
    """
    Write the draft of a description and return a line about it.

    Args:
        path: the ONNX model, or the YAML file of a LEAPP bundle.
        out: the file to write; None: beside the model.
        robot: a URDF or MJCF file with the joints' limits; None: they stay null.

    Raises:
        ConfigError: the robot file cannot be read.
        PolicyFileError: the model is damaged, or lacks the robot's joints.
        StorageError: the description cannot be written.
    """
    try:
        text = _draft(Path(path), None if robot is None else joint_limits(robot))
    except (PolicyFileError, OSError) as error:
        raise PolicyFileError(f"policy file '{path}': {str(error).rstrip('.')}.") from error
    target = description_path(Path(path)) if out is None else Path(out)
    with atomic_write(target) as file:
        file.write(text.encode())
    count = sum('null' in line.partition('#')[0] for line in text.splitlines())
    beside = '' if out is None else f', and keep it beside the model as {description_path(Path(path)).name}'
    return f'{target}: drafted; fill in the null values ({count} lines){beside}'


def _draft(path: Path, robot: Mapping[str, JointLimits] | None) -> str:
    if is_bundle(path):
        return draft_bundle(path.name, read_bundle(path).description, robot)
    _, model = read_model(path)
    return draft(path.name, model, robot)


def joint_limits(path: str) -> dict[str, JointLimits]:
    """
    Return the joints of a URDF or MJCF file, in the file's order.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise ConfigError(f"the robot file '{path}' cannot be read ({error}); give a URDF or MJCF file.") from error
    return _of_urdf(root) if root.tag == 'robot' else _of_mjcf(path)


def _of_urdf(root: ElementTree.Element) -> dict[str, JointLimits]:
    found = {}
    for joint in root.findall('joint'):
        kind, limit = joint.get('type', ''), joint.find('limit')
        if kind not in (*_TURNING, *_SLIDING):
            continue
        given: Mapping[str, str] = {} if limit is None else limit.attrib
        low, high, effort = (_number(given.get(name)) for name in ('lower', 'upper', 'effort'))
        if kind == 'continuous':
            low = high = None
        found[joint.get('name', '')] = JointLimits(low, high, effort or None, kind in _SLIDING)
    return found


def _of_mjcf(path: str) -> dict[str, JointLimits]:
    try:
        model = read(path)
    except (ValueError, OSError) as error:
        raise ConfigError(f"the robot file '{path}' cannot be read ({error}); give a URDF or MJCF file.") from error
    found = {}
    for i in range(model.njnt):
        kind = int(model.jnt_type[i])
        if kind not in (_HINGE, _SLIDE):
            continue
        low, high = (float(end) for end in model.jnt_range[i]) if model.jnt_limited[i] else (None, None)
        found[model.joint(i).name] = JointLimits(low, high, _effort_limit(model, i), kind == _SLIDE)
    return found


def _effort_limit(model: Any, joint: int) -> float | None:
    """Return the largest effort of a joint in an MJCF file [N*m or N]: its own limit or its actuator's."""
    limits = [float(model.jnt_actfrcrange[joint][1])] if model.jnt_actfrclimited[joint] else []
    for i in range(model.nu):
        drives = int(model.actuator_trntype[i]) == _JOINT and int(model.actuator_trnid[i][0]) == joint
        if drives and model.actuator_forcelimited[i]:
            limits.append(float(model.actuator_forcerange[i][1] * abs(model.actuator_gear[i][0])))
    return min(limits, default=None)


def _metadata(path: str) -> dict[str, str]:
    try:
        _, model = read_model(Path(path))
    except (OSError, PolicyFileError) as error:
        raise PolicyFileError(f"policy file '{path}': {str(error).rstrip('.')}.") from error
    return {entry.key: entry.value for entry in model.metadata_props}


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
