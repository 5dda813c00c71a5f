"""
Plans the entries of an observation that are not in any message.

They are differences between positions in several messages, the policy's previous action, and a gait clock. Values that
these entries need, but that are not observations themselves, are stored after the observation.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from velora_ros.contract.joint_signals import joint_signal, signal_name
from velora_ros.contract.relative_positions import (
    ORIENTATION,
    POSITION,
    RelativePosition,
    RelativePositions,
    parse_relative_position,
)
from velora_ros.contract.source_plan import JOINTS, SourcePlan
from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.spec import Source
from velora_ros.spec.robot_contract import GAIT_CLOCK, LAST_ACTION, OWN_TYPES

Entry = tuple[int, Source, str]
"""Index in the observation, source and field."""

WAVES = ('sin', 'cos')


@dataclass
class ClockPlan:
    """
    The entries of a gait clock.

    Args:
        source: the source of the clock.
        entries: the indices of the entries in the observation.
        waves: for each entry, 0 for the sine or 1 for the cosine.
        command: indices among the values read of the command that drives the clock; if empty, the clock always runs.
    """

    source: Source
    entries: list[int] = field(default_factory=list)
    waves: list[int] = field(default_factory=list)
    command: list[int] = field(default_factory=list)


@dataclass
class Computed:
    """
    All computed entries of an observation.

    Args:
        size: number of values read and computed; at least the number of observations.
        hidden: number of values at the end that are not observations.
        ways: differences between positions in several messages.
        actions: for each previous action that is read, its index in the observation and the number of the action.
        clocks: the gait clocks.
    """

    size: int = 0
    hidden: int = 0
    ways: list[RelativePositions] = field(default_factory=list)
    actions: list[tuple[int, int]] = field(default_factory=list)
    clocks: list[ClockPlan] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.ways or self.actions or self.clocks)


class RawPlaces:
    """
    Gives the indices of values read from messages; a value that is not an observation follows after the observations.

    Args:
        plans: the plans of all sources, by name.
        count: number of observations.
    """

    def __init__(self, plans: Mapping[str, SourcePlan], count: int) -> None:
        self.plans, self.size = plans, count

    def of(self, name: str, fields: Iterable[str], why: str) -> list[int]:
        """
        Return the indices of fields of the source ``name``; fields that were not read before are added to its plan.

        Raises:
            ConfigError: there is no such source; ``why`` is the beginning of the error.
        """
        if name not in self.plans:
            raise ConfigError(f"{why} needs the source '{name}'.{did_you_mean(name, self.plans)}")
        return [self._place(self.plans[name], what) for what in fields]

    def of_joints(self, joints: Sequence[str], why: str = 'the position of a joint') -> list[int] | None:
        """Return the indices of the positions of joints; None if no source has joint states."""
        name = next((name for name, one in self.plans.items() if one.source.type == JOINTS), None)
        return None if name is None else self.of(name, [signal_name(joint, 'position') for joint in joints], why)

    def _place(self, plan: SourcePlan, what: str) -> int:
        if what in plan.fields and set(plan.widths) == {1}:
            return plan.places[plan.fields.index(what)]
        plan.add(what, [self.size])
        self.size += 1
        return self.size - 1


def is_computed(source: Source, what: str) -> bool:
    """Return whether a field of a source is computed, and not read from its messages."""
    return source.type in OWN_TYPES or (source.type != JOINTS and parse_relative_position(what) is not None)


def compute(entries: Sequence[Entry], places: RawPlaces) -> Computed:
    """
    Return the objects that compute the given entries.

    Raises:
        ConfigError: a field is invalid, or a source that it needs is missing.
    """
    found, ways = Computed(), dict[tuple[str, RelativePosition], list[tuple[int, int]]]()
    clocks: dict[str, ClockPlan] = {}
    for place, source, what in entries:
        if source.type == LAST_ACTION:
            found.actions.append((place, _number(source, what)))
        elif source.type == GAIT_CLOCK:
            clock = clocks.setdefault(source.name, ClockPlan(source))
            clock.entries.append(place)
            clock.waves.append(_wave(source, what))
        else:
            way = parse_relative_position(what) or RelativePosition()
            ways.setdefault((source.name, replace(way, axis=0)), []).append((place, way.axis))
    found.ways = [_ways(name, way, pairs, places) for (name, way), pairs in ways.items()]
    found.clocks = list(clocks.values())
    for clock in found.clocks:
        clock.command = _command_of(clock.source, places)
    return found


def _ways(name: str, way: RelativePosition, pairs: list[tuple[int, int]], places: RawPlaces) -> RelativePositions:
    """Return the object that computes the entries (index, axis) of a source, which differ only in their axes."""
    why = f"a field of the source '{name}'"
    turned = places.of_joints([way.joint], why) if way.joint else []
    if turned is None:
        raise ConfigError(
            f"{why} turns with the joint '{way.joint}', but no source has joint states; add a source of joint states."
        )
    return RelativePositions(
        places.of(name, POSITION, why),
        origin=places.of(way.origin, POSITION, why) if way.origin else [],
        orientation=places.of(way.origin, ORIENTATION, why) if way.in_frame else [],
        joint=turned,
        within=way.within,
        axes=[axis for _, axis in pairs],
        entries=[place for place, _ in pairs],
    )


def _number(source: Source, what: str) -> int:
    if not what.isdecimal():
        raise ConfigError(
            f"'{source.name}:{what}' is not an action; give the number of an action, for example {source.name}:0."
        )
    return int(what)


def _wave(source: Source, what: str) -> int:
    if what not in WAVES:
        raise ConfigError(f"'{source.name}:{what}' is not a field of a GaitClock.{did_you_mean(what, WAVES)}")
    return WAVES.index(what)


def _command_of(source: Source, places: RawPlaces) -> list[int]:
    """Return the indices of the command that drives a clock; empty if the clock always runs."""
    if not source.moves_with:
        return []
    plan = places.plans.get(source.moves_with)
    if plan is None or not plan.places or any(joint_signal(what) for what in plan.fields):
        raise ConfigError(
            f"the command of the source '{source.moves_with}' drives the clock '{source.name}', but "
            "'observation.fields' reads nothing from that source; read its fields, or remove the clock."
        )
    return list(plan.places)
