"""Names and SI units of signals; a joint signal is ``<joint>/<position|velocity|effort>``, as in ros2_control."""

from collections.abc import Sequence
from dataclasses import dataclass

INTERFACES = ('position', 'velocity', 'effort')
UNITS = {'position': ('m', 'rad'), 'velocity': ('m/s', 'rad/s'), 'effort': ('N', 'N*m')}
"""The SI units of each interface: for a prismatic (slide) joint and for a revolute (hinge) joint."""


@dataclass(frozen=True)
class Signal:
    """
    The meaning of an observation or an action, for example a joint signal ``<joint>/<interface>``.

    Args:
        name: the name of the signal.
        unit: the SI unit; ``''`` if it is unknown.
        scale: for an action, the SI value of one unit of the action, for example 100 with a gear of 100.
        offset: for an action, the SI value at zero.
        holds: for an action that does not name a joint, whether it is the target of a position servo.
    """

    name: str
    unit: str
    scale: float = 1.0
    offset: float = 0.0
    holds: bool = False


def joint_signal(name: str) -> tuple[str, str] | None:
    """Return (joint, interface) of a name such as ``hinge/position``; None if it does not name a joint signal."""
    joint, slash, interface = name.rpartition('/')
    return (joint, interface) if slash and joint and interface in INTERFACES else None


def signal_name(joint: str, interface: str) -> str:
    """Return the name of a joint's signal; :func:`joint_signal` is the inverse."""
    return f'{joint}/{interface}'


def reads_joints(names: Sequence[str]) -> bool:
    """Return whether every name is a joint signal, so that joint states can contain the whole observation."""
    return all(joint_signal(name) for name in names)
