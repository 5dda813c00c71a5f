"""Errors of other people's code, an environment's for one, in one sentence."""

import traceback
from collections.abc import Iterator
from pathlib import Path


def one_line(error: BaseException) -> str:
    """Return an error's message in one line, without a full stop at its end."""
    return ' '.join(str(error).split()).rstrip('.')


def described(error: BaseException) -> str:
    """Return an error's type and message in one line; where it has no message, the line of code that raised it."""
    origin = error
    while type(origin.__cause__) is type(error):  # gymnasium raises some errors a second time
        origin = origin.__cause__
    name, text = type(origin).__name__, one_line(origin)
    if text:
        return f'{name}: {text}'
    place = origin_of(origin)
    where = f'{Path(place.filename).name}, line {place.lineno}' if place.lineno else 'unknown place'
    return f'{name} ({where}{": " if place.line else ""}{" ".join((place.line or "").split())})'


def origin_of(error: BaseException) -> traceback.FrameSummary:
    """Return the place that raised an error."""
    places = traceback.extract_tb(error.__traceback__)
    return places[-1] if places else traceback.FrameSummary('', 0, '')


def places_of(error: BaseException) -> list[traceback.FrameSummary]:
    """Return every place that an error, and the errors that caused it, went through."""
    return [place for one in with_causes(error) for place in traceback.extract_tb(one.__traceback__)]


def missing_module(error: BaseException) -> str:
    """Return the module whose absence caused an error; ``''`` where it was something else."""
    names = [one.name for one in with_causes(error) if isinstance(one, ModuleNotFoundError) and one.name]
    return names[-1] if names else ''


def with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what caused it, the newest first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
