"""
Converts the tensors of a LEAPP bundle to a description.

LEAPP gives the ``kind`` of each tensor and the ``element_names`` of its entries. All values are in SI units, because
the model contains the scales and offsets of training. Isaac Lab also gives the object and the property from which it
reads a tensor (``isaaclab_connection: state:robot:root_ang_vel_b``). A quantity that no standard sensor measures, such
as a velocity in the world's frame or the pose of another object, is read from its own topic.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from velora_ros.errors import PolicyFileError
from velora_ros.policy.foreign.description import Actions, Description, Term
from velora_ros.policy.foreign.observation_terms import BASE_VELOCITY, GRAVITY, GYRO, known_term

_JOINTS = {
    'state/joint/position': 'joint_pos',
    'state/joint/velocity': 'joint_vel',
    'state/joint/effort': 'joint_effort',
}
_FIELDS = {
    'state/body/angular_velocity': ('base_ang_vel', 'imu/data', 'Imu', 'angular_velocity', 'xyz'),
    'state/body/linear_acceleration': ('', 'imu/data', 'Imu', 'linear_acceleration', 'xyz'),
    'state/body/rotation': ('', 'imu/data', 'Imu', 'orientation', 'xyzw'),
    'state/body/linear_velocity': ('base_lin_vel', 'odom', 'Odometry', 'twist.twist.linear', 'xyz'),
    'state/body/position': ('', 'odom', 'Odometry', 'pose.pose.position', 'xyz'),
}
"""For each kind: the term, the topic, the message type, the field and the axes with which robots provide it."""
_VECTORS, _OF_VECTORS = ('', 'state/vector3d'), (GRAVITY, GYRO, BASE_VELOCITY)
_TWIST = ('linear.x', 'linear.y', 'angular.z')
_TWIST_KIND = 'command/body/velocity'
_ACTIONS = {
    'target/joint/position': 'position',
    'target/joint/velocity': 'velocity',
    'target/joint/effort': 'effort',
    'target/joint/torques': 'effort',
    'joint_pos_targets': 'position',
}
_AS_IT_IS = (1.0,)
_NOTHING = (0.0,)


@dataclass(frozen=True)
class Port:
    """
    An input or output of a bundle's model, as the YAML file describes it.

    Args:
        name: the name of the tensor.
        size: number of entries.
        kind: the kind of the tensor in LEAPP, such as ``target/joint/position``; empty if not known.
        names: name of each entry; empty if not known.
        entity: the object in Isaac Lab from which the tensor is read; empty if not known.
        attribute: the property of this object.
    """

    name: str
    size: int
    kind: str = ''
    names: tuple[str, ...] = ()
    entity: str = ''
    attribute: str = ''

    @property
    def is_measured(self) -> bool:
        """Whether a sensor of the robot can measure the tensor, by its object and property in Isaac Lab."""
        in_world = self.attribute.endswith('_w') and self.kind.endswith(('velocity', 'acceleration'))
        if self.kind.endswith('linear_acceleration') and self.entity:
            return 'imu' in self.entity.lower() and not in_world  # others are without gravity
        sensor = any(word in self.entity.lower() for word in ('imu', 'pva'))
        return not in_world and (self.entity in ('', 'robot') or sensor)

    @property
    def term(self) -> str:
        """The name of the tensor's term: its property without the suffix that names a frame; otherwise its own name."""
        return self.attribute.removesuffix('_b') or self.name


def action_of(outputs: Sequence[Port]) -> Port:
    """
    Return the output that commands the joints.

    Raises:
        PolicyFileError: there is not exactly one such output, or its joints have no names.
    """
    found = [port for port in outputs if port.kind in _ACTIONS]
    if len(found) != 1:
        kinds = ', '.join(f"'{port.name}' ({port.kind or 'no kind'})" for port in outputs[:8]) or 'none'
        raise PolicyFileError(
            f'its outputs are {kinds}; export it with exactly one output of the kind target/joint/position, '
            'target/joint/velocity or target/joint/effort'
        )
    if not found[0].names:
        raise PolicyFileError(f"its output '{found[0].name}' has no element_names; export it with the joints' names")
    return found[0]


def described_bundle(inputs: Sequence[Port], action: Port, frequency: float) -> Description:
    """
    Return a bundle's own information as a description; limits and default positions are missing.

    Args:
        inputs: the tensors that the robot gives, in the model's order.
        action: the tensor that commands the joints.
        frequency: how often the model is run [Hz]; 0 if not known.

    Raises:
        PolicyFileError: the entries of a tensor have no names, or names that do not fit its kind.
    """
    others = [joint for port in inputs if port.kind in _JOINTS for joint in port.names]
    return Description(
        period=1 / frequency if frequency else 0.0,
        joints=tuple(dict.fromkeys((*action.names, *others))),
        observations=tuple(map(_term, inputs)),
        actions=Actions(joints=action.names, scale=_AS_IT_IS, offset=_NOTHING, interface=_ACTIONS[action.kind]),
    )


def _term(port: Port) -> Term:
    if port.kind in _JOINTS:
        if not port.names:
            raise PolicyFileError(f"its input '{port.name}' has no element_names; export it with the joints' names")
        return Term(_JOINTS[port.kind], scale=_AS_IT_IS, default=_NOTHING, joints=port.names)
    if port.kind == _TWIST_KIND:
        return Term('command', scale=_AS_IT_IS, fields=_twist_fields(port))
    if port.kind in _FIELDS and port.is_measured and port.size <= len(_FIELDS[port.kind][-1]):
        return _term_of_body(port)
    if port.kind in _VECTORS and known_term(port.term) in _OF_VECTORS and port.size == len('xyz') and port.is_measured:
        return Term(port.term, scale=_AS_IT_IS)
    return Term(port.name, scale=_AS_IT_IS, size=port.size)


def _term_of_body(port: Port) -> Term:
    usual, topic, kind, field, axes = _FIELDS[port.kind]
    letters = ''.join(name[-1:].lower() for name in port.names) or (axes if port.size == 3 else '')
    if len(letters) != port.size or len(set(letters)) < len(letters) or not set(letters) <= set(axes):
        raise PolicyFileError(
            f"its input '{port.name}' ({port.kind}) has the element_names {', '.join(port.names) or 'none'} for "
            f'{port.size} entries; export it with element_names from {", ".join(axes)}, in the order of the entries'
        )
    if usual and letters == axes:
        return Term(usual, scale=_AS_IT_IS)
    fields = tuple(f'{field}.{axis}' for axis in letters)
    return Term(port.name, scale=_AS_IT_IS, topic=topic, type=kind, fields=fields)


def _twist_fields(port: Port) -> tuple[str, ...]:
    """Return the components of a Twist that a tensor has; three without names are linear x, linear y, angular z."""
    if not port.names and port.size == len(_TWIST):
        return _TWIST
    fields = tuple(_twist_field(name) for name in port.names)
    if not fields or '' in fields or len(set(fields)) < len(fields):
        raise PolicyFileError(
            f"its input '{port.name}' ({port.kind}) has the element_names {', '.join(port.names) or 'none'}; export it "
            'with names such as lin_vel_x, lin_vel_y, ang_vel_z'
        )
    return fields


def _twist_field(name: str) -> str:
    words = re.split(r'[^a-z]+', name.lower())
    if {'yaw', 'heading'} & set(words):
        return 'angular.z'
    part = 'angular' if words[0].startswith('ang') else 'linear' if words[0].startswith('lin') else ''
    return f'{part}.{words[-1]}' if part and words[-1] in ('x', 'y', 'z') else ''
