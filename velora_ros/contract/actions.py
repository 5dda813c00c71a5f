"""Defines what an action means for a robot: position, velocity or effort, scale, offset, and bounds in SI units."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from velora_ros.contract.joint_signals import joint_signal
from velora_ros.errors import ConfigError
from velora_ros.spec import PolicySpec, RobotCommand
from velora_ros.spec.robot_contract import INCREMENT

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ActionMeaning:
    """
    What a policy's actions mean for a robot, which receives ``scale * action + offset``, clipped to the bounds.

    Args:
        scale: SI value of one unit of each action.
        offset: SI value of each action at zero.
        low: lowest SI value that is sent for each action.
        high: highest SI value that is sent for each action.
        positions: for each action whether it commands a position, which the robot keeps while the command is repeated.
        increments: whether actions are the speeds at which the commanded positions move; ``low`` and ``high`` are then
            bounds of the positions.
        reach: deflection of each joint's servo under the largest effort, effort limit / stiffness [rad or m]. A
            position that moves by increments stays within this distance of the measured one. Empty if not known.
        start_pose: position of each commanded joint at the start [rad or m]; empty if not known.
        limits: lowest and highest position of each commanded joint [rad or m]; empty if not known.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    positions: tuple[bool, ...]
    increments: bool = False
    reach: tuple[float, ...] = ()
    start_pose: tuple[float, ...] = ()
    limits: tuple[tuple[float, float], ...] = ()

    def to_si(self, action: npt.ArrayLike) -> Array:
        """Return the SI values of actions, shape (..., action), not clipped."""
        return np.asarray(action, dtype=np.float64) * self.scale + self.offset

    def clip(self, command: npt.ArrayLike) -> Array:
        """Return commands clipped to their bounds, shape (..., action) [SI units]."""
        return np.clip(np.asarray(command, dtype=np.float64), self.low, self.high)


def action_meaning(
    spec: PolicySpec, *, scale: Sequence[float] = (), offset: Sequence[float] = (), interface: str = ''
) -> ActionMeaning:
    """
    Return the meaning of a policy's actions on a robot.

    Args:
        spec: the policy's specification; if it has a contract, the contract defines the command.
        scale: the user's scales, one for each action; if empty, the scales of the policy file.
        offset: the user's offsets, one for each action; if empty, the offsets of the policy file.
        interface: position, velocity or effort, if the user sets it for all actions; ``''`` derives it from the
            contract or the action names.

    Raises:
        ConfigError: scale or offset does not have one value per action, or the interface contradicts an action's name.
    """
    scales = _one_each(spec, 'command.scale', scale, spec.scale)
    offsets = _one_each(spec, 'command.offset', offset, spec.offset)
    ends = [
        sorted((low * factor + shift, high * factor + shift))
        for low, high, factor, shift in zip(spec.action_low, spec.action_high, scales, offsets, strict=True)
    ]
    low, high = zip(*ends, strict=True)
    contract = spec.contract
    if contract is None:
        return ActionMeaning(scales, offsets, low, high, _positions(spec, interface))
    return _of_contract(ActionMeaning(scales, offsets, low, high, ()), contract.command, interface)


def commanded_joints(spec: PolicySpec) -> tuple[str, ...]:
    """Return the joints whose positions a policy commands, from its contract; empty if it commands something else."""
    contract = spec.contract
    return contract.command.fields if contract is not None and contract.command.interface == 'position' else ()


def _of_contract(meaning: ActionMeaning, command: RobotCommand, interface: str) -> ActionMeaning:
    """Return the meaning of the actions with the limits, start pose and reach of a contract's command."""
    sent, count = interface or command.interface, len(command.fields)
    positions, pose = (sent == 'position',) * count, command.start_pose if sent == 'position' else ()
    if sent != command.interface:  # the user sends something else, for example the speeds themselves
        return replace(meaning, positions=positions)
    reach = tuple(effort / gain for effort, gain in zip(command.effort_limit, command.stiffness, strict=False))
    if command.mode == INCREMENT:
        low, high = command.low or (-np.inf,) * count, command.high or (np.inf,) * count
        return replace(
            meaning, low=low, high=high, positions=positions, increments=True, reach=reach, start_pose=pose,
            limits=tuple(zip(low, high, strict=True)),
        )  # fmt: skip
    low, high = (
        tuple(float(value) for value in np.clip(ends, command.low or -np.inf, command.high or np.inf))
        for ends in (meaning.low, meaning.high)
    )
    limits = tuple(zip(command.low, command.high, strict=False)) or tuple(zip(low, high, strict=True))
    return replace(meaning, low=low, high=high, positions=positions, start_pose=pose, limits=limits, reach=reach)


def _one_each(spec: PolicySpec, name: str, given: Sequence[float], own: tuple[float, ...]) -> tuple[float, ...]:
    if len(given) not in (0, spec.action_dim):
        raise ConfigError(
            f"'{name}' has {len(given)} values, but the number of actions is {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one value for each action, or omit the parameter to use the values '
            'of the policy file.'
        )
    return tuple(map(float, given)) or own


def _positions(spec: PolicySpec, interface: str) -> tuple[bool, ...]:
    """Return for each action whether it is a position, by the user's interface, its name or the file's servos."""
    named = [(joint_signal(name) or ('', ''))[1] for name in spec.action_names]
    if wrong := [meaning for meaning in named if interface and meaning not in ('', interface)]:
        raise ConfigError(
            f"'command.type', 'command.fields' or 'command.interface' sets the interface '{interface}', but the "
            f"policy's actions are {', '.join(spec.action_names)}; choose a 'command.type' and 'command.fields' for "
            f"'{wrong[0]}', and set 'command.interface' to '{wrong[0]}' or leave it empty."
        )
    meanings = [interface or meaning for meaning in named]
    servos = spec.action_holds or (False,) * spec.action_dim
    return tuple(
        meaning == 'position' or (servo and not meaning) for meaning, servo in zip(meanings, servos, strict=True)
    )
