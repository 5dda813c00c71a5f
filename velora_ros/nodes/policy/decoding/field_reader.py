"""Reads fields of a message by their paths: numbers, slices, and the minimum, maximum or mean of slices."""

import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import numpy as np

from velora_ros.contract.fields import Field, parse
from velora_ros.contract.sources import REFUSE
from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.decoding.message_paths import Array, Getter, Kind, SliceReader, find_way, numbers_of
from velora_ros.nodes.policy.decoding.nonfinite import Filler, is_range, make_filler

Numbers = Sequence[float] | Array

_COVARIANCE = '_covariance'


class Reader(Protocol):
    """Reads the numbers of a source's fields from a message."""

    def read(self, message: Any) -> Numbers:
        """
        Return the numbers of all fields, in their order; the next call may overwrite a returned array.

        Raises:
            ObservationError: the message cannot be used.
        """
        ...


class WantedField(NamedTuple):
    """A field, the replacement for its non-finite values, and its number of values."""

    text: str
    nonfinite: str
    width: int


def make_field_reader(kind: Kind, wanted: Sequence[WantedField]) -> Reader:
    """
    Return a reader of fields given by paths; a faster one if all of them are plain numbers.

    Raises:
        ConfigError: a field does not exist in the message type, or does not have the wanted width.
    """
    known, fields = numbers_of(kind.message), [parse(one.text) for one in wanted]
    is_plain = all(
        one.text in known and one.nonfinite in ('', REFUSE) and not is_range(kind, field)
        for one, field in zip(wanted, fields, strict=True)
    )
    texts = [one.text for one in wanted]
    reader = _plain_reader(texts, [known[text] for text in texts]) if is_plain else FieldReader(kind, wanted)
    parts = dict.fromkeys(path.steps[0] for field in fields for path in field.paths)
    uncertain = [str(part) for part in parts if hasattr(kind.message, f'{part}{_COVARIANCE}')]
    return KnownReader(reader, kind.name, uncertain) if uncertain else reader


def _plain_reader(texts: Sequence[str], getters: Sequence[Getter | None]) -> Reader:
    if len(texts) > 1 and not any(getters):
        return AttributeReader(texts)
    return NumberReader([get or attrgetter(text) for get, text in zip(getters, texts, strict=True)])


class AttributeReader:
    """Reads several plain numbers of a message at once; the controller checks that they are finite."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.read: Callable[[Any], Numbers] = attrgetter(*paths)


class NumberReader:
    """Reads single numbers, each with its own getter; the controller checks that they are finite."""

    def __init__(self, getters: Sequence[Getter]) -> None:
        self._getters = list(getters)

    def read(self, message: Any) -> Numbers:
        """See :class:`Reader`."""
        return [get(message) for get in self._getters]


class FieldReader:
    """Reads fields of any kind: numbers, slices and reductions; replaces values that are not finite."""

    def __init__(self, kind: Kind, wanted: Sequence[WantedField]) -> None:
        self._parts: list[tuple[slice, _Number | _Slice | _Reduction]] = []
        place = 0
        for one in wanted:
            self._parts.append((slice(place, place + one.width), _make_part(kind, one)))
            place += one.width
        self._whole = np.zeros(place)

    def read(self, message: Any) -> Numbers:
        """See :class:`Reader`."""
        for places, part in self._parts:
            self._whole[places] = part.read(message)
        return self._whole


def _make_part(kind: Kind, wanted: WantedField) -> '_Number | _Slice | _Reduction':
    field, width = parse(wanted.text), wanted.width
    ways = [find_way(kind, path, whole=bool(field.reduction)) for path in field.paths]
    filler = make_filler(kind, wanted.nonfinite, field)
    if field.reduction:
        return _Reduction(field, [SliceReader(kind.name, way, None) for way in ways], filler)
    (way,) = ways
    if way.cut is None:
        return _Number(way.before, filler)
    if way.length is not None and way.length != width:
        raise ConfigError(
            f"'{field.text}' gives {way.length} values, but the policy has {width} observations for it; change the "
            'start or the stop of the slice.'
        )
    return _Slice(SliceReader(kind.name, way, width), filler)


class _Number:
    """Reads one number of a message."""

    def __init__(self, get: Getter, filler: Filler) -> None:
        self._get, self._filler = get, filler

    def read(self, message: Any) -> float:
        value = float(self._get(message))
        return value if math.isfinite(value) else float(self._filler.fill(message, np.array([value]))[0])


class _Slice:
    """Reads the numbers of a slice."""

    def __init__(self, reader: SliceReader, filler: Filler) -> None:
        self._reader, self._filler = reader, filler

    def read(self, message: Any) -> Array:
        return self._filler.fill(message, self._reader.read(message))


class _Reduction:
    """Computes the minimum, the maximum or the mean of one or several slices."""

    def __init__(self, field: Field, readers: Sequence[SliceReader], filler: Filler) -> None:
        reduce: Any = {'min': np.min, 'max': np.max, 'mean': np.mean}[field.reduction]
        self._reduce, self._readers, self._filler = reduce, readers, filler

    def read(self, message: Any) -> float:
        parts = [reader.read(message) for reader in self._readers]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return float(self._reduce(self._filler.fill(message, values)))


class KnownReader:
    """
    Reads messages, and refuses a message that declares a part unknown: its first covariance is -1 (sensor_msgs/Imu).

    Args:
        reader: reads the message.
        kind: the message type, for errors.
        parts: the parts to check, which have a covariance.
    """

    def __init__(self, reader: Reader, kind: str, parts: Sequence[str]) -> None:
        self._read, self._kind = reader.read, kind
        self._covariances = [(part, attrgetter(f'{part}{_COVARIANCE}')) for part in parts]

    def read(self, message: Any) -> Numbers:
        """See :class:`Reader`."""
        for part, covariance in self._covariances:
            if covariance(message)[0] == -1:
                raise ObservationError(
                    f'the {self._kind} has no {part}: its first covariance is -1. Use a sensor that measures it, '
                    'or another source.'
                )
        return self._read(message)
