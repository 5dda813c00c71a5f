"""
Plans which value of which message becomes which entry of an observation.

:class:`ObservationSettings` has the parameters ``observation.*`` as the user gives them. :func:`plan` checks them
against a policy's observation names, and returns a plan of each source.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from velora_ros.contract.computed_entries import Computed, RawPlaces, compute, is_computed
from velora_ros.contract.fields import width_of
from velora_ros.contract.joint_signals import INTERFACES, joint_signal, reads_joints
from velora_ros.contract.source_plan import JOINTS, SourcePlan
from velora_ros.contract.transforms import Transform
from velora_ros.errors import ConfigError, did_you_mean
from velora_ros.spec.robot_contract import OWN_TYPES, Source

VECTOR = 'Float64MultiArray'
REFUSE = 'refuse'
# An error lists at most this many names.
_LISTED = 12


# The sources that are used if the user names none.
DEFAULT_SOURCES = (Source('joints', 'joint_states', JOINTS), Source('vector', 'observation', VECTOR))


@dataclass(frozen=True)
class ObservationSettings:
    """
    The parameters ``observation.*``; an empty parameter is derived from the policy.

    Args:
        sources: the sources; a message of the first one triggers a command.
        defaults: the sources if none are given: joint states if they contain the whole observation, otherwise a vector.
        fields: ``<source>:<field>`` for each observation of the policy; a slice gives one observation for each element.
        scale: factor of each field, or of each observation.
        offset: number that is added to each field, or to each observation, after scaling.
        transform: ``none``, ``sin``, ``cos`` or ``unwrap`` for each field, or for each observation, applied last.
        nonfinite: replacement for a value that is not finite, one for each field or one for all: a number, the path of
            a number in the same message, ``refuse``, or ``''`` for the meaning defined by the message type.
    """

    sources: tuple[Source, ...] = ()
    defaults: tuple[Source, Source] = DEFAULT_SOURCES
    fields: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    transform: tuple[str, ...] = ()
    nonfinite: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObservationPlan:
    """
    The plan of an observation.

    Args:
        sources: the plan of each source, the trigger first.
        transform: function that is applied to the whole observation; None if there is none.
        unwrapped: entries whose angle continues beyond half a turn.
        computed: the entries that are not in any message.
        joints: indices of the commanded joints' positions among the values read; None if they are not read.
    """

    sources: list[SourcePlan]
    transform: Transform | None = None
    unwrapped: list[int] = field(default_factory=list)
    computed: Computed = field(default_factory=Computed)
    joints: list[int] | None = None


def plan(names: Sequence[str], settings: ObservationSettings, joints: Sequence[str] = ()) -> ObservationPlan:
    """
    Return the plan of an observation.

    Args:
        names: the policy's observation names.
        settings: the user's settings.
        joints: the commanded joints, whose positions are also read if there is a source of joint states.

    Raises:
        ConfigError: a setting does not fit the policy; the error says what would fit.
    """
    sources = settings.sources or _default_sources(names, settings)
    fields = settings.fields or _default_fields(names, sources)
    plans = {source.name: SourcePlan(source) for source in sources}
    found = [_find(text, plans) for text in fields]
    widths = _widths([what if one.source.type != JOINTS else '' for one, what in found], fields, names)
    place = 0
    entries = []
    for (one, what), width, fill in zip(found, widths, _nonfinite(settings.nonfinite, fields), strict=True):
        if is_computed(one.source, what):
            entries.append((place, one.source, what))
        else:
            one.add(what, range(place, place + width), fill)
        place += width
    places = RawPlaces(plans, len(names))
    computed = compute(entries, places)
    plans = {name: one for name, one in plans.items() if one.source.type not in OWN_TYPES}
    for one in plans.values():
        if not one.fields:
            raise ConfigError(
                f"no field uses the source '{one.source.name}'; use the source in 'observation.fields', or remove it "
                "from 'observation.sources'."
            )
    spread = {what: _spread(what, getattr(settings, what), widths, names) for what in ('scale', 'offset', 'transform')}
    unwrapped = [place for place, kind in enumerate(spread['transform']) if kind == 'unwrap']
    # A single name applies to all messages that have a number of this name; joint states have none.
    others = any(source.type != JOINTS for source in sources)
    fills = _fills(plans.values(), refuse_names=len(settings.nonfinite) != 1 or not others)
    transform = _transform(spread, fills, len(names))
    measured = places.of_joints(joints) if joints else None
    computed.size, computed.hidden = places.size, places.size - len(names)
    return ObservationPlan(list(plans.values()), transform, unwrapped, computed, measured)


def _find(text: str, plans: dict[str, SourcePlan]) -> tuple[SourcePlan, str]:
    """Return the plan of the source that a field belongs to, and the field without its source."""
    name, colon, what = text.partition(':')
    if not colon or name not in plans:
        # A slice contains colons too: the text before a colon is a source only if it could be a name.
        example = f' For example {next(iter(plans))}:{text}.'
        hint = did_you_mean(name, plans) if colon and name.isidentifier() else example
        raise ConfigError(f"'observation.fields' contains '{text}'; write <source>:<field>.{hint}")
    if plans[name].source.type == JOINTS and not joint_signal(what):
        raise ConfigError(
            f"'observation.fields' contains '{text}'; for joint states, write {name}:<joint>/<interface>."
            f'{did_you_mean(what.rpartition("/")[2], INTERFACES)}'
        )
    return plans[name], what


def _widths(texts: Sequence[str], fields: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return how many observations each field gives; a single slice with an open end gives the remaining ones."""
    widths = [width_of(text) for text in texts]
    unknown = [place for place, width in enumerate(widths) if width is None]
    given = sum(width or 0 for width in widths)
    if len(unknown) > 1:
        open_ended = ' and '.join(f"'{fields[place]}'" for place in unknown)
        raise ConfigError(
            f"'observation.fields' has the slices {open_ended}, whose length depends on the message; only one of them "
            'can give the remaining observations. Give the others a start and a stop.'
        )
    rest = len(names) - given
    known = [rest if width is None else width for width in widths]
    if (unknown and rest < 1) or sum(known) != len(names):
        slices = [
            f'{text} gives {width}'
            for text, width in zip(fields, widths, strict=True)
            if width is not None and width != 1
        ]
        each = f' ({", ".join(slices)})' if slices else ''
        count = f'{len(fields)} entries' if not slices and not unknown else f'{given} values{each}'
        if unknown:
            count += f' without {fields[unknown[0]]}'
        raise ConfigError(
            f"'observation.fields' has {count}, but the number of observations is {_listed(names)}. Give one for each, "
            'in this order.'
        )
    return known


def _nonfinite(values: Sequence[str], fields: Sequence[str]) -> list[str]:
    if len(values) == 1 or not values:
        return [*(values or ('',))] * len(fields)
    if len(values) != len(fields):
        raise ConfigError(
            f"'observation.nonfinite' has {len(values)} entries, but 'observation.fields' has {len(fields)}; give one "
            'for each field, or one for all. Each is a number, the path of a number in the same message (such as '
            f"'range_max'), or '{REFUSE}'."
        )
    return list(values)


def number_of(text: str) -> float | None:
    """Return the number in an entry of ``observation.nonfinite``; None if the entry is a name."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _fills(plans: Iterable[SourcePlan], *, refuse_names: bool) -> dict[int, float]:
    """Return the replacements for joint states that are not finite, by index in the observation."""
    fills = {}
    for one in plans:
        if one.source.type != JOINTS:
            continue  # replaced when the message is decoded
        for place, what, text in zip(one.places, one.fields, one.nonfinite, strict=True):
            number = number_of(text)
            if number is not None:
                fills[place] = number
            elif text not in ('', REFUSE) and refuse_names:
                raise ConfigError(
                    f"'observation.nonfinite' is '{text}' for '{one.source.name}:{what}'; for joint states it must be "
                    f"a finite number, or '{REFUSE}'."
                )
    return fills


def _default_sources(names: Sequence[str], settings: ObservationSettings) -> tuple[Source, ...]:
    """Return the sources that the fields name; without fields, joint states if they suffice, else a vector."""
    joints, vector = settings.defaults
    if not settings.fields:
        return (joints if reads_joints(names) else vector,)
    known = {joints.name: joints, vector.name: vector}
    named = dict.fromkeys(text.partition(':')[0] for text in settings.fields)
    if unknown := [name for name in named if name not in known]:
        raise ConfigError(
            f"'observation.fields' uses the source '{unknown[0]}', but 'observation.sources' does not list it."
            f'{did_you_mean(unknown[0], known)}'
        )
    return tuple(known[name] for name in named)


def _default_fields(names: Sequence[str], sources: Sequence[Source]) -> tuple[str, ...]:
    first, several = sources[0], len(sources) > 1
    if not several and first.type == VECTOR:
        return tuple(f'{first.name}:{index}' for index in range(len(names)))
    if not several and first.type == JOINTS and reads_joints(names):
        return tuple(f'{first.name}:{name}' for name in names)
    raise ConfigError(
        f"'observation.fields' is empty, but cannot be derived for the policy's observations {', '.join(names)}. "
        f'Give <source>:<field> for each, with the sources {", ".join(source.name for source in sources)}.'
    )


def _transform(spread: dict[str, list[Any]], fills: dict[int, float], count: int) -> Transform | None:
    scale, offset, kinds = spread['scale'], spread['offset'], spread['transform']
    if not (scale or offset or fills or set(kinds) - {'none'}):
        return None
    return Transform(
        scale or [1.0] * count,
        offset or [0.0] * count,
        [place for place, kind in enumerate(kinds) if kind == 'sin'],
        [place for place, kind in enumerate(kinds) if kind == 'cos'],
        fills,
    )


def _spread(what: str, values: Sequence[Any], widths: Sequence[int], names: Sequence[str]) -> list[Any]:
    """Return one value for each observation, from one for each observation or field; empty if none are given."""
    if len(values) in (0, len(names)):
        return list(values)
    if len(values) == len(widths):
        return [value for value, width in zip(values, widths, strict=True) for _ in range(width)]
    raise ConfigError(
        f"'observation.{what}' has {len(values)} entries, but the number of observations is {_listed(names)}. "
        'Give one for each, in this order.'
    )


def _listed(names: Sequence[str]) -> str:
    """Return the number of observations and their names; a long list has only the first names and the last one."""
    shown = names if len(names) <= _LISTED else (*names[: _LISTED - 2], '...', names[-1])
    return f'{len(names)}: {", ".join(shown)}'
