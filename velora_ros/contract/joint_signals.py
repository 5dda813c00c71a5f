"""The names of joint signals, ``<joint>/<position|velocity|effort>`` as in ros2_control, and their SI units."""

from collections.abc import Sequence

INTERFACES = ('position', 'velocity', 'effort')
UNITS = {'position': ('m', 'rad'), 'velocity': ('m/s', 'rad/s'), 'effort': ('N', 'N*m')}
"""The SI units of each interface, of a prismatic (slide) and of a revolute (hinge) joint."""


def joint_signal(name: str) -> tuple[str, str] | None:
    """Return joint and interface of a name such as ``hinge/position``, or None if it does not name a joint signal."""
    joint, slash, interface = name.rpartition('/')
    return (joint, interface) if slash and joint and interface in INTERFACES else None


def signal_name(joint: str, interface: str) -> str:
    """Return the name of a joint's signal; :func:`joint_signal` is the inverse."""
    return f'{joint}/{interface}'


def reads_joints(names: Sequence[str]) -> bool:
    """Return whether every name is a joint signal, so that joint states can carry the whole observation."""
    return all(joint_signal(name) for name in names)
