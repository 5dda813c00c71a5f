"""
The syntax of ``observation.fields``: a number, a slice of an array, or the minimum, maximum or mean of slices.

=============================================  =========================================
``twist.twist.linear.x``                       the number at this path of the message
``ranges[0]``, ``points[0].positions[-1]``     an element of an array, indexed as in Python
``ranges[0:360]``, ``ranges[::2]``             a slice: one observation for each element
``min(ranges[0:45])``                          the smallest element; ``max`` is the largest, ``mean`` the average
``min(ranges[-20:], ranges[:20])``             the smallest element of several slices
=============================================  =========================================
"""

import re
from dataclasses import dataclass

from velora_ros.errors import ConfigError, did_you_mean

REDUCTIONS = ('min', 'max', 'mean')
EXAMPLES = "for example 'pose.position.x', 'ranges[0]', 'ranges[0:360]' or 'min(ranges[0:45])'"

Step = str | int | slice

_REDUCED = re.compile(r'\s*(\w+)\s*\((.*)\)\s*')
_STEP = re.compile(r'\.?([A-Za-z_]\w*)|\[\s*(-?\d*)\s*(?:(:)\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?)?\]')


@dataclass(frozen=True)
class Path:
    """
    The path of a number, or of the numbers in a slice, in a message.

    Args:
        text: the path as it was written.
        steps: names of fields, indices of arrays, and at most one slice.
    """

    text: str
    steps: tuple[Step, ...]

    @property
    def cut(self) -> slice | None:
        """The slice in the path; None if there is none."""
        return next((step for step in self.steps if isinstance(step, slice)), None)

    @property
    def width(self) -> int | None:
        """Number of values at the path; None if it depends on the length of the array."""
        return 1 if self.cut is None else slice_width(self.cut)


@dataclass(frozen=True)
class Field:
    """
    One entry of ``observation.fields``, without its source.

    Args:
        text: the field as it was written.
        paths: the path of the field, or several paths of which the reduction is taken.
        reduction: ``min``, ``max``, ``mean``, or ``''`` for none.
    """

    text: str
    paths: tuple[Path, ...]
    reduction: str = ''

    @property
    def width(self) -> int | None:
        """The number of observations that the field gives; None if it depends on the length of the array."""
        return 1 if self.reduction else self.paths[0].width


def parse(text: str) -> Field:
    """
    Parse a field.

    Raises:
        ConfigError: the syntax is wrong, there is no such reduction, or a slice selects nothing.
    """
    if match := _REDUCED.fullmatch(text):
        name, inside = match.groups()
        if name not in REDUCTIONS:
            raise ConfigError(f"'{text}' uses the unknown function '{name}'.{did_you_mean(name, REDUCTIONS)}")
        return Field(text, tuple(_path(part, text) for part in inside.split(',')), name)
    return Field(text, (_path(text, text),))


def width_of(text: str) -> int | None:
    """Return how many observations a field gives; None if it depends on the message, 1 if the text is not a field."""
    try:
        return parse(text).width
    except ConfigError:
        return 1


def slice_width(cut: slice) -> int | None:
    """Return how many elements a slice has in any array that is long enough; None if it depends on the length."""
    step = 1 if cut.step is None else cut.step
    if step > 0:
        start, stop = 0 if cut.start is None else cut.start, cut.stop
        if stop is None:
            return len(range(start, 0, step)) if start < 0 else None
    else:
        start = -1 if cut.start is None else cut.start
        if cut.stop is None:
            return len(range(start, -1, step)) if start >= 0 else None
        stop = cut.stop
    return len(range(start, stop, step)) if (start < 0) == (stop < 0) else None


def _path(text: str, whole: str) -> Path:
    steps: list[Step] = []
    at, text = 0, text.strip()
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (match[1] and (text[at] == '.') != bool(steps)) or (not match[1] and not steps):
            break
        steps.append(match[1] or _index(match, whole))
        at = match.end()
    if not steps or at < len(text):
        raise ConfigError(f"'{whole}' is not a field of a message; write {EXAMPLES}.")
    if sum(isinstance(step, slice) for step in steps) > 1:
        raise ConfigError(f"'{whole}' has two slices in one path; give a field for each element of the outer array.")
    return Path(text, tuple(steps))


def _index(match: re.Match[str], whole: str) -> int | slice:
    start, colon, stop, step = match.groups()[1:]
    if not colon:
        if start in ('', '-'):
            raise ConfigError(f"'{whole}' has an index without a number; write {EXAMPLES}.")
        return int(start)
    try:
        cut = slice(*(int(part) if part else None for part in (start, stop, step)))
    except ValueError as error:
        raise ConfigError(f"'{whole}' has an invalid slice; write start:stop or start:stop:step.") from error
    if cut.step == 0:
        raise ConfigError(f"'{whole}' has a slice with step 0; give another step, or omit the step.")
    if slice_width(cut) == 0:
        raise ConfigError(
            f"'{whole}' has a slice that selects nothing; its stop must be after its start. For a sector across the "
            'end of an array, give two slices, as in min(ranges[-20:], ranges[:20]).'
        )
    return cut
