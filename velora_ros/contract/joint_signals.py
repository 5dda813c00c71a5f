"""The names of joint signals: ``<joint>/<position|velocity|effort>``, as ros2_control names its interfaces."""

from collections.abc import Sequence

INTERFACES = ('position', 'velocity', 'effort')


def joint_signal(name: str) -> tuple[str, str] | None:
    """Return (joint, interface) of a name such as ``hinge/position``, or None when it is not a joint signal."""
    joint, slash, interface = name.rpartition('/')
    return (joint, interface) if slash and joint and interface in INTERFACES else None


def reads_joints(names: Sequence[str]) -> bool:
    """Whether every name is a joint signal, so that joint states can carry the whole observation."""
    return all(joint_signal(name) for name in names)
