"""Errors of other people's code, an environment's for one, in one sentence."""

import contextlib
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FAILURES = (Exception, SystemExit)
"""What other people's code may raise when it fails: some call ``sys.exit``. KeyboardInterrupt is not a failure."""


def one_line(error: BaseException) -> str:
    """Return an error's message in one line, without a full stop at its end; ``''`` where it cannot be had."""
    try:
        text = str(error)
    except Exception:  # its __str__ is somebody else's code too
        return ''
    return ' '.join(text.split()).rstrip('.')


def close(env: Any) -> None:
    """
    Close an environment.

    Warns:
        UserWarning: its ``close`` fails; what was done in it stays.
    """
    try:
        env.close()
    except FAILURES as error:
        warnings.warn(f'the environment could not be closed ({described(error)}); nothing is lost.', stacklevel=3)


@contextlib.contextmanager
def closing(env: Any) -> Iterator[Any]:
    """Yield an environment and close it at the end, as :func:`close` does."""
    try:
        yield env
    finally:
        close(env)


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
