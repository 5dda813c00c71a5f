"""Keywords of the environment on the command line, ``name=value``, and the values that a run can record."""

import math
import re
from typing import Any

import yaml

WITHOUT_POINT = re.compile(r'[-+]?[0-9]+[eE][-+]?[0-9]+$')
"""A number like 1e-3, which YAML 1.1 reads as text."""
PLAIN = (
    'a keyword of the environment must be text (in quotes where YAML would read something else), a finite number, '
    'true, false, null, a list, or a mapping with text as keys'
)
"""The values that a keyword of the environment may have, so that the files of a run can store it."""


class _Loader(yaml.SafeLoader):
    """A YAML loader that reads 1e-3 as a number."""


_Loader.add_implicit_resolver('tag:yaml.org,2002:float', WITHOUT_POINT, list('-+0123456789'))


def read_keyword(text: str) -> tuple[str, Any]:
    """
    Return the name and the value in ``name=value``; the value is read as YAML.

    Raises:
        ValueError: the text does not have this form, or a run cannot store the value.
    """
    name, equals, value = text.partition('=')
    if not equals or not name.strip().isidentifier():
        raise ValueError(f"'{text}' is not name=value, as in frame_skip=5")
    try:
        read = yaml.load(value, _Loader)
    except (yaml.YAMLError, ValueError) as error:  # a date that does not exist is a ValueError
        raise ValueError(f"the value of '{text}' is not valid YAML; quote it") from error
    if (wrong := not_in_json(read)) is not None:
        raise ValueError(f"the value of '{text}' is read as {wrong}; {PLAIN}")
    return name.strip(), read


def not_in_json(value: Any) -> str | None:
    """Describe the first part of a value that JSON cannot represent exactly; None if there is none."""
    if value is None or isinstance(value, bool | int | str):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else f'{value}, which is not finite'
    if isinstance(value, list):
        return next((wrong for one in value if (wrong := not_in_json(one)) is not None), None)
    if isinstance(value, dict):
        keys = [key for key in value if not isinstance(key, str)]
        return f'a mapping with the key {keys[0]!r}' if keys else not_in_json(list(value.values()))
    return f'a {type(value).__name__}'
