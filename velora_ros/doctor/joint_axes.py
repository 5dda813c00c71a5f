"""Describes the positive direction of each joint in words, from the robot's URDF."""

from xml.etree import ElementTree

_TURNS, _SLIDES = ('revolute', 'continuous'), ('prismatic',)


def joint_directions(urdf: str) -> dict[str, str]:
    """
    Return the positive direction of each joint that moves, by its name.

    Args:
        urdf: the robot's description; an invalid one gives an empty result.

    Returns:
        The direction by joint name, such as ``about (0, 1, 0) of the frame of 'thigh', by the right-hand rule``.
    """
    try:
        root = ElementTree.fromstring(urdf)
    except ElementTree.ParseError:
        return {}
    found = {}
    for joint in root.iter('joint'):
        axis, child = joint.find('axis'), joint.find('child')
        xyz = (axis.get('xyz') if axis is not None else None) or '1 0 0'  # URDF's default
        frame = f"({', '.join(xyz.split())}) of the frame of '{child.get('link') if child is not None else '?'}'"
        if joint.get('type') in _TURNS:
            found[joint.get('name', '')] = f'about {frame}, by the right-hand rule'
        elif joint.get('type') in _SLIDES:
            found[joint.get('name', '')] = f'along {frame}'
    return found
