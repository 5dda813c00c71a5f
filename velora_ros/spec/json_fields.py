"""Convert frozen dataclasses to JSON-ready dictionaries and back; fields with their default value are omitted."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, get_args, get_origin, get_type_hints

from velora_ros.errors import SpecError


def to_json(value: Any) -> dict[str, Any]:
    """Return a dataclass as a dictionary of Python's built-in types; a field with its default value is omitted."""
    return {
        item.name: _plain(getattr(value, item.name))
        for item in fields(value)
        if item.default is MISSING or getattr(value, item.name) != item.default
    }


def from_json(kind: type[Any], data: Any, where: str) -> Any:
    """
    Build a dataclass from the output of :func:`to_json`.

    Args:
        kind: the dataclass; its fields are strings, numbers, booleans, other dataclasses, or tuples of one of these.
        data: the dictionary.
        where: the name of the value, for error messages.

    Raises:
        SpecError: a field is missing, unknown or of the wrong type.
    """
    if not isinstance(data, Mapping):
        raise SpecError(f'{where} is {data!r}; it must be an object with the fields of {kind.__name__}.')
    known = {item.name: item for item in fields(kind)}
    if unknown := sorted(data.keys() - known.keys()):
        raise SpecError(f'{where} has the unknown field {unknown[0]}; the known fields are {", ".join(known)}.')
    if missing := [name for name, item in known.items() if item.default is MISSING and name not in data]:
        raise SpecError(f'{where} lacks {", ".join(missing)}; give every field that has no default.')
    hints = get_type_hints(kind)
    return kind(**{name: _converted(hints[name], value, f'{where}.{name}') for name, value in data.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return to_json(value) if hasattr(value, '__dataclass_fields__') else value


def _converted(hint: Any, value: Any, where: str) -> Any:
    if get_origin(hint) is tuple:
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise SpecError(f'{where} is {value!r}; it must be a list.')
        return tuple(_converted(get_args(hint)[0], one, where) for one in value)
    if hasattr(hint, '__dataclass_fields__'):
        return from_json(hint, value, where)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint):
        raise SpecError(f'{where} is {value!r}; it must be {_WORDS[hint]}.')
    return value


_WORDS = {str: 'a string', float: 'a number', bool: 'true or false', int: 'an integer'}
