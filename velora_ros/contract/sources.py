"""Which value of which message becomes which observation: the parameters ``observation.*`` made definite."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from velora_ros.contract.fields import width_of
from velora_ros.contract.joint_signals import INTERFACES, joint_signal, reads_joints
from velora_ros.contract.transforms import Transform
from velora_ros.errors import ConfigError, did_you_mean

JOINTS, VECTOR = 'JointState', 'Float64MultiArray'
TRANSFORMS = ('none', 'sin', 'cos', 'unwrap')
REFUSE = 'refuse'
# More names than this are not listed in a message.
_LISTED = 12


@dataclass(frozen=True)
class Source:
    """
    A topic that observations come from.

    Args:
        name: what the fields call it.
        topic: where its messages are.
        type: their type, as ``JointState`` or ``my_msgs/msg/Wheels``.
        missing: what is read of it while nothing came or it is too old, one number for all or one each; empty refuses.
        frame: the frame that its messages must be in; empty for any.
    """

    name: str
    topic: str
    type: str
    missing: tuple[float, ...] = ()
    frame: str = ''


# What is read when nobody names a source.
DEFAULT_SOURCES = (Source('joints', 'joint_states', JOINTS), Source('vector', 'observation', VECTOR))


@dataclass(frozen=True)
class ObservationSettings:
    """
    The parameters ``observation.*``; what is empty derives from the policy.

    Args:
        sources: the topics; the first is the trigger.
        defaults: what is read without any: joint states if they can carry it all, else a vector.
        fields: ``<source>:<field>`` for each observation of the policy; a slice is as many as it has entries.
        scale: factor of each field, or of each observation.
        offset: what is added to each after scaling.
        transform: ``none``, ``sin``, ``cos`` or ``unwrap`` of each, taken last.
        nonfinite: what stands for a value that is not finite, for each field or one for all: a number, a number of the
            same message by its name, ``refuse``, or ``''`` for what the message type itself says.
    """

    sources: tuple[Source, ...] = ()
    defaults: tuple[Source, Source] = DEFAULT_SOURCES
    fields: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    transform: tuple[str, ...] = ()
    nonfinite: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """
    What one source contributes.

    Args:
        source: where its messages are.
        fields: what is read of them.
        places: the observation's entries that they fill, in order.
        widths: how many entries each field fills.
        nonfinite: what stands for a value of each field that is not finite, as in :class:`ObservationSettings`.
    """

    source: Source
    fields: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    nonfinite: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """
    What makes an observation.

    Args:
        parts: every source's part, the trigger's first.
        transform: what is done to the whole; None for nothing.
        unwrapped: the entries whose angle goes on beyond half a turn.
    """

    parts: list[Part]
    transform: Transform | None = None
    unwrapped: list[int] = field(default_factory=list)


def plan(names: Sequence[str], settings: ObservationSettings) -> Plan:
    """
    Work out what each source contributes.

    Args:
        names: the policy's observation names.
        settings: the user's.

    Raises:
        ConfigError: something does not fit the policy; the message says what would.
    """
    sources = settings.sources or _default_sources(names, settings)
    fields = settings.fields or _default_fields(names, sources)
    parts = {source.name: Part(source) for source in sources}
    found = [_find(text, parts) for text in fields]
    widths = _widths([what if part.source.type != JOINTS else '' for part, what in found], fields, names)
    place = 0
    for (part, what), width, fill in zip(found, widths, _nonfinite(settings.nonfinite, fields), strict=True):
        part.fields.append(what)
        part.widths.append(width)
        part.nonfinite.append(fill)
        part.places.extend(range(place, place + width))
        place += width
    for part in parts.values():
        if not part.fields:
            raise ConfigError(
                f"the source '{part.source.name}' gives no field; use it in 'observation.fields' or take it out of "
                "'observation.sources'."
            )
    spread = {what: _spread(what, getattr(settings, what), widths, names) for what in ('scale', 'offset', 'transform')}
    unwrapped = [place for place, kind in enumerate(spread['transform']) if kind == 'unwrap']
    # One name for all means those messages that have such a number; joint states have none.
    others = any(source.type != JOINTS for source in sources)
    fills = _fills(parts.values(), names_too=len(settings.nonfinite) != 1 or not others)
    return Plan(list(parts.values()), _transform(spread, fills, len(names)), unwrapped)


def _find(text: str, parts: dict[str, Part]) -> tuple[Part, str]:
    """Return the part that a field belongs to, and the field without its source."""
    name, colon, what = text.partition(':')
    if not colon or name not in parts:
        # A slice has colons as well: what stands before one is only a source when it could be a name.
        example = f' For example {next(iter(parts))}:{text}.'
        hint = did_you_mean(name, parts) if colon and name.isidentifier() else example
        raise ConfigError(f"'observation.fields' contains '{text}'; a field is <source>:<field>.{hint}")
    if parts[name].source.type == JOINTS and not joint_signal(what):
        raise ConfigError(
            f"'observation.fields' contains '{text}'; a field of joint states is {name}:<joint>/<interface>."
            f'{did_you_mean(what.rpartition("/")[2], INTERFACES)}'
        )
    return parts[name], what


def _widths(texts: Sequence[str], fields: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return how many observations each field gives; one slice with an open end gets what the others leave."""
    widths = [width_of(text) for text in texts]
    unknown = [place for place, width in enumerate(widths) if width is None]
    given = sum(width or 0 for width in widths)
    if len(unknown) > 1:
        open_ended = ' and '.join(f"'{fields[place]}'" for place in unknown)
        raise ConfigError(
            f"'observation.fields' has the slices {open_ended}, whose length depends on the message; only one of them "
            'can take what is left. Give the others a start and a stop.'
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
            f"'observation.fields' has {count} and the policy reads {_listed(names)}. Give one for each, in this order."
        )
    return known


def _nonfinite(values: Sequence[str], fields: Sequence[str]) -> list[str]:
    if len(values) == 1 or not values:
        return [*(values or ('',))] * len(fields)
    if len(values) != len(fields):
        raise ConfigError(
            f"'observation.nonfinite' has {len(values)} entries and 'observation.fields' has {len(fields)}; give one "
            "for each field, or one for all: a number, the name of a number in the same message, such as 'range_max', "
            f"or '{REFUSE}'."
        )
    return list(values)


def number_of(text: str) -> float | None:
    """Return the number that ``observation.nonfinite`` gives, or None when it is a name."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _fills(parts: Iterable[Part], *, names_too: bool) -> dict[int, float]:
    """Return what stands for joint states that are not finite, by the observation's entry; refuse names if asked to."""
    fills = {}
    for part in parts:
        if part.source.type != JOINTS:
            continue  # their readers see to it
        for place, what, text in zip(part.places, part.fields, part.nonfinite, strict=True):
            number = number_of(text)
            if number is not None:
                fills[place] = number
            elif text not in ('', REFUSE) and names_too:
                raise ConfigError(
                    f"'observation.nonfinite' is '{text}' for '{part.source.name}:{what}'; for joint states it is a "
                    f"finite number, or '{REFUSE}'."
                )
    return fills


def _default_sources(names: Sequence[str], settings: ObservationSettings) -> tuple[Source, ...]:
    """Return joint states when they can carry it all, else the vector; or what the fields name."""
    joints, vector = settings.defaults
    if not settings.fields:
        return (joints if reads_joints(names) else vector,)
    known = {joints.name: joints, vector.name: vector}
    named = dict.fromkeys(text.partition(':')[0] for text in settings.fields)
    if unknown := [name for name in named if name not in known]:
        raise ConfigError(
            f"'observation.fields' uses the source '{unknown[0]}', which 'observation.sources' does not list."
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
        f"'observation.fields' must say where each of the policy's observations comes from: {', '.join(names)}. "
        f'Give <source>:<field> for each, with the sources {", ".join(source.name for source in sources)}.'
    )


def _transform(spread: dict[str, list[Any]], fills: dict[int, float], count: int) -> Transform | None:
    scale, offset, kinds = spread['scale'], spread['offset'], spread['transform']
    if not (scale or offset or fills or set(kinds) - {'none'}):
        return None
    return Transform(
        np.asarray(scale or [1.0] * count),
        np.asarray(offset or [0.0] * count),
        [place for place, kind in enumerate(kinds) if kind == 'sin'],
        [place for place, kind in enumerate(kinds) if kind == 'cos'],
        fills,
    )


def _spread(what: str, values: Sequence[Any], widths: Sequence[int], names: Sequence[str]) -> list[Any]:
    """Return one value for each observation, from one for each or one for each field; none from none."""
    if len(values) in (0, len(names)):
        return list(values)
    if len(values) == len(widths):
        return [value for value, width in zip(values, widths, strict=True) for _ in range(width)]
    raise ConfigError(
        f"'observation.{what}' has {len(values)} entries and the policy reads {_listed(names)}. "
        'Give one for each, in this order.'
    )


def _listed(names: Sequence[str]) -> str:
    """Return how many names there are, and which; of very many only the first and the last."""
    shown = names if len(names) <= _LISTED else (*names[: _LISTED - 2], '...', names[-1])
    return f'{len(names)}: {", ".join(shown)}'
