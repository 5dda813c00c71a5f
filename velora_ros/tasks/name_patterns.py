"""Names of joints, bodies and geoms in a model: patterns that select them, and numbers given per pattern."""

import fnmatch
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from velora_ros.errors import TaskError, did_you_mean

PerName = float | Mapping[str, float]
"""A number for all names, or one for each pattern; the first pattern that matches a name counts."""


def fits(pattern: str, name: str) -> bool:
    """Return whether a pattern selects a name: with ``*`` or ``?`` as for file names, else as a part of the name."""
    return fnmatch.fnmatchcase(name, pattern) if set(pattern) & set('*?[') else pattern in name


def select(pattern: str, names: Sequence[str], kind: str, term: str = '') -> list[str]:
    """
    Return the names that a pattern selects, in the model's order; if a name equals the pattern, only that name.

    Args:
        pattern: a name, a part of names, or a pattern with ``*``.
        names: all names of that kind in the model.
        kind: the kind of object, for the message.
        term: the term that uses the pattern, for the message.

    Raises:
        TaskError: the pattern selects nothing.
    """
    if pattern in names:
        return [pattern]
    found = [name for name in names if name and fits(pattern, name)]
    if not found:
        raise unknown(pattern, names, kind, term)
    return found


def unknown(name: str, names: Sequence[str], kind: str, term: str = '') -> TaskError:
    """Return the error for a name that the model does not have."""
    asked = f'{term}: ' if term else ''
    named = [one for one in names if one and '/geom' not in one]  # without the names that this package gave
    return TaskError(f"{asked}there is no {kind} '{name}' in the model.{did_you_mean(name, named)}")


def values(given: PerName, names: Sequence[str], what: str) -> npt.NDArray[np.float64]:
    """
    Return a number for each name, shape (names,).

    Raises:
        TaskError: a name has no number, a pattern matches no name, or a number is not finite.
    """
    if not isinstance(given, Mapping):
        given = {'*': given}
    for pattern, value in given.items():
        if pattern != '*' and not any(pattern == name or fits(pattern, name) for name in names):
            raise TaskError(f"{what}: '{pattern}' matches no joint.{did_you_mean(pattern, names)}")
        if not np.isfinite(value):
            raise TaskError(f"{what} of '{pattern}' is {value}; it must be a finite number.")
    found = []
    for name in names:
        first = given.get(name, next((value for pattern, value in given.items() if fits(pattern, name)), None))
        if first is None:
            raise TaskError(f"{what} has no number for the joint '{name}'; add '*' for all other joints.")
        found.append(float(first))
    return np.array(found)


def narrowed(
    given: Mapping[str, tuple[float, float]],
    names: Sequence[str],
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    what: str,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """
    Return the lowest and the highest value for each name, shape (names,) each: given by a pattern, else the model's.

    Raises:
        TaskError: a pattern selects no name, or its range is empty or not within the model's range.
    """
    low, high = low.copy(), high.copy()
    for pattern, (lowest, highest) in given.items():
        chosen = np.array([pattern == name or fits(pattern, name) for name in names])
        if not chosen.any():
            raise TaskError(f"{what}: '{pattern}' matches no joint.{did_you_mean(pattern, names)}")
        widest = float(low[chosen].max()), float(high[chosen].min())
        if not widest[0] <= lowest < highest <= widest[1]:
            raise TaskError(
                f"{what} of '{pattern}' are ({lowest:g}, {highest:g}); give (lower, upper) within the "
                f"model's range, ({widest[0]:g}, {widest[1]:g})."
            )
        low[chosen], high[chosen] = lowest, highest
    return low, high
