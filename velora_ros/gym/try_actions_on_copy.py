"""
Find out what happens to an action on its way to the actuators, by testing it on a copy of the environment.

The copy is stepped with random actions while MuJoCo reports the control of each physics step. The environment itself,
its wrappers and all random generators are not changed.
"""

import copy
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CellType, FunctionType
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from velora_ros.gym.check_spaces import wrappers_of

Array = npt.NDArray[np.float64]
Env = gym.Env[Any, Any]

STEPS = 12
# From this step on, the copy's joints are also moved between steps, because an action's effect may depend on the state.
PUSHED_FROM = 6
_SLIDE, _HINGE = 2, 3  # mjtJoint


class NotProvableError(Exception):
    """The environment cannot be tested; the message says why."""


class Trial(NamedTuple):
    """
    What the copy received for each action.

    Args:
        actions: the action of each step of the outermost environment, each of shape (action,).
        received: for each step, the actions that the innermost environment's ``step`` received, shape (calls, action).
        controls: for each step, ``data.ctrl`` in each physics step, shape (physics steps, actuators).
    """

    actions: list[Array]
    received: list[Array]
    controls: list[Array]


def try_actions(env: Env) -> Trial:
    """
    Step a copy of the environment with the lowest, the highest and random actions.

    Raises:
        NotProvableError: the copy shares a part with the environment, so testing it would change the environment.
    """
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
    """Return the action of step ``index``: the lowest in step 0, the highest in step 1, then random actions."""
    if index < 2:
        return np.array((space.low, space.high)[index])
    return rng.uniform(space.low, space.high).astype(space.dtype)


def _in_physics_steps(recorded: list[tuple[float, Array]], base: Any) -> Array:
    """Return the control of each physics step, the last recorded at its time; shape (physics steps, actuators)."""
    end = float(base.data.time) if is_mujoco(base) else 0.0
    return np.array(list({time: control for time, control in recorded if time != end}.values()))


@contextmanager
def _controls_of(base: Any, recorded: list[tuple[float, Array]]) -> Iterator[None]:
    """Record time and control whenever MuJoCo computes the forces of the copy's actuators."""
    if not is_mujoco(base):
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
    """Move the joints with one axis by a small random amount."""
    if not is_mujoco(base):
        return
    model, data = base.model, base.data
    joints = np.isin(model.jnt_type, (_SLIDE, _HINGE))
    data.qpos[model.jnt_qposadr[joints]] += rng.uniform(-0.05, 0.05, int(joints.sum()))
    data.qvel[model.jnt_dofadr[joints]] += rng.uniform(-0.5, 0.5, int(joints.sum()))
    mujoco.mj_forward(model, data)


def _copied(env: Env) -> Any:
    """
    Return a copy of the environment and of the wrappers that may change an action.

    ``__getstate__`` is not used: environments that are pickled as the arguments of their constructor would lose later
    changes.

    Raises:
        NotProvableError: a part of the copy would act on the original.
    """
    chain = [*(wrapper for wrapper in wrappers_of(env) if may_change_actions(wrapper)), env.unwrapped]
    memo: dict[int, Any] = {}
    twins = [object.__new__(type(part)) for part in chain]
    for part, twin in zip(chain, twins, strict=True):
        memo[id(part)] = twin
    for wrapper in wrappers_of(env):  # a wrapper that is not copied is replaced by the wrapped environment
        memo.setdefault(id(wrapper), _next_twin(wrapper, memo))
    for part in chain:
        _share(part, memo)
    for part, twin in zip(chain, twins, strict=True):
        for name, value in vars(part).items():
            vars(twin)[name] = _twin_of(value, memo)
    state = _arrays_of(env.unwrapped)
    for original in memo.get(id(memo), []):  # the objects that deepcopy visited
        if isinstance(original, np.ndarray) and any(np.may_share_memory(original, array) for array in state):
            raise NotProvableError("the environment keeps views of the simulation's state, which a copy cannot follow")
    for twin in twins:
        vars(twin)['render'] = _draw_nothing
    return twins[0]


def _next_twin(wrapper: Any, memo: dict[int, Any]) -> Any:
    env = wrapper.env
    while id(env) not in memo:
        env = env.env
    return memo[id(env)]


def _share(part: Any, memo: dict[int, Any]) -> None:
    """Share descriptive objects such as the spec with the copy, and leave out the renderers."""
    for name in ('mujoco_renderer', 'spec', '_cached_spec', 'viewer'):
        if (value := vars(part).get(name)) is not None:
            memo[id(value)] = None if name in ('mujoco_renderer', 'viewer') else value


def _twin_of(value: Any, memo: dict[int, Any]) -> Any:
    """Return the copy of an attribute; in the closure of a function, the environment is replaced by the copy."""
    if not isinstance(value, FunctionType) or not value.__closure__:
        return copy.deepcopy(value, memo)
    cells = [CellType(_follow(cell.cell_contents, memo)) for cell in value.__closure__]
    twin = FunctionType(value.__code__, value.__globals__, value.__name__, value.__defaults__, tuple(cells))
    twin.__kwdefaults__ = value.__kwdefaults__
    return twin


def _follow(held: Any, memo: dict[int, Any]) -> Any:
    return copy.deepcopy(held, memo) if id(getattr(held, '__self__', held)) in memo else held


def _arrays_of(base: Any) -> list[npt.NDArray[Any]]:
    """Return the arrays of the simulation's state; a copy may share the model's arrays, which are constant."""
    names = [name for name in dir(base.data) if not name.startswith('_')] if is_mujoco(base) else []
    values = [getattr(base.data, name, None) for name in names]
    return [value for value in values if isinstance(value, np.ndarray) and value.size]


def _draw_nothing(*_: Any, **__: Any) -> None:
    return None


@contextmanager
def _global_generators_kept() -> Iterator[None]:
    """Restore the global random generators of numpy, Python and torch."""
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
    Check that the original simulation does not change.

    Raises:
        NotProvableError: the simulation changed, because the copy shares a part with it; it was restored.
    """
    if not is_mujoco(base):
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
        raise NotProvableError('stepping the copy changed the environment itself')


def may_change_actions(wrapper: Any) -> bool:
    """Return whether a wrapper may change an action; this package's wrappers only delay or hold actions."""
    module = type(wrapper).__module__
    if module.startswith('velora_ros.'):
        return False
    if module.startswith('gymnasium.wrappers.'):
        return 'action' in module
    inherited = (gym.Wrapper.step, gym.ObservationWrapper.step, gym.RewardWrapper.step)
    return type(wrapper).step not in inherited or 'step' in vars(wrapper)


def is_mujoco(env: Any) -> bool:
    """Return whether an unwrapped environment holds a MuJoCo model and its data, without importing MuJoCo."""
    mujoco: Any = sys.modules.get('mujoco')
    if mujoco is None:
        return False
    model, data = getattr(env, 'model', None), getattr(env, 'data', None)
    return isinstance(model, mujoco.MjModel) and isinstance(data, mujoco.MjData)
