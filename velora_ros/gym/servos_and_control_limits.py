"""
The actuators of a MuJoCo model: which are position servos, their limits, and the controls of a robot at rest.

A control of 0 means "no force" to a motor and "no speed" to a velocity servo. To a position servo it means "go to 0",
which folds a legged robot to the floor and closes a gripper. A robot without commands therefore gets the control that
keeps its pose from each position servo, and 0 from every other actuator.
"""

import math
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_INTEGRATOR, _MUSCLE = int(mujoco.mjtDyn.mjDYN_INTEGRATOR), int(mujoco.mjtDyn.mjDYN_MUSCLE)
_DIRECT = [int(mujoco.mjtDyn.mjDYN_NONE), int(mujoco.mjtDyn.mjDYN_FILTER), int(mujoco.mjtDyn.mjDYN_FILTEREXACT)]
_FIXED, _AFFINE = int(mujoco.mjtGain.mjGAIN_FIXED), int(mujoco.mjtBias.mjBIAS_AFFINE)
_NO_BIAS = int(mujoco.mjtBias.mjBIAS_NONE)
_ON_JOINT = [int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT)]
_ON_TENDON = int(mujoco.mjtTrn.mjTRN_TENDON)
_SINGLE_AXIS = [int(mujoco.mjtJoint.mjJNT_SLIDE), int(mujoco.mjtJoint.mjJNT_HINGE)]


def are_position_servos(model: mujoco.MjModel) -> npt.NDArray[np.bool_]:
    """
    Return which actuators pull their joint, tendon or site to a target position, shape (actuator,).

    These are all actuators with a constant gain whose force falls with their length, whatever their name in the file:
    ``<position>``, ``<intvelocity>``, or ``<general>`` with a bias; filtered or not, on a joint, a tendon or a site.
    """
    fixed = (model.actuator_gaintype == _FIXED) & (model.actuator_gainprm[:, 0] != 0)
    affine = (model.actuator_biastype == _AFFINE) & (model.actuator_biasprm[:, 1] < 0)
    return np.asarray(fixed & affine & np.isin(model.actuator_dyntype, [*_DIRECT, _INTEGRATOR]))


def resting_controls(model: mujoco.MjModel, data: mujoco.MjData) -> Array:
    """
    Return the controls of a robot without commands after a reset to this state, shape (actuator,).

    A position servo gets its control from the keyframe that the state was taken from, otherwise the control whose
    target is its current position. Servos that integrate a velocity, motors, velocity servos and muscles get 0, or the
    nearest limit.

    Args:
        model: the model.
        data: its state after a reset, with the actuator lengths computed, for example by ``mj_forward``.
    """
    targeted = are_position_servos(model) & (model.actuator_dyntype != _INTEGRATOR)
    places = _targets(model, data)
    keyed = [row for row in model.key_ctrl if row.any() and np.array_equal(row, data.ctrl)]
    return within_limits(model, np.where(targeted, keyed[0] if keyed else places, 0.0))


def kept_controls(model: mujoco.MjModel, controls: Array) -> Array:
    """
    Return the controls of a robot whose commands have stopped: position servos keep their target, all others get 0.

    Args:
        model: the model.
        controls: the current controls, shape (actuator,).
    """
    targeted = are_position_servos(model) & (model.actuator_dyntype != _INTEGRATOR)
    return within_limits(model, np.where(targeted, controls, 0.0))


def settle_states(model: mujoco.MjModel, data: mujoco.MjData, controls: Array) -> None:
    """
    Set the states of filtered and integrating position servos to their current position, instead of 0.

    A state other than 0 was set by a keyframe and is kept.

    Args:
        model: the model.
        data: its states are changed; the actuator lengths must be computed.
        controls: the next controls of filtered servos, shape (actuator,).
    """
    places = _targets(model, data)
    for index in np.flatnonzero(are_position_servos(model) & (model.actuator_actnum == 1)):
        state = model.actuator_actadr[index]
        if data.act[state] != 0:
            continue
        integrates = model.actuator_dyntype[index] == _INTEGRATOR
        value = places[index] if integrates else controls[index]
        if model.actuator_actlimited[index]:
            value = np.clip(value, *model.actuator_actrange[index])
        data.act[state] = value


def within_limits(model: mujoco.MjModel, controls: Array) -> Array:
    """Clip the controls to the ``ctrlrange`` of each actuator that has one, shape (actuator,)."""
    low, high = model.actuator_ctrlrange.T
    return np.where(model.actuator_ctrllimited.astype(bool), np.clip(controls, low, high), controls)


def control_limits(model: mujoco.MjModel, index: int) -> tuple[float, float] | None:
    """
    Return the smallest and the largest control of an actuator; None if the model does not limit it.

    ``ctrlrange`` comes first. Otherwise a motor is limited by the force limits of itself, its joint and its tendon, a
    position servo by the range of its joint or tendon, a filtered servo also by its ``actrange``; a muscle takes 0 to
    1.
    """
    if model.actuator_ctrllimited[index]:
        return _ordered(*model.actuator_ctrlrange[index])
    kind = int(model.actuator_dyntype[index])
    if kind == _MUSCLE:
        return 0.0, 1.0
    if kind not in _DIRECT or int(model.actuator_gaintype[index]) != _FIXED or not model.actuator_gainprm[index, 0]:
        return None
    bias = int(model.actuator_biastype[index])
    ranges = [model.actuator_actrange[index]] if model.actuator_actlimited[index] else []
    if are_position_servos(model)[index]:
        ranges += _from_lengths(model, index)
    elif bias == _NO_BIAS or (bias == _AFFINE and not model.actuator_biasprm[index, :3].any()):
        ranges += _from_forces(model, index)
    return _common([_ordered(low, high) for low, high in ranges])


def _targets(model: mujoco.MjModel, data: mujoco.MjData) -> Array:
    """Return the control at which a position servo exerts no force at its current position; 0 for other actuators."""
    servos = are_position_servos(model)
    gain = np.where(servos, model.actuator_gainprm[:, 0], 1.0)
    force = model.actuator_biasprm[:, 0] + model.actuator_biasprm[:, 1] * data.actuator_length
    return np.where(servos, -force / gain, 0.0)


def _from_lengths(model: mujoco.MjModel, index: int) -> list[Any]:
    """Return the controls that drive a position servo to the two ends of its joint's or tendon's range."""
    target, kind = int(model.actuator_trnid[index, 0]), int(model.actuator_trntype[index])
    if kind in _ON_JOINT and model.jnt_type[target] in _SINGLE_AXIS and model.jnt_limited[target]:
        ends = model.jnt_range[target]
    elif kind == _ON_TENDON and model.tendon_limited[target]:
        ends = model.tendon_range[target]
    else:
        return []
    offset, slope = model.actuator_biasprm[index, :2]
    lengths = ends * model.actuator_gear[index, 0]
    return [-(offset + slope * lengths) / model.actuator_gainprm[index, 0]]


def _from_forces(model: mujoco.MjModel, index: int) -> list[Any]:
    """Return the controls at the force limits of an actuator and of its joint or tendon."""
    gain, gear = float(model.actuator_gainprm[index, 0]), float(model.actuator_gear[index, 0])
    target, kind = int(model.actuator_trnid[index, 0]), int(model.actuator_trntype[index])
    ranges = [model.actuator_forcerange[index] / gain] if model.actuator_forcelimited[index] else []
    if kind in _ON_JOINT and gear and model.jnt_type[target] in _SINGLE_AXIS and model.jnt_actfrclimited[target]:
        ranges.append(model.jnt_actfrcrange[target] / (gain * gear))
    if kind == _ON_TENDON and gear and model.tendon_actfrclimited[target]:
        ranges.append(model.tendon_actfrcrange[target] / (gain * gear))
    return ranges


def _ordered(one: float, other: float) -> tuple[float, float]:
    return float(min(one, other)), float(max(one, other))


def _common(ranges: list[tuple[float, float]]) -> tuple[float, float] | None:
    """Return the intersection of all ranges; None if it is empty or unlimited."""
    low = max((low for low, _ in ranges), default=-math.inf)
    high = min((high for _, high in ranges), default=math.inf)
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None
