"""Converts a description to the specification and the contract of a policy, as in this package's own policies."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from velora_ros.contract.joint_signals import UNITS, joint_signal, signal_name
from velora_ros.errors import PolicyFileError, did_you_mean
from velora_ros.policy.foreign.description import MOST_FRAMES, Description, Term
from velora_ros.policy.foreign.observation_terms import Entries, entries_of, is_of_joints, spread
from velora_ros.spec import PolicySpec, RobotCommand, RobotContract, Source
from velora_ros.spec.robot_contract import INTERFACES

Numbers = tuple[float, ...]
_Value = TypeVar('_Value')


@dataclass(frozen=True)
class Described:
    """
    A description that was converted; :class:`velora_ros.policy.foreign.foreign_policy_file.OnnxFile` has its fields.

    Args:
        spec: specification and contract.
        dt_range: shortest and longest elapsed time in training [s].
        widths: number of entries of each term.
        history: number of frames of each term.
        terms: name of each term.
        low: lower limit to which each entry is clipped, after its scale; empty if entries are not clipped.
        high: upper limit to which each entry is clipped, after its scale; empty if entries are not clipped.
        clip: lowest and highest output of the network; None if outputs are not clipped.
    """

    spec: PolicySpec
    dt_range: tuple[float, float]
    widths: tuple[int, ...]
    history: tuple[int, ...]
    terms: tuple[str, ...]
    low: Numbers
    high: Numbers
    clip: tuple[float, float] | None


def missing(description: Description) -> list[str]:
    """Return the parts that a description lacks, in words, such as ``the period``."""
    actions, found = description.actions, list[str]()
    needs_joints = not actions.fields or any(_needs_joints(one) for one in description.observations)
    if not description.period:
        found.append('the period')
    if not description.observations:
        found.append('the observations')
    if needs_joints and not (description.joints or actions.joints):
        found.append('the joints')
    if any(not one.scale for one in description.observations):
        named = ', '.join(one.term for one in description.observations if not one.scale)
        found.append(f'the scale of the observations ({named})')
    if not description.default_positions and _needs_defaults(description):
        found.append('the default positions of the joints')
    if not actions.scale:
        found.append('the scale of the actions')
    if not (actions.low and actions.high):
        found.append('the limits of the actions, low and high')
    return found


def described(description: Description, name: str) -> Described:
    """
    Convert a complete description.

    Args:
        description: the description, without :func:`missing` parts.
        name: name of the policy.

    Raises:
        PolicyFileError, SpecError: parts of the description do not fit together.
    """
    joints = description.joints or description.actions.joints
    _check_joints(description, joints)
    units = ['m' if joint in description.sliding_joints else 'rad' for joint in joints]
    defaults = spread("'default_positions'", description.default_positions, len(joints))
    chosen = description.actions.joints or joints
    count = len(description.actions.fields or chosen)
    terms = description.observations
    found = [entries_of(one, joints, defaults, units, count) for one in terms]
    widths = tuple(len(one.fields) for one in found)
    scales = [
        spread(f"'scale' of the term '{one.term}'", one.scale, width) for one, width in zip(terms, widths, strict=True)
    ]
    low, high = _clips(terms, scales)
    return Described(
        _spec(description, name, found=found, scales=scales, joints=joints, defaults=defaults),
        _dt_range(description), widths,
        tuple(_frames(one) for one in terms), tuple(one.term for one in terms), low, high, _clip(description),
    )  # fmt: skip


def _spec(
    description: Description, name: str, *, found: Sequence[Entries], scales: Sequence[Numbers],
    joints: Sequence[str], defaults: Numbers,
) -> PolicySpec:  # fmt: skip
    command, scale, offset = _command(description, joints, defaults)
    contract = RobotContract(
        task=name, varied=(), sources=_sources(found),
        fields=_joined(one.fields for one in found),
        scale=_joined(scales),
        default=_joined(one.default for one in found),
        command=command,
    )  # fmt: skip
    low, high = _own_bounds(_clip(description), command, scale, offset)
    is_of_joints = not description.actions.fields
    kind = command.interface
    return PolicySpec(
        observation_names=_distinct(_joined(one.names for one in found)),
        observation_units=_joined(one.units for one in found),
        action_names=tuple(signal_name(one, kind) if is_of_joints else one for one in command.fields),
        action_units=tuple(
            UNITS[kind][one not in description.sliding_joints] if is_of_joints else '' for one in command.fields
        ),
        action_low=low, action_high=high, control_period=description.period, action_scale=scale, action_offset=offset,
        contract=contract,
    )  # fmt: skip


def _command(
    description: Description, joints: Sequence[str], defaults: Numbers
) -> tuple[RobotCommand, Numbers, Numbers]:
    """Return the command, and the scale and the offset of each action."""
    actions = description.actions
    places = actions.fields or actions.joints or tuple(joints)
    count, start = len(places), dict(zip(joints, defaults, strict=False))
    if actions.interface not in INTERFACES:
        raise PolicyFileError(
            f"'interface' of the actions is '{actions.interface}'.{did_you_mean(actions.interface, INTERFACES)}"
        )
    is_position = actions.interface == 'position' and not actions.fields
    pose = tuple(start[one] for one in places) if is_position and start else ()
    each = {
        what: spread(f"'{what}' of the actions", getattr(actions, what), count)
        for what in ('scale', 'offset', 'low', 'high', 'stiffness', 'damping', 'effort_limit')
    }
    for place, value, low, high in zip(places, pose, each['low'], each['high'], strict=False):
        if not low <= value <= high:
            raise PolicyFileError(
                f"the default position of '{place}' is {value:g}, outside the limits from {low:g} to {high:g}; correct "
                "'default_positions', or 'low' and 'high' of the actions."
            )
    command = RobotCommand(
        type=actions.type, fields=places, interface=actions.interface, start_pose=pose,
        low=each['low'], high=each['high'], stiffness=each['stiffness'], damping=each['damping'],
        effort_limit=each['effort_limit'],
    )  # fmt: skip
    return command, each['scale'], each['offset'] or pose or (0.0,) * count


def _own_bounds(
    clip: tuple[float, float] | None, command: RobotCommand, scale: Numbers, offset: Numbers
) -> tuple[Numbers, Numbers]:
    """Return the bounds of the network's outputs: from training if it had any, otherwise from the joints' limits."""
    if clip is not None:
        return (clip[0],) * len(scale), (clip[1],) * len(scale)
    if not all(scale):
        raise PolicyFileError("'scale' of the actions has a 0; give a number other than 0 for each action.")
    ends = [
        sorted(((low - shift) / factor, (high - shift) / factor))
        for low, high, factor, shift in zip(command.low, command.high, scale, offset, strict=True)
    ]
    return tuple(low for low, _ in ends), tuple(high for _, high in ends)


def _sources(found: Sequence[Entries]) -> tuple[Source, ...]:
    """Return all sources; the trigger comes first: joint states or, without them, the first sensor."""
    sources: dict[str, Source] = {}
    for one in found:
        sources.setdefault(one.source.name, one.source)

    def rank(source: Source) -> int:
        return 3 if not source.topic else 2 if source.missing else int(source.type != 'JointState')

    return tuple(sorted(sources.values(), key=rank))


def _check_joints(description: Description, joints: Sequence[str]) -> None:
    if len(set(joints)) < len(joints):
        raise PolicyFileError(f"'joints' is {', '.join(joints)}; name each joint once.")
    for what, names in (
        ("'joints' of the actions", description.actions.joints), ("'sliding_joints'", description.sliding_joints),
    ):  # fmt: skip
        if unknown := [name for name in names if name not in joints]:
            raise PolicyFileError(f"{what} has '{unknown[0]}', which is not a joint.{did_you_mean(unknown[0], joints)}")
    if bad := [name for name in joints if joint_signal(signal_name(name, 'position')) is None]:
        raise PolicyFileError(f"'joints' has the entry {bad[0]!r}; every entry must be the name of a joint.")


def _clips(terms: Sequence[Term], scales: Sequence[Numbers]) -> tuple[Numbers, Numbers]:
    """Return the limits to which each entry is clipped after its scale; empty if no term has a clip."""
    if not any(one.clip for one in terms):
        return (), ()
    low, high = list[float](), list[float]()
    for one, each in zip(terms, scales, strict=True):
        least, most = _pair(f"'clip' of the term '{one.term}'", one.clip or (-math.inf, math.inf))
        for factor in each:
            ends = sorted((least * factor, most * factor)) if factor else (-math.inf, math.inf)
            low.append(ends[0])
            high.append(ends[1])
    return tuple(low), tuple(high)


def _clip(description: Description) -> tuple[float, float] | None:
    given = description.actions.clip
    if len(given) == 1:
        given = (-abs(given[0]), abs(given[0]))
    return _pair("'clip' of the actions", given) if given else None


def _pair(what: str, values: Numbers) -> tuple[float, float]:
    if len(values) != 2 or not values[0] < values[1]:
        raise PolicyFileError(f'{what} is {list(values)}; it must be two numbers, the lower one first.')
    return values[0], values[1]


def _dt_range(description: Description) -> tuple[float, float]:
    period = description.period
    given = description.dt_range or (period, period)
    if len(given) != 2:
        raise PolicyFileError(
            f"'dt_range' is {list(given)}; it must be the shortest and the longest time between two steps [s]."
        )
    low, high = given
    if not 0 < low <= period <= high < math.inf:
        raise PolicyFileError(
            f"'period' is {period} s and 'dt_range' is [{low}, {high}] s; the range must be positive and include the "
            'period.'
        )
    return low, high


def _frames(term: Term) -> int:
    if not 0 <= term.history <= MOST_FRAMES:
        raise PolicyFileError(f"'history' of the term '{term.term}' is {term.history}; it must be 1 to {MOST_FRAMES}.")
    return term.history or 1


def _needs_joints(term: Term) -> bool:
    return is_of_joints(term.term) and not (term.fields or term.size or term.topic)


def _needs_defaults(description: Description) -> bool:
    """Return whether any observation or action is relative to the default positions."""
    actions = description.actions
    relative = any(_needs_joints(one) and 'pos' in one.term and not one.default for one in description.observations)
    return relative or (not actions.fields and actions.interface == 'position' and not actions.offset)


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names; a repeated name, as of a term that is read twice, gets a number, such as ``gyro.x#2``."""
    counts: dict[str, int] = {}
    found = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        found.append(name if counts[name] == 1 else f'{name}#{counts[name]}')
    return tuple(found)


def _joined(parts: Iterable[tuple[_Value, ...]]) -> tuple[_Value, ...]:
    return tuple(value for part in parts for value in part)
