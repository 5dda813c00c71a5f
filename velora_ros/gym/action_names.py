"""
What an action of a MuJoCo environment is: found by trying, not by convention.

A name with a unit is a promise, so it is only given to an action that is exactly what the actuator gets. The
environment is copied, and the copy is stepped with random actions; MuJoCo tells the control of each physics step. Where
an action is scaled, shifted, squashed, filtered, reordered or clipped on its way to ``data.ctrl``, or is not held for
the whole control period, it has no joint's name. The environment itself is left alone.
"""

import copy
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CellType, FunctionType
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from velora_ros.gym.environment_errors import FAILURES, described
from velora_ros.gym.observation_names import Signal, joint_signal

Array = npt.NDArray[np.float64]
Env = gym.Env[Any, Any]

STEPS = 12
# From this step on, the copy's joints are also pushed between the steps: a mapping may depend on the state.
PUSHED_FROM = 6
_ABSTRACT = ('gymnasium.core', 'gymnasium.envs.mujoco.mujoco_env')  # where a step is only declared
_SLIDE, _HINGE = 2, 3  # mjtJoint
_OF_JOINTS = (0, 1)  # mjtTrn: JOINT and JOINTINPARENT, the same for a joint with one axis
_FIXED = 0  # mjtGain
_NO_BIAS, _AFFINE = 0, 1  # mjtBias
_LAGGING = (0, 2, 3)  # mjtDyn: NONE, FILTER and FILTEREXACT; the others integrate, or are muscles


class NotProvableError(Exception):
    """The environment cannot be tried; the message says why."""


class Trial(NamedTuple):
    """
    What became of the actions of the copy.

    Args:
        actions: what the outermost environment got, shape (steps, action).
        received: what the innermost environment's ``step`` got, shape (calls, action), for each step.
        controls: ``data.ctrl`` in each physics step, shape (physics steps, actuators), for each step.
    """

    actions: list[Array]
    received: list[Array]
    controls: list[Array]


def commanded_signals(env: Any, size: int) -> list[Signal | None]:
    """
    Find the joint and the interface that each actuator drives, if ``data.ctrl`` is the action.

    Args:
        env: the unwrapped environment.
        size: number of action entries.
    """
    if not _is_mujoco(env) or env.model.nu != size:
        return [None] * size
    found = [_actuator_signal(env.model, index) for index in range(size)]
    names = [signal.name for signal in found if signal]
    # Two actuators of one joint: what the joint gets is neither's command.
    return [signal if signal and names.count(signal.name) == 1 else None for signal in found]


def keep_their_pose(env: Any, size: int) -> list[bool]:
    """
    Tell of each actuator whether it stays where it is while its control is held, as a servo on a tendon does.

    Args:
        env: the unwrapped environment.
        size: number of action entries.
    """
    if not _is_mujoco(env) or env.model.nu != size:
        return [False] * size
    from velora_ros.gym.actuators import are_position_servos  # noqa: PLC0415 - it needs MuJoCo

    lagging = np.isin(env.model.actuator_dyntype, _LAGGING)
    return (are_position_servos(env.model) & lagging).tolist()  # type: ignore[no-any-return]


def are_controls(env: Env) -> list[bool]:
    """
    Tell of each action whether it is exactly what its actuator gets, in the whole control period.

    Args:
        env: the environment with its wrappers, with one actuator for each action; neither its state nor any random
            generator changes.

    Warns:
        UserWarning: it cannot be tried; the sentence says why. The answer is then no.
    """
    unlimited = _within_the_actuators_limits(env)
    if _is_direct(env) or not any(unlimited):
        return unlimited
    trial = _tried(env)
    same = [trial is not None and _equal(trial.actions, trial.controls, index) for index in range(len(unlimited))]
    return list(map(min, same, unlimited))


def _is_direct(env: Env) -> bool:
    """Tell whether nothing of somebody else's lies between an action and ``do_simulation``."""
    base: Any = env.unwrapped
    plain = type(base).step.__module__ in _ABSTRACT or type(base).__module__.startswith('velora_ros.')
    own = vars(base).keys() & {'step', 'do_simulation', '_step_mujoco_simulation'}
    return plain and not own and not any(_may_change_actions(wrapper) for wrapper in _wrappers(env))


def are_passed_on(env: Env) -> list[bool]:
    """
    Tell of each action whether the innermost environment's ``step`` gets it as it is; as :func:`are_controls`.

    For an environment that knows by itself what its actions are.
    """
    size = int(np.prod(env.action_space.shape or (0,)))
    if not any(_may_change_actions(wrapper) for wrapper in _wrappers(env)):
        return [True] * size
    trial = _tried(env)
    return [trial is not None and _equal(trial.actions, trial.received, index) for index in range(size)]


def _equal(actions: list[Array], found: list[Array], index: int) -> bool:
    """Tell whether an entry of each action was found, and nothing else in its place."""
    return all(
        values.ndim == 2 and values.shape[1] == action.size and bool((values[:, index] == action[index]).all())
        for action, values in zip(actions, found, strict=True)
    )


def _tried(env: Env) -> Trial | None:
    try:
        return _try(env)
    except NotProvableError as error:
        why = str(error)
    except FAILURES as error:  # the copy's reset and step are somebody else's code, and may raise anything
        why = described(error)
    warnings.warn(
        f'the actions of {type(env.unwrapped).__name__} could not be tried on a copy of it ({why}), so they are called '
        'action_0 and so on, without a unit. On a robot, give their joints, scale and offset by hand.',
        stacklevel=5,
    )
    return None


def _try(env: Env) -> Trial:
    """Step a copy of the environment with the bounds and with random actions."""
    import mujoco  # noqa: PLC0415 - an environment without MuJoCo must not need it

    with _global_generators_kept(), _state_kept(env.unwrapped):
        twin = _copied(env)
        base: Any = twin.unwrapped
        trial = Trial([], [], [])
        recorded: list[tuple[float, Array]] = []
        received: list[Array] = []
        step = base.step

        def noted(action: Any) -> Any:
            received.append(np.array(action, dtype=np.float64).ravel())
            return step(action)

        vars(base)['step'] = noted
        space: Any = twin.action_space
        rng = np.random.default_rng(0)
        twin.reset(seed=0)
        with _controls_of(base, recorded):
            for index in range(STEPS):
                if index >= PUSHED_FROM:
                    _push(base, rng, mujoco)
                action = _action(space, index, rng)
                recorded.clear()
                received.clear()
                trial.actions.append(np.array(action, dtype=np.float64).ravel())
                twin.step(action)
                trial.received.append(np.array(received))
                trial.controls.append(_in_physics_steps(recorded, base))
        return trial


def _action(space: Any, index: int, rng: np.random.Generator) -> Any:
    """Return the lowest action, the highest, then random ones, each an array of its own."""
    if index < 2:
        return np.array((space.low, space.high)[index])
    return rng.uniform(space.low, space.high).astype(space.dtype)


def _in_physics_steps(recorded: list[tuple[float, Array]], base: Any) -> Array:
    """Return the control of each physics step: the last one seen at each time before the end."""
    end = float(base.data.time) if _is_mujoco(base) else 0.0
    return np.array(list({time: control for time, control in recorded if time != end}.values()))


@contextmanager
def _controls_of(base: Any, recorded: list[tuple[float, Array]]) -> Iterator[None]:
    """Note time and control whenever MuJoCo computes the forces of the copy's actuators; others are left alone."""
    if not _is_mujoco(base):
        yield
        return
    import mujoco  # noqa: PLC0415

    before, address = mujoco.get_mjcb_control(), base.data._address

    def note(model: Any, data: Any) -> None:
        if before is not None:
            before(model, data)
        if data._address == address:
            recorded.append((float(data.time), np.array(data.ctrl, dtype=np.float64)))

    mujoco.set_mjcb_control(note)
    try:
        yield
    finally:
        mujoco.set_mjcb_control(before)


def _push(base: Any, rng: np.random.Generator, mujoco: Any) -> None:
    """Move the joints with one axis a little."""
    if not _is_mujoco(base):
        return
    model, data = base.model, base.data
    joints = np.isin(model.jnt_type, (_SLIDE, _HINGE))
    data.qpos[model.jnt_qposadr[joints]] += rng.uniform(-0.05, 0.05, int(joints.sum()))
    data.qvel[model.jnt_dofadr[joints]] += rng.uniform(-0.5, 0.5, int(joints.sum()))
    mujoco.mj_forward(model, data)


# --- the copy ------------------------------------------------------------------------------------------------------


def _copied(env: Env) -> Any:
    """
    Return a copy of the environment and of the wrappers that may change an action; nothing of it is shared.

    Copying goes past ``__getstate__``: environments that are pickled as their constructor's arguments would lose what
    was changed since.

    Raises:
        NotProvableError: a part of it would act on the original.
    """
    chain = [*(wrapper for wrapper in _wrappers(env) if _may_change_actions(wrapper)), env.unwrapped]
    memo: dict[int, Any] = {}
    twins = [object.__new__(type(part)) for part in chain]
    for part, twin in zip(chain, twins, strict=True):
        memo[id(part)] = twin
    for wrapper in _wrappers(env):  # one that is left out stands for what it wraps
        memo.setdefault(id(wrapper), _next_twin(wrapper, memo))
    for part in chain:
        _share(part, memo)
    for part, twin in zip(chain, twins, strict=True):
        for name, value in vars(part).items():
            vars(twin)[name] = _twin_of(value, memo)
    state = _arrays_of(env.unwrapped)
    for original in memo.get(id(memo), []):  # what deepcopy came by
        if isinstance(original, np.ndarray) and any(np.may_share_memory(original, array) for array in state):
            raise NotProvableError("it keeps views of the simulation's state, which a copy cannot follow")
    for twin in twins:
        vars(twin)['render'] = _draw_nothing
    return twins[0]


def _next_twin(wrapper: Any, memo: dict[int, Any]) -> Any:
    env = wrapper.env
    while id(env) not in memo:
        env = env.env
    return memo[id(env)]


def _share(part: Any, memo: dict[int, Any]) -> None:
    """Take over as it is what draws, and what only describes."""
    for name in ('mujoco_renderer', 'spec', '_cached_spec', 'viewer'):
        if (value := vars(part).get(name)) is not None:
            memo[id(value)] = None if name in ('mujoco_renderer', 'viewer') else value


def _twin_of(value: Any, memo: dict[int, Any]) -> Any:
    """Return the copy of an attribute; a function that holds the environment holds its copy there."""
    if not isinstance(value, FunctionType) or not value.__closure__:
        return copy.deepcopy(value, memo)
    cells = [CellType(_follow(cell.cell_contents, memo)) for cell in value.__closure__]
    twin = FunctionType(value.__code__, value.__globals__, value.__name__, value.__defaults__, tuple(cells))
    twin.__kwdefaults__ = value.__kwdefaults__
    return twin


def _follow(held: Any, memo: dict[int, Any]) -> Any:
    return copy.deepcopy(held, memo) if id(getattr(held, '__self__', held)) in memo else held


def _arrays_of(base: Any) -> list[npt.NDArray[Any]]:
    """Return the arrays of the simulation's state; views of the model's are constants, which a copy may have too."""
    names = [name for name in dir(base.data) if not name.startswith('_')] if _is_mujoco(base) else []
    values = [getattr(base.data, name, None) for name in names]
    return [value for value in values if isinstance(value, np.ndarray) and value.size]


def _draw_nothing(*_: Any, **__: Any) -> None:
    return None


@contextmanager
def _global_generators_kept() -> Iterator[None]:
    """Give numpy's, Python's and torch's global generators back as they were."""
    torch: Any = sys.modules.get('torch')
    restore: list[Callable[[], Any]] = []
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - the user's may be this one
    restore.append(lambda: np.random.set_state(numpy_state))  # noqa: NPY002
    restore.append(lambda: random.setstate(python_state))
    if torch is not None:
        torch_state = torch.get_rng_state()
        restore.append(lambda: torch.set_rng_state(torch_state))
    try:
        yield
    finally:
        for give_back in restore:
            give_back()


@contextmanager
def _state_kept(base: Any) -> Iterator[None]:
    """
    Check that the original simulation did not change.

    Raises:
        NotProvableError: it did, through something that copy and original share; its state is restored.
    """
    if not _is_mujoco(base):
        yield
        return
    import mujoco  # noqa: PLC0415

    data, before = base.data, copy.copy(base.data)
    try:
        yield
    finally:
        changed = any(
            not np.array_equal(getattr(before, name), getattr(data, name), equal_nan=True)
            for name in ('time', 'qpos', 'qvel', 'act', 'ctrl', 'qfrc_applied', 'xfrc_applied', 'mocap_pos')
        )
        if changed:
            mujoco.mj_copyData(data, base.model, before)
    if changed:
        raise NotProvableError('stepping the copy moved the environment itself')


# --- wrappers and actuators ----------------------------------------------------------------------------------------


def _wrappers(env: Env) -> Iterator[Any]:
    """Yield the wrappers from the outermost to the innermost."""
    while isinstance(env, gym.Wrapper):
        yield env
        env = env.env


def _may_change_actions(wrapper: Any) -> bool:
    """Tell whether a wrapper may pass on another action than it gets; ours delay and hold, as a robot does."""
    module = type(wrapper).__module__
    if module.startswith('velora_ros.'):
        return False
    if module.startswith('gymnasium.wrappers.'):
        return 'action' in module
    inherited = (gym.Wrapper.step, gym.ObservationWrapper.step, gym.RewardWrapper.step)
    return type(wrapper).step not in inherited or 'step' in vars(wrapper)


def _within_the_actuators_limits(env: Env) -> list[bool]:
    """Tell which actions within the bounds no actuator cuts off; MuJoCo does so without changing data.ctrl."""
    base: Any = env.unwrapped
    space: Any = env.action_space
    limited = np.asarray(base.model.actuator_ctrllimited, dtype=bool)
    low, high = base.model.actuator_ctrlrange.T
    slack = 1e-6 * (1 + np.maximum(np.abs(low), np.abs(high)))  # spaces are mostly float32
    inside = (np.ravel(space.low) >= low - slack) & (np.ravel(space.high) <= high + slack)
    return (inside | ~limited).tolist()  # type: ignore[no-any-return]


def _is_mujoco(env: Any) -> bool:
    mujoco: Any = sys.modules.get('mujoco')
    if mujoco is None:
        return False
    model, data = getattr(env, 'model', None), getattr(env, 'data', None)
    return isinstance(model, mujoco.MjModel) and isinstance(data, mujoco.MjData)


def _actuator_signal(model: Any, index: int) -> Signal | None:
    """Return what the actuator drives; None where it is no joint's effort, position or velocity."""
    joint = int(model.actuator_trnid[index, 0])
    if int(model.actuator_trntype[index]) not in _OF_JOINTS or int(model.jnt_type[joint]) not in (_SLIDE, _HINGE):
        return None
    if int(model.actuator_gaintype[index]) != _FIXED or int(model.actuator_dyntype[index]) not in _LAGGING:
        return None
    interface, factor = _meaning(model, index)
    signal = joint_signal(model, joint, interface) if interface else None
    return signal and Signal(signal.name, signal.unit, factor)


def _meaning(model: Any, index: int) -> tuple[str, float]:
    """Return what an actuator with a fixed gain commands, '' for nothing, and the SI value of one unit of control."""
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
