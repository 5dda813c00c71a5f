"""The policy specification of an environment: names, units, bounds and the control period, as a PolicySpec."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np

from velora_ros.contract.joint_signals import Signal
from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym.check_spaces import check_env, wrappers_of
from velora_ros.gym.control_period import find_period
from velora_ros.gym.joints_of_actions import are_controls, are_passed_on, commanded_signals, keep_their_pose
from velora_ros.gym.observation_names import observed_signals
from velora_ros.spec import PolicySpec, split_unit

Env = gym.Env[Any, Any]


def spec_from_env(env: Env, control_period: float | None = None) -> PolicySpec:
    """
    Return the specification of a policy for this environment.

    Joint signals are named ``<joint>/<position|velocity|effort>``, everything else ``obs_<i>`` or ``action_<i>``.
    If a wrapper from outside this package changes the observations, they have no joint names. An action has a joint's
    name only if it reaches the actuator unchanged, which is tested on a copy of the environment.

    Args:
        env: the environment, wrapped or not; its state and random generators are not changed.
        control_period: the nominal period [s], for environments that do not state it.

    Raises:
        UnsupportedEnvironmentError: a policy cannot work with the environment's spaces.
    """
    check_env(env)
    observations = observation_signals(env)
    actions = _action_signals(env)
    period, assumed = find_period(env, control_period)
    contract = getattr(env.unwrapped, 'robot_contract', None)
    if contract is not None and not _are_own(env, observations, actions):
        contract = None
    low, high = np.asarray(env.action_space.low), np.asarray(env.action_space.high)  # type: ignore[attr-defined]
    return PolicySpec(
        observation_names=tuple(signal.name for signal in observations),
        observation_units=tuple(signal.unit for signal in observations),
        action_names=tuple(signal.name for signal in actions),
        action_units=tuple(signal.unit for signal in actions),
        action_scale=tuple(signal.scale for signal in actions),
        action_offset=tuple(signal.offset for signal in actions),
        action_holds=tuple(signal.holds for signal in actions),
        action_low=tuple(map(float, low)),
        action_high=tuple(map(float, high)),
        control_period=period,
        control_period_assumed=assumed,
        contract=contract,
    )


def _are_own(env: Env, observations: list[Signal], actions: list[Signal]) -> bool:
    """Return whether observations and actions have the names and the order of the innermost environment."""
    base: Any = env.unwrapped
    pairs = (observations, base.observation_signals()), (actions, base.action_signals())
    return all([one.name for one in here] == [one.name for one in there] for here, there in pairs)


def observation_signals(env: Env) -> list[Signal]:
    """Return the name and the unit of each observation."""
    base: Any = env.unwrapped
    own = getattr(base, 'observation_signals', None)  # an environment may provide its names
    size = _size(base.observation_space)  # 0 for a dictionary or a tuple, whose entries NamedFlatten names
    signals = own() if own else _named(observed_signals(base, size) if size else [], 'obs')
    for wrapper in reversed(list(wrappers_of(env))):
        if (rename := getattr(type(wrapper), 'rename', None)) is not None:
            signals = rename(wrapper, signals)
        elif _changes(wrapper, gym.ObservationWrapper, 'observation_space'):
            signals = _named([None] * _size(wrapper.observation_space), 'obs')
    return signals


def _action_signals(env: Env) -> list[Signal]:
    size = _size(env.action_space)
    base: Any = env.unwrapped
    own = getattr(base, 'action_signals', None)  # an environment may provide the meaning of its actions
    # ModelEnv's own method only describes the actuators; a derived class may send them something else.
    if own and not getattr(own, '__module__', '').startswith('velora_ros.gym.'):
        signals, true = [_in_si(signal) for signal in own()], are_passed_on(env)
        if len(signals) != _size(base.action_space):
            raise UnsupportedEnvironmentError(
                f'{type(base).__name__}.action_signals() names {len(signals)} actions, but its action space has '
                f'{_size(base.action_space)}; return one Signal for each.'
            )
        kept = [signal if passed else None for signal, passed in zip(signals, true, strict=False)]
        return _named(kept if len(signals) == size else [None] * size, 'action')
    found = list(own()) if own else commanded_signals(base, size)
    servos = keep_their_pose(base, size)
    if len(found) != size or not (any(found) or any(servos)):
        return _named([None] * size, 'action')
    rows = zip(found, are_controls(env), servos, strict=True)
    return _named([_kept(signal, index, true, servo) for index, (signal, true, servo) in enumerate(rows)], 'action')


def _kept(signal: Signal | None, index: int, true: bool, servo: bool) -> Signal | None:
    """Return the signal of an action that reaches its actuator unchanged; None if it does not."""
    if not true:
        return None
    if signal is not None and signal.unit:
        return signal
    return Signal(signal.name if signal else f'action_{index}', '', holds=servo)


def _in_si(signal: Signal) -> Signal:
    """Return a signal with the factor in its scale; environments of earlier releases have it in the unit (100 N)."""
    factor, unit = split_unit(signal.unit) or (1.0, signal.unit)
    return replace(signal, unit=unit, scale=factor * signal.scale)


def _changes(wrapper: Any, kind: type, space: str) -> bool:
    return isinstance(wrapper, kind) or getattr(wrapper, space) is not getattr(wrapper.env, space)


def _named(signals: list[Signal | None], prefix: str) -> list[Signal]:
    return [signal or Signal(f'{prefix}_{index}', '') for index, signal in enumerate(signals)]


def _size(space: gym.Space[Any]) -> int:
    return int(np.prod(space.shape or (0,)))
