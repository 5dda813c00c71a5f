"""Which value of which message becomes which observation: the parameters ``observation.*`` made definite."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from velora_ros.control.observation import INTERFACES, joint_signal, reads_joints
from velora_ros.errors import ConfigError, did_you_mean

Array = npt.NDArray[np.float64]

JOINTS, VECTOR = 'JointState', 'Float64MultiArray'
TRANSFORMS = ('none', 'sin', 'cos')


@dataclass(frozen=True)
class Source:
    """
    A topic that observations come from.

    Args:
        name: what the fields call it.
        topic: where its messages are.
        type: their type, as ``JointState`` or ``my_msgs/msg/Wheels``.
    """

    name: str
    topic: str
    type: str


# What is read when nobody names a source.
DEFAULT_SOURCES = (Source('joints', 'joint_states', JOINTS), Source('vector', 'observation', VECTOR))


@dataclass(frozen=True)
class ObservationSettings:
    """
    The parameters ``observation.*``; what is empty derives from the policy.

    Args:
        sources: the topics; the first is the trigger.
        defaults: what is read without any: joint states if they can carry it all, else a vector.
        fields: ``<source>:<field>`` for each observation of the policy.
        scale: factor of each.
        offset: what is added to each after scaling.
        transform: ``none``, ``sin`` or ``cos`` of each, taken last.
    """

    sources: tuple[Source, ...] = ()
    defaults: tuple[Source, Source] = DEFAULT_SOURCES
    fields: tuple[str, ...] = ()
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    transform: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """What one source contributes: its fields, and the observation's entries that they fill."""

    source: Source
    fields: list[str]
    places: list[int]


@dataclass(frozen=True)
class Plan:
    """Every source's part, the trigger's first, and the transform of the whole; None for none."""

    parts: list[Part]
    transform: 'Transform | None' = None


@dataclass(frozen=True)
class Transform:
    """``x = scale * value + offset``, then the sine or cosine of some entries."""

    scale: Array
    offset: Array
    sines: list[int] = field(default_factory=list)
    cosines: list[int] = field(default_factory=list)

    def __call__(self, values: Array) -> Array:
        """Return the transformed values, shape (observation,); what overflows is not finite and refused later."""
        with np.errstate(all='ignore'):
            result: Array = values * self.scale + self.offset
            if self.sines:
                result[self.sines] = np.sin(result[self.sines])
            if self.cosines:
                result[self.cosines] = np.cos(result[self.cosines])
        return result


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
    _check_length('fields', fields, names)
    parts = {source.name: Part(source, [], []) for source in sources}
    for place, text in enumerate(fields):
        name, colon, what = text.partition(':')
        if not colon or name not in parts:
            hint = did_you_mean(name, parts) if colon else f' For example {sources[0].name}:{text}.'
            raise ConfigError(f"'observation.fields' contains '{text}'; a field is <source>:<field>.{hint}")
        if parts[name].source.type == JOINTS and not joint_signal(what):
            raise ConfigError(
                f"'observation.fields' contains '{text}'; a field of joint states is {name}:<joint>/<interface>."
                f'{did_you_mean(what.rpartition("/")[2], INTERFACES)}'
            )
        parts[name].fields.append(what)
        parts[name].places.append(place)
    for part in parts.values():
        if not part.fields:
            raise ConfigError(
                f"the source '{part.source.name}' gives no field; use it in 'observation.fields' or take it out of "
                "'observation.sources'."
            )
    return Plan(list(parts.values()), _transform(names, settings))


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


def _transform(names: Sequence[str], settings: ObservationSettings) -> Transform | None:
    for what in ('scale', 'offset', 'transform'):
        if values := getattr(settings, what):
            _check_length(what, values, names)
    if not (settings.scale or settings.offset or set(settings.transform) - {'none'}):
        return None
    count = len(names)
    return Transform(
        np.asarray(settings.scale or [1.0] * count),
        np.asarray(settings.offset or [0.0] * count),
        [place for place, kind in enumerate(settings.transform) if kind == 'sin'],
        [place for place, kind in enumerate(settings.transform) if kind == 'cos'],
    )


def _check_length(what: str, values: Sequence[object], names: Sequence[str]) -> None:
    if len(values) != len(names):
        raise ConfigError(
            f"'observation.{what}' has {len(values)} entries and the policy reads {len(names)}: "
            f'{", ".join(names)}. Give one for each, in this order.'
        )
