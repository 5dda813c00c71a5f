"""The meaning of an action on a robot: position, velocity or effort, scale, offset, and bounds in SI units."""

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
    What a robot receives for a policy's actions: ``scale * action + offset``, clipped to the bounds.

    Args:
        scale: SI value of one unit of each action.
        offset: SI value of each action at zero.
        low: lowest SI value that is sent for each action.
        high: highest SI value that is sent for each action.
        positions: whether the command is a position, at which a robot stays while the command is repeated.
        increments: whether actions are the speeds at which the commanded position moves; the bounds are those of the
            position.
        reach: deflection of each joint's servo under the largest effort, effort limit / stiffness; a position that
            moves by increments is never farther from the measured one. Empty: not known.
        start_pose: position of each commanded joint at the start; empty: none is known.
        limits: lowest and highest position of each commanded joint; empty: not known.
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
        spec: the policy's specification; if it has a contract, the command is taken from it.
        scale: scales that replace those of the policy file, one for each action; empty keeps the file's.
        offset: offsets that replace those of the policy file, one for each action; empty keeps the file's.
        interface: the meaning of all actions as set by the user; ``''`` takes it from contract or names.

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
    """Return the joints whose positions a policy commands, by its contract; empty if it commands something else."""
    contract = spec.contract
    return contract.command.fields if contract is not None and contract.command.interface == 'position' else ()


def _of_contract(meaning: ActionMeaning, command: RobotCommand, interface: str) -> ActionMeaning:
    """Return the meaning within the limits of a contract's command."""
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
            f"'{name}' has {len(given)} values, but the policy commands {spec.action_dim}: "
            f'{", ".join(spec.action_names)}. Give one for each, or omit it to use the values of the policy file.'
        )
    return tuple(map(float, given)) or own


def _positions(spec: PolicySpec, interface: str) -> tuple[bool, ...]:
    """Return which actions are positions, by the user's interface, by their names, or by the policy file's servos."""
    named = [(joint_signal(name) or ('', ''))[1] for name in spec.action_names]
    if wrong := [meaning for meaning in named if interface and meaning not in ('', interface)]:
        raise ConfigError(
            f"the command means '{interface}' by its type, fields or 'command.interface', but the policy's actions are "
            f"{', '.join(spec.action_names)}; choose a 'command.type' and 'command.fields' that can mean '{wrong[0]}', "
            f"and set 'command.interface' to '{wrong[0]}' or leave it empty."
        )
    meanings = [interface or meaning for meaning in named]
    servos = spec.action_holds or (False,) * spec.action_dim
    return tuple(
        meaning == 'position' or (servo and not meaning) for meaning, servo in zip(meanings, servos, strict=True)
    )
