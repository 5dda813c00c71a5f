"""Drafts the description of a model or bundle from its own content and a robot file, with null for unknown values."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from velora_ros.errors import PolicyFileError
from velora_ros.policy.foreign.description import Description, Term
from velora_ros.policy.foreign.metadata import mjlab_description
from velora_ros.policy.foreign.observation_terms import CLOCK, TWIST, known_term
from velora_ros.policy.foreign.tensor_roles import Roles, find_roles

if TYPE_CHECKING:
    import onnx

HEAD = """\
# What policy_node must know about {name}, in addition to the network. Fill in every null; then 'velora_ros deploy
# {name}' shows the result. docs/bring-your-policy.md explains the fields.{rounded}

period: null  # [s] time between two steps: the simulation's time step x decimation, for example 0.005 x 4 = 0.02
"""
ROUNDED = """
# Numbers from the model's metadata are rounded to three digits; enter the exact ones of training if you have them."""
BUNDLE_HEAD = """\
# What policy_node must know in addition to the LEAPP bundle {name}. Fill in every null; then 'velora_ros deploy
# {name}' shows the result. docs/bring-your-policy.md explains the fields.

"""
_EXAMPLES = """\
observations: null  # in the network's order, {count} numbers in all; for example
#  - {{term: base_ang_vel, scale: 0.25}}
#  - {{term: projected_gravity, scale: 1.0}}
#  - {{term: command, scale: 1.0, low: [-1.0, -0.5, -1.0], high: [1.0, 0.5, 1.0]}}
#  - {{term: joint_pos, scale: 1.0, history: 1}}
#  - {{term: joint_vel, scale: 0.05}}
#  - {{term: actions, scale: 1.0}}
"""


class JointLimits(NamedTuple):
    """
    The limits of a joint in a robot file.

    Args:
        low: lowest position [rad or m]; None if there is no limit.
        high: highest position [rad or m]; None if there is no limit.
        effort: largest effort [N m or N]; None if it is not known.
        slides: whether the joint is prismatic, in metres.
    """

    low: float | None
    high: float | None
    effort: float | None
    slides: bool


def draft(name: str, model: 'onnx.ModelProto', robot: Mapping[str, JointLimits] | None = None) -> str:
    """
    Return the text of a description, with comments.

    Args:
        name: name of the model's file.
        model: the model.
        robot: the limits of the robot's joints by name, in the robot's order; None if not known.

    Raises:
        PolicyFileError: the metadata is damaged, or the robot lacks a joint of the policy.
    """
    said = mjlab_description({entry.key: entry.value for entry in model.metadata_props})
    roles, trouble = _roles(model)
    joints = said.joints or tuple(robot or ())
    _check_joints(joints, robot)
    parts = [
        HEAD.format(name=name, rounded=ROUNDED if said.joints else ''),
        _joints(joints, said, robot or {}),
        _observations(said.observations, roles),
        _actions(said, joints, robot or {}, roles),
        _tensors(model, trouble) if trouble else '',
    ]
    return '\n'.join(part.rstrip() + '\n' for part in parts if part)


def draft_bundle(name: str, said: Description, robot: Mapping[str, JointLimits] | None = None) -> str:
    """
    Return the text of the description of a LEAPP bundle, with comments.

    Args:
        name: name of the bundle's YAML file.
        said: the description that the bundle itself contains.
        robot: the limits of the robot's joints by name; None if not known.

    Raises:
        PolicyFileError: the robot lacks a joint of the policy.
    """
    joints = said.actions.joints
    _check_joints(joints, robot)
    low, high = ([getattr(robot[one], end) for one in joints] if robot else None for end in ('low', 'high'))
    period = '' if said.period else 'period: null  # [s] time between two steps in training\n'
    others = [joint for joint in said.joints if joint not in joints]
    also = f', then {", ".join(others)}' if others else ''
    return BUNDLE_HEAD.format(name=name) + (
        f'{period}# one value each for {", ".join(joints)}{also}\n'
        'default_positions: null  # [rad] where the joints are before the policy takes over\n'
        'actions:  # commands of the bundle are clipped to low and high\n'
        f'  low: {_flow(low)}  # lowest value that may be sent to each joint: its limit\n'
        f'  high: {_flow(high)}\n'
        '  stiffness: null  # of the servos in training; may stay null\n'
        '  damping: null\n'
    )


def _check_joints(joints: Sequence[str], robot: Mapping[str, JointLimits] | None) -> None:
    if robot is not None and (unknown := [joint for joint in joints if joint not in robot]):
        raise PolicyFileError(
            f"the policy has the joint '{unknown[0]}', but the robot file has {', '.join(list(robot)[:12])}; give the "
            'file of the robot that the policy was trained for.'
        )


def _roles(model: 'onnx.ModelProto') -> tuple[Roles | None, str]:
    """Return (roles, '') of the model's tensors, or (None, reason) if the roles are not clear."""
    try:
        return find_roles(model), ''
    except PolicyFileError as error:
        return None, str(error)


def _joints(joints: Sequence[str], said: Description, robot: Mapping[str, JointLimits]) -> str:
    sliding = [joint for joint in joints if joint in robot and robot[joint].slides]
    names = f'{_flow(joints or None)}  # in the order in which the network has them'
    if joints and not said.joints:  # libraries order joints in different ways, and a wrong order raises no error later
        names = (
            f"null  # in the network's order; the robot file has {_flow(joints)}, "
            'and low, high and effort_limit below are in that order'
        )
    return (
        f'joints: {names}\n'
        + (f'sliding_joints: {_flow(sliding)}\n' if sliding else '')
        + f'default_positions: {_flow(said.default_positions or None)}  # [rad] of each joint at the start\n'
    )


def _observations(terms: Sequence[Term], roles: Roles | None) -> str:
    if not terms:
        return _EXAMPLES.format(count=roles.observation.size if roles else 'all')
    lines = ["observations:  # in the network's order; what it reads is scale * (value - default)"]
    for one in terms:
        entry: dict[str, Any] = {'term': one.term, 'scale': _one(one.scale) if one.scale else None}
        if one.history > 1:
            entry['history'] = one.history
        if one.clip:
            entry['clip'] = list(one.clip)
        comment = 'the oldest frame first' if one.history > 1 else ''
        if not known_term(one.term):
            entry |= {'topic': f'observation/{one.term}', 'type': 'Float64MultiArray', 'size': None}
            comment = 'no standard sensor measures it: publish it on this topic'
        elif known_term(one.term) == CLOCK:
            entry['stride'] = None
        elif known_term(one.term) == TWIST:
            entry |= {'low': None, 'high': None}
            comment = 'low and high: the range of training, to which commands are clipped; may stay null'
        lines.append(f'  - {_flow(entry)}{f"  # {comment}" if comment else ""}')
    return '\n'.join(lines)


def _actions(said: Description, joints: Sequence[str], robot: Mapping[str, JointLimits], roles: Roles | None) -> str:
    """Return the part ``actions`` of the description."""
    count = roles.action.size if roles else 0
    fits = count == len(joints) or not count
    own = [robot[joint] for joint in joints if joint in robot] if fits else []
    low, high = ([getattr(joint, end) for joint in own] or None for end in ('low', 'high'))
    effort = [joint.effort for joint in own]
    actions = said.actions
    lines = ['actions:  # sent: scale * output + default position, clipped to low and high']
    if not fits:
        lines.append(f'  joints: null  # the {count} joints that the network commands, in its order')
    lines += [
        f'  scale: {_flow(_one(actions.scale) if actions.scale else None)}',
        f'  low: {_flow(low)}  # [rad] lowest position that may be sent to each joint: its limit',
        f'  high: {_flow(high)}',
        '  clip: null  # limit to which training clipped the outputs, such as 1.0; may stay null',
        '  interface: position  # or velocity, effort',
        f'  stiffness: {_flow(actions.stiffness or None)}  # of the servos in training; may stay null',
        f'  damping: {_flow(actions.damping or None)}',
    ]
    if effort and None not in effort:
        lines.append(f'  effort_limit: {_flow(effort)}')
    return '\n'.join(lines)


def _tensors(model: 'onnx.ModelProto', trouble: str) -> str:
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [one.name for one in model.graph.input if one.name not in weights]
    outputs = [one.name for one in model.graph.output]
    return (
        f'# {" ".join(trouble.split())}\n'
        f'tensors:  # inputs: {", ".join(inputs[:8])}; outputs: {", ".join(outputs[:8])}\n'
        '  observation: null\n  action: null\n'
        '  states: null  # [{input: NAME, output: NAME}] for each hidden state'
    )


def _one(values: Sequence[float]) -> Any:
    """Return a single number if all values are equal, otherwise the list of values."""
    return values[0] if len(set(values)) == 1 else list(values)


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if value is None:
        return 'null'
    plain = list(value) if isinstance(value, tuple) else value
    text: str = yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=100_000)
    return text.removesuffix('...\n').strip()
