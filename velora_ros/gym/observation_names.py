"""
Which joint signal each observation of a MuJoCo environment is: found by testing, not by convention.

The environment's own observation function is called on a few random states of a copy of the simulation. An observation
that equals one joint's position, velocity or actuator effort in all of these states gets the name of this signal.
Sines, clipped velocities and everything else match no signal and get no name.
"""

import copy
import inspect
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from velora_ros.contract.joint_signals import UNITS, Signal, signal_name
from velora_ros.gym.describe_env_errors import FAILURES, described

Array = npt.NDArray[np.float64]

PROBES = 6
_NOT_COPIED = ('gymnasium.envs.mujoco.mujoco_rendering', 'gymnasium.envs.registration', 'gymnasium.spaces.box')
FASTEST = 200.0  # rad/s or m/s; environments clip velocities at 10, and a clipped entry is not the joint's velocity


def observed_signals(env: Any, size: int) -> list[Signal | None]:
    """
    Return the joint signal of each observation; None for an observation that is not a joint signal.

    Args:
        env: the unwrapped environment; only gymnasium's MuJoCo environments have joint signals.
        size: number of observations.
    """
    unknown: list[Signal | None] = [None] * size
    if not _is_mujoco(env) or not callable(getattr(env, '_get_obs', None)):
        return unknown
    if not _takes_nothing(env._get_obs):  # it needs arguments
        return unknown
    try:
        observations, values, signals = _probe(env)
    except FAILURES as error:  # it is the environment's own code and may raise anything
        warnings.warn(
            f'the observations of {type(env).__name__} could not be tested, because _get_obs failed with '
            f'{described(error)}; they are called obs_0 and so on, without a unit.',
            stacklevel=4,
        )
        return unknown
    if observations is None or observations.shape != (PROBES, size):
        return unknown
    found = [_match(observations[:, index], values, signals) for index in range(size)]
    return _each_once(found)


def _each_once(signals: list[Signal | None]) -> list[Signal | None]:
    """Keep the first signal of each name, because names are unique."""
    names = [signal.name if signal else None for signal in signals]
    return [signal if names.index(names[index]) == index else None for index, signal in enumerate(signals)]


def joint_name(model: Any, joint: int) -> str:
    """Return the joint's name in the model; ``joint_<index>`` if it has none."""
    return str(model.joint(joint).name) or f'joint_{joint}'


def _is_mujoco(env: Any) -> bool:
    model, data = getattr(env, 'model', None), getattr(env, 'data', None)
    return type(model).__name__ == 'MjModel' and type(data).__name__ == 'MjData'


def _takes_nothing(function: Any) -> bool:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


def _probe(env: Any) -> tuple[Array | None, Array, list[Signal]]:
    """
    Return observations (probes, size), the values of joint signals (probes, signals), and the signals.

    The environment is not reset, and its observation function changes copies only. The observations are None if they
    are not vectors of numbers.
    """
    import mujoco  # noqa: PLC0415 - an environment without MuJoCo must not need it

    model, scratch, rng = env.model, mujoco.MjData(env.model), np.random.default_rng(0)
    joints = [
        index for index in range(model.njnt) if _joint_kind(model, index) is not None and joint_name(model, index)
    ]
    positions, velocities = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
    observations, values = [], []
    with _left_alone(env, scratch):
        for _ in range(PROBES):
            scratch.qpos[:] = model.qpos0 + rng.uniform(-2.0, 2.0, model.nq)
            scratch.qvel[:] = rng.uniform(-FASTEST, FASTEST, model.nv)
            scratch.ctrl[:] = rng.uniform(-1.0, 1.0, model.nu)
            mujoco.mj_forward(model, scratch)
            observations.append(env._get_obs())
            signals = (scratch.qpos[positions], scratch.qvel[velocities], scratch.qfrc_actuator[velocities])
            values.append(np.concatenate(signals))
    named = [signal_of_joint(model, joint, interface) for interface in UNITS for joint in joints]
    try:
        vectors = np.array(observations, dtype=np.float64)
    except (TypeError, ValueError):
        vectors = None
    return vectors, np.array(values), named


@contextmanager
def _left_alone(env: Any, scratch: Any) -> Iterator[None]:
    """
    Replace an environment's MuJoCo data with ``scratch``, and its other attributes with copies, inside the context.

    Afterwards everything that its functions changed (counters, histories, random generators) is as before, and so are
    the global random generators.
    """
    attributes = vars(env)
    before = dict(attributes)
    random_states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one, which is not ours
    memo: dict[int, Any] = {id(env): env, id(env.model): env.model, id(env.data): scratch}
    try:
        for name, value in before.items():
            if not isinstance(value, gym.Env) and type(value).__module__ not in _NOT_COPIED:
                with suppress(Exception):  # attributes that cannot be copied are not replaced
                    attributes[name] = copy.deepcopy(value, memo)
        env.data = scratch
        yield
    finally:
        attributes.clear()
        attributes.update(before)
        random.setstate(random_states[0])
        np.random.set_state(random_states[1])  # noqa: NPY002


def _match(entry: Array, values: Array, signals: list[Signal]) -> Signal | None:
    """Return the signal that equals the observation in every probe and is not constant."""
    equal = np.isclose(values, entry[:, None], rtol=1e-6, atol=1e-9).all(axis=0) & (np.ptp(values, axis=0) > 0)
    return signals[int(np.argmax(equal))] if equal.any() else None


def signal_of_joint(model: Any, joint: int, interface: str) -> Signal:
    """Return the signal of a joint with one axis: its position, velocity or effort."""
    unit = UNITS[interface][_joint_kind(model, joint) or 0]
    return Signal(signal_name(joint_name(model, joint), interface), unit)


def _joint_kind(model: Any, joint: int) -> int | None:
    """Return 0 for a slide joint, 1 for a hinge, None for a joint with several degrees of freedom."""
    return {2: 0, 3: 1}.get(int(model.jnt_type[joint]))
