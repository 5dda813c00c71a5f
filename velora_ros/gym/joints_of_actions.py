"""
Which joint each action of a MuJoCo environment drives: found by testing, not by convention.

An action gets a joint's name and a unit only if it reaches the actuator unchanged, which is tested on a copy of the
environment (try_actions_on_copy.py). An action that is scaled, shifted, squashed, filtered, reordered or clipped on its
way to ``data.ctrl``, or that is not held for the whole control period, gets no joint's name.
"""

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from velora_ros.contract.joint_signals import Signal
from velora_ros.gym.check_spaces import wrappers_of
from velora_ros.gym.describe_env_errors import FAILURES, described
from velora_ros.gym.observation_names import signal_of_joint
from velora_ros.gym.try_actions_on_copy import NotProvableError, Trial, is_mujoco, may_change_actions, try_actions

Array = npt.NDArray[np.float64]
Env = gym.Env[Any, Any]

_ABSTRACT = ('gymnasium.core', 'gymnasium.envs.mujoco.mujoco_env')  # where step is only declared
_SLIDE, _HINGE = 2, 3  # mjtJoint
_OF_JOINTS = (0, 1)  # mjtTrn: JOINT and JOINTINPARENT, the same for a joint with one axis
_FIXED = 0  # mjtGain
_NO_BIAS, _AFFINE = 0, 1  # mjtBias
_LAGGING = (0, 2, 3)  # mjtDyn: NONE, FILTER and FILTEREXACT; the others integrate, or are muscles


def commanded_signals(env: Any, size: int) -> list[Signal | None]:
    """
    Return the joint and the interface that each actuator drives, assuming that the action is ``data.ctrl``.

    Args:
        env: the unwrapped environment.
        size: number of action entries.
    """
    if not is_mujoco(env) or env.model.nu != size:
        return [None] * size
    found = [_actuator_signal(env.model, index) for index in range(size)]
    names = [signal.name for signal in found if signal]
    # If two actuators drive one joint, neither of them alone is the joint's command.
    return [signal if signal and names.count(signal.name) == 1 else None for signal in found]


def keep_their_pose(env: Any, size: int) -> list[bool]:
    """
    Return, for each actuator, whether it is a position servo, which holds its pose while its control is constant.

    Args:
        env: the unwrapped environment.
        size: number of action entries.
    """
    if not is_mujoco(env) or env.model.nu != size:
        return [False] * size
    from velora_ros.gym.servos_and_control_limits import are_position_servos  # noqa: PLC0415 - it needs MuJoCo

    lagging = np.isin(env.model.actuator_dyntype, _LAGGING)
    return (are_position_servos(env.model) & lagging).tolist()  # type: ignore[no-any-return]


def are_controls(env: Env) -> list[bool]:
    """
    Return, for each action, whether its actuator gets exactly this value during the whole control period.

    Args:
        env: the environment with its wrappers and one actuator for each action; its state and all random generators are
            not changed.

    Warns:
        UserWarning: the actions cannot be tested; the message says why. The result is then False.
    """
    unlimited = _within_the_actuators_limits(env)
    if _is_direct(env) or not any(unlimited):
        return unlimited
    trial = _tried(env)
    same = [trial is not None and _equal(trial.actions, trial.controls, index) for index in range(len(unlimited))]
    return list(map(min, same, unlimited))


def _is_direct(env: Env) -> bool:
    """Return whether actions reach ``do_simulation`` only through code of gymnasium and this package."""
    base: Any = env.unwrapped
    plain = type(base).step.__module__ in _ABSTRACT or type(base).__module__.startswith('velora_ros.')
    own = vars(base).keys() & {'step', 'do_simulation', '_step_mujoco_simulation'}
    return plain and not own and not any(may_change_actions(wrapper) for wrapper in wrappers_of(env))


def are_passed_on(env: Env) -> list[bool]:
    """
    Return, for each action, whether the innermost environment's ``step`` gets it unchanged; see :func:`are_controls`.

    This is for environments that name their actions themselves.
    """
    size = int(np.prod(env.action_space.shape or (0,)))
    if not any(may_change_actions(wrapper) for wrapper in wrappers_of(env)):
        return [True] * size
    trial = _tried(env)
    return [trial is not None and _equal(trial.actions, trial.received, index) for index in range(size)]


def _equal(actions: list[Array], found: list[Array], index: int) -> bool:
    """Return whether one entry of each action was found unchanged."""
    return all(
        values.ndim == 2 and values.shape[1] == action.size and bool((values[:, index] == action[index]).all())
        for action, values in zip(actions, found, strict=True)
    )


def _tried(env: Env) -> Trial | None:
    try:
        return try_actions(env)
    except NotProvableError as error:
        why = str(error)
    except FAILURES as error:  # the copy's reset and step are the environment's own code and may raise anything
        why = described(error)
    warnings.warn(
        f'the actions of {type(env.unwrapped).__name__} could not be tested on a copy of it ({why}), so they are '
        'called action_0 and so on, without a unit. On a robot, set their joints, scale and offset by hand.',
        stacklevel=5,
    )
    return None


def _within_the_actuators_limits(env: Env) -> list[bool]:
    """Return which actions stay within their actuator's range; MuJoCo clips the others without changing data.ctrl."""
    base: Any = env.unwrapped
    space: Any = env.action_space
    limited = np.asarray(base.model.actuator_ctrllimited, dtype=bool)
    low, high = base.model.actuator_ctrlrange.T
    slack = 1e-6 * (1 + np.maximum(np.abs(low), np.abs(high)))  # spaces are usually float32
    inside = (np.ravel(space.low) >= low - slack) & (np.ravel(space.high) <= high + slack)
    return (inside | ~limited).tolist()  # type: ignore[no-any-return]


def _actuator_signal(model: Any, index: int) -> Signal | None:
    """Return the quantity that the actuator drives; None unless it is the effort, position or velocity of a joint."""
    joint = int(model.actuator_trnid[index, 0])
    if int(model.actuator_trntype[index]) not in _OF_JOINTS or int(model.jnt_type[joint]) not in (_SLIDE, _HINGE):
        return None
    if int(model.actuator_gaintype[index]) != _FIXED or int(model.actuator_dyntype[index]) not in _LAGGING:
        return None
    interface, factor = _meaning(model, index)
    signal = signal_of_joint(model, joint, interface) if interface else None
    return signal and Signal(signal.name, signal.unit, factor)


def _meaning(model: Any, index: int) -> tuple[str, float]:
    """Return the interface of a fixed-gain actuator ('' for none) and the SI value of one unit of control."""
    gear, gain = float(model.actuator_gear[index, 0]), float(model.actuator_gainprm[index, 0])
    bias_type, bias = int(model.actuator_biastype[index]), model.actuator_biasprm[index, :3].tolist()
    if bias_type == _NO_BIAS or (bias_type == _AFFINE and not any(bias)):
        return ('effort', gear * gain) if gear * gain else ('', 1.0)
    if bias_type == _AFFINE and gear == 1 and gain > 0:
        if bias[:2] == [0, -gain]:
            return 'position', 1.0
        if bias == [0, 0, -gain]:
            return 'velocity', 1.0
    return '', 1.0
