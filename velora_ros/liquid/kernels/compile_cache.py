"""
Where compiled machine code is kept between processes.

numba keeps it beside the source, or in the user's cache folder. On a read-only installation without a home there is
neither, and numba raises where a function is decorated. Then a private folder below the system's temporary one is
taken; without that either, each process compiles for itself.
"""

import importlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from velora_ros.utils import PACKAGE

Function = Callable[..., Any]


def jit(*signature: Any, **options: Any) -> Callable[[Function], Function]:
    """
    Return ``numba.njit`` as a decorator that keeps the machine code on disk where there is a place.

    Args:
        *signature: of the arguments, if it is to compile at once.
        **options: of ``numba.njit``, without ``cache``.
    """
    numba: Any = importlib.import_module('numba')  # it takes 0.5 s, and a robot may do without

    def decorate(function: Function) -> Function:
        if has_home() or numba.config.CACHE_DIR:
            try:
                return cast('Function', numba.njit(*signature, cache=True, **options)(function))
            except RuntimeError:  # numba's "no locator available": nowhere to write
                pass
        if folder := temporary_folder():
            numba.config.CACHE_DIR = str(folder)
            try:
                return cast('Function', numba.njit(*signature, cache=True, **options)(function))
            except RuntimeError:
                pass
        return cast('Function', numba.njit(*signature, **options)(function))

    return decorate


def has_home() -> bool:
    """Return whether there is a home; without one numba would make a folder called ``~`` in the working directory."""
    try:
        return Path.home().is_absolute()
    except RuntimeError:
        return bool(os.environ.get('XDG_CACHE_HOME') or os.environ.get('NUMBA_CACHE_DIR'))


def temporary_folder() -> Path | None:
    """
    Return a folder of this user's alone below the temporary one, made if need be; None where there cannot be one.

    One that somebody else could write into is not used: machine code is run as it is.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f'{PACKAGE}-compiled-{os.getuid()}'
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if is_ours and os.access(folder, os.W_OK) else None
