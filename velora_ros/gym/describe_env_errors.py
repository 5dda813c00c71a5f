"""Errors that an environment's own code raises: which count as failures, and how to describe them in one line."""

import contextlib
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FAILURES = (Exception, SystemExit)
"""Exceptions that count as a failure of an environment, SystemExit included; KeyboardInterrupt is not a failure."""


def one_line(error: BaseException) -> str:
    """Return an error's message in one line, without a full stop at its end; ``''`` if its ``__str__`` fails."""
    try:
        text = str(error)
    except Exception:  # its __str__ is foreign code too
        return ''
    return ' '.join(text.split()).rstrip('.')


def close(env: Any) -> None:
    """
    Close an environment.

    Warns:
        UserWarning: the environment's ``close`` failed; results are not affected.
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
    """Return an error's type and message in one line; without a message, its type and the line that raised it."""
    origin = error
    while type(origin.__cause__) is type(error):  # gymnasium re-raises some errors
        origin = origin.__cause__
    name, text = type(origin).__name__, one_line(origin)
    if text:
        return f'{name}: {text}'
    place = origin_of(origin)
    where = f'{Path(place.filename).name}, line {place.lineno}' if place.lineno else 'unknown place'
    return f'{name} ({where}{": " if place.line else ""}{" ".join((place.line or "").split())})'


def origin_of(error: BaseException) -> traceback.FrameSummary:
    """Return the line of code that raised an error."""
    places = traceback.extract_tb(error.__traceback__)
    return places[-1] if places else traceback.FrameSummary('', 0, '')


def places_of(error: BaseException) -> list[traceback.FrameSummary]:
    """Return all lines of code in the tracebacks of an error and of its causes."""
    return [place for one in with_causes(error) for place in traceback.extract_tb(one.__traceback__)]


def missing_module(error: BaseException) -> str:
    """Return the name of the missing module that caused an error; ``''`` if the cause is something else."""
    names = [one.name for one in with_causes(error) if isinstance(one, ModuleNotFoundError) and one.name]
    return names[-1] if names else ''


def with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, the newest first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
