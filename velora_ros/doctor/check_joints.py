"""Checks a robot's joints: their names, units and offsets, and whether velocities agree with positions."""

import difflib
from collections.abc import Sequence

import numpy as np

from velora_ros.doctor.findings import Finding
from velora_ros.doctor.samples import Array, ExpectedJoint, JointSamples

DEGREES = 180 / np.pi
# Largest distance of a joint from its start pose [rad or m].
START_TOLERANCE = 0.15
# A joint whose standard deviation in training is larger than this can be anywhere at the start [rad or m].
WIDE = 0.5
# Largest distance of a joint from its mean in training: DEVIATIONS standard deviations, but at least LEAST [rad or m].
DEVIATIONS, LEAST = 6.0, 0.1
# Velocities and positions are compared while the joint moves faster than this [rad/s or m/s].
MOVING = 0.1
FEWEST_MOVING = 8


def check_names(about: str, wanted: Sequence[str], there: Sequence[str]) -> list[Finding]:
    """Check that the joints of a topic, ``there``, include the joints that the policy reads, ``wanted``."""
    missing = [name for name in wanted if name not in there]
    if not missing:
        return [Finding('ok', 'names', about, f'{len(wanted)} joints: {", ".join(wanted)}')]
    if len(missing) == len(wanted):
        text = (
            f'the policy was trained for a different robot: it reads {_some(wanted)}, but the robot has '
            f"{_some(there)}. Use that robot's policy, or map the names with observation.fields."
        )
        return [Finding('mend', 'names', about, text)]
    near = {name: difflib.get_close_matches(name, there, n=1) for name in missing}
    hints = [f"'{name}'" + (f" ('{found[0]}'?)" if found else '') for name, found in near.items()]
    text = f'the policy reads {", ".join(hints)}, which the robot does not have; it has {_some(there)}.'
    return [Finding('mend', 'names', about, f'{text} Map the names with observation.fields.')]


def check_signals(about: str, wanted: Sequence[str], samples: JointSamples) -> list[Finding]:
    """
    Check that the positions and velocities that the policy reads were measured at all.

    Args:
        about: the topic.
        wanted: joint signals, such as ``hinge/position``; joints that the topic does not have are not checked.
        samples: its joint states.
    """
    measured = {'position': samples.position, 'velocity': samples.velocity}
    lacking = []
    for name in wanted:
        joint, _, interface = name.rpartition('/')
        if joint in samples.names and interface in measured:
            values = measured[interface][:, list(samples.names).index(joint)]
            lacking += [name] if not np.isfinite(values).any() else []
    if not lacking:
        return []
    text = f'no message has a finite value of {_some(lacking)}, which the policy reads; correct the driver.'
    return [Finding('mend', 'signals', about, text)]


def check_positions(joints: Sequence[ExpectedJoint], samples: JointSamples, *, anywhere: bool = False) -> list[Finding]:
    """
    Check the unit and the zero of each joint by comparing its position with the start pose or with training.

    Args:
        joints: the joints whose positions the policy reads.
        samples: joint states of a robot in its start pose.
        anywhere: whether the robot is in another pose, so that only impossible positions are found.
    """
    found = []
    for joint in joints:
        values = samples.of(joint.name)[1] if joint.name in samples.names else np.zeros(0)
        if len(values):
            found.append(_check_position(joint, values, anywhere=anywhere))
    return found


def _check_position(joint: ExpectedJoint, values: Array, *, anywhere: bool) -> Finding:
    value = float(np.median(values))
    place = f'{value:.3g} {joint.unit}'.strip()
    target, tolerance, what = _expected(joint, anywhere=anywhere)
    difference = value - target
    if not np.isfinite(value):
        return Finding('mend', 'unit', joint.name, 'its position is not finite; correct the driver.')
    if abs(difference) <= tolerance:
        return Finding('ok', 'position', joint.name, f'{place}; {what} {target:.3g}')
    as_radians = abs(value / DEGREES - target) <= tolerance
    if joint.is_revolute and as_radians and abs(value) > np.pi:
        text = f'{value:.4g} is {value / DEGREES:.3g} rad in degrees; publish radians, or set observation.scale.'
        return Finding('mend', 'unit', joint.name, text)
    degrees = ' Or the position is in degrees.' if joint.is_revolute and as_radians and abs(value) > 1 else ''
    text = (
        f'{place}, but {what} {target:.3g}: the zero is off by {difference:.3g}, or the robot is not in this pose. '
        f'Calibrate the joint, or set observation.offset.{degrees}'
    )
    return Finding('mend', 'offset', joint.name, text)


def _expected(joint: ExpectedJoint, *, anywhere: bool) -> tuple[float, float, str]:
    if joint.start is not None and not anywhere and not joint.deviation >= WIDE:  # also false for NaN
        return joint.start, START_TOLERANCE, 'the start pose is'
    if np.isnan(joint.deviation):
        return joint.start or 0.0, np.pi, 'its range is not known; it is assumed to be half a turn about'
    wide = 2 if anywhere else 1
    return joint.mean, max(wide * DEVIATIONS * joint.deviation, wide * LEAST), 'in training it was about'


def check_velocities(joints: Sequence[str], samples: JointSamples) -> list[Finding]:
    """
    Check that each joint's velocity is the change of its position, if it moved enough.

    This finds a wrong sign, degrees in either of them, and velocities in a different order from positions.
    """
    changes = {name: _change(samples, name) for name in samples.names}
    moving = {name: pair for name, pair in changes.items() if len(pair[0]) >= FEWEST_MOVING}
    return [_check_velocity(name, moving) for name in joints if name in moving]


def _check_velocity(name: str, moving: dict[str, tuple[Array, Array, Array]]) -> Finding:
    steps, velocity, _ = moving[name]
    slope = float(steps @ velocity / (steps @ steps))  # velocity per change of position
    fit = _correlation(steps, velocity)
    if abs(fit) < 0.7:
        text = 'its velocity does not follow its position; check that both are in the same order.'
        return Finding('note', 'velocity', name, text)
    text = f'its velocity is {slope:.3g} times the change of its position'
    if slope < 0:
        return Finding('mend', 'sign', name, f'{text}: one of them has the wrong sign; correct the driver.')
    if slope < 2 / DEGREES:
        return Finding('mend', 'unit', name, f'{text}: positions are in degrees; publish radians.')
    if slope > DEGREES / 2:
        return Finding('mend', 'unit', name, f'{text}: velocities are in degrees; publish radians per second.')
    if not 0.5 < slope < 2:
        return Finding('note', 'velocity', name, f'{text}: they have different units, or one of them is filtered.')
    return Finding('ok', 'velocity', name, text)


def _change(samples: JointSamples, name: str) -> tuple[Array, Array, Array]:
    """
    Return the change of position per second, the mean velocity, and the time [s], while the joint moves.

    Each has the shape (n,), with one number for each pair of successive states.
    """
    time, position, velocity = samples.of(name)
    dt = np.diff(time)
    with np.errstate(all='ignore'):
        change, between = np.diff(position) / dt, (velocity[1:] + velocity[:-1]) / 2
    used = (dt > 0) & np.isfinite(change) & np.isfinite(between) & (np.abs(change) > MOVING)
    return change[used], between[used], time[1:][used]


def _correlation(one: Array, other: Array) -> float:
    """Return the correlation of two arrays, shape (n,), about zero instead of their means; from -1 to 1."""
    norm = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / norm if norm else 0.0


def _some(names: Sequence[str]) -> str:
    return ', '.join(names[:6]) + (f', ... ({len(names)})' if len(names) > 6 else '') if names else 'no joints'
