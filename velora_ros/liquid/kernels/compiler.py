"""
How loops are compiled with numba, and where the machine code is kept between processes.

numba keeps machine code beside the source, or in the user's cache folder. A read-only installation without a home
directory has neither, and numba raises an error when a function is decorated. In that case a private folder in the
system's temporary folder is used. If that is not possible either, each process compiles for itself.
"""

import functools
import hashlib
import importlib
import numbers
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from velora_ros.utils.shipped_files import PACKAGE

Function = Callable[..., Any]


def jit(*signature: Any, **options: Any) -> Callable[[Function], Function]:
    """
    Return ``numba.njit`` as a decorator that stores the machine code on disk if there is a writable folder for it.

    Args:
        *signature: argument types for which to compile immediately; none: compile at the first call.
        **options: options of ``numba.njit``, without ``cache``.
    """
    numba: Any = importlib.import_module('numba')  # takes 0.5 s; a robot may run without numba

    def decorate(function: Function) -> Function:
        compiled = _cached(numba, function, options) or numba.njit(**options)(function)
        for types in signature:
            compiled.compile(types)
        if signature:
            compiled.disable_compile()
        return compiled  # type: ignore[no-any-return]

    return decorate


FASTMATH = {'reassoc', 'contract', 'arcp', 'nsz'}  # sums may be reordered; NaN and infinity keep their meaning

kernel = jit(fastmath=FASTMATH, error_model='numpy')
"""The decorator of every kernel of training."""

threaded_kernel = jit(fastmath=FASTMATH, error_model='numpy', nogil=True)
"""The decorator of kernels that run in several threads at once; it releases the GIL."""


def _cached(numba: Any, function: Function, options: dict[str, Any]) -> Any:
    """Return the function with a cache on disk; None if no folder is writable."""
    if has_home() or numba.config.CACHE_DIR:
        try:
            return _with_all_sources(numba.njit(cache=True, **options)(function), function)
        except RuntimeError:  # numba's "no locator available": no folder is writable
            pass
    if folder := temporary_folder():
        numba.config.CACHE_DIR = str(folder)
        try:
            return _with_all_sources(numba.njit(cache=True, **options)(function), function)
        except RuntimeError:
            pass
    return None


def _with_all_sources(compiled: Any, function: Function) -> Any:
    """
    Make the cache depend on everything that is compiled into a kernel's machine code.

    A kernel inlines other kernels of this folder, so their code becomes part of its machine code; global numbers become
    constants. numba compares only the file of the function itself, and would keep using old code and old numbers from
    other files.
    """
    used = ((name, function.__globals__.get(name)) for name in sorted(function.__code__.co_names))
    constants = [(name, repr(value)) for name, value in used if isinstance(value, numbers.Number)]
    file = compiled._cache._cache_file  # there is no public API for it; test_compiler.py checks that this works
    file._source_stamp = (file._source_stamp, sources_digest(), constants)
    return compiled


@functools.cache
def sources_digest() -> str:
    """Return a digest of the sources in this folder."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob('*.py')):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def has_home() -> bool:
    """Return whether there is a home directory; without one numba would create a folder ``~`` where it runs."""
    try:
        return Path.home().is_absolute()
    except RuntimeError:
        return bool(os.environ.get('XDG_CACHE_HOME') or os.environ.get('NUMBA_CACHE_DIR'))


def temporary_folder() -> Path | None:
    """
    Return a private folder of this user in the system's temporary folder; None if none can be created.

    The folder is created if necessary. A folder to which other users could write is not used, because the machine code
    in it is executed without checks.
    """
    try:
        folder = Path(tempfile.gettempdir()) / f'{PACKAGE}-compiled-{os.getuid()}'
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if is_ours and os.access(folder, os.W_OK) else None
