"""Write lines to standard output or standard error, even if these are closed, full or no longer read."""

import contextlib
import os
import sys
from typing import Any


def write_line(line: str | bytes, *, error: bool = False) -> bool:
    """
    Write a line to standard output. If that is closed or full, the line is lost and nothing else happens.

    Args:
        line: the line, without a newline at its end.
        error: write to standard error instead.

    Returns:
        whether later lines can still be read: False after the reader of a pipe has closed it, as ``| head`` does.
    """
    stream: Any = sys.stderr if error else sys.stdout
    if stream is None:  # it was closed before this process began
        return True
    try:
        if isinstance(line, bytes):
            stream.buffer.write(line + b'\n')
        else:
            stream.write(f'{line}\n')
        stream.flush()
    except OSError as reason:
        forget_unwritten(stream)
        return not isinstance(reason, BrokenPipeError)
    return True


def forget_unwritten(stream: Any) -> None:
    """Drop output that a standard stream could not write; otherwise Python would fail in its last flush."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # not a real file, or closed (None)
        number = stream.fileno()
        kept, nowhere = os.dup(number), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, number)
            stream.flush()
        finally:
            os.dup2(kept, number)
            os.close(kept)
            os.close(nowhere)
