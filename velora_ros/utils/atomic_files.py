"""Write a file atomically, so that readers never see a part of it; check in advance that it can be written."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from velora_ros.errors import ConfigError, StorageError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """
    Write a file so that a reader sees either the old content or the new content, never a part of it.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and the file is then renamed.

    Raises:
        StorageError: the folder is missing or read-only, or the disk is full; the old file is unchanged.
    """
    target = Path(path)
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f'.{target.name}.', suffix='.tmp', dir=target.parent)
        with os.fdopen(descriptor, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
        temporary = None
        _sync_folder(target.parent)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"'{target}' could not be written: {error.strerror or error}. Nothing was changed; "
            'free some space or choose an existing, writable folder.'
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def check_writable(path: Path, name: str) -> None:
    """
    Check that a file can be written, before hours of computation depend on it. Missing folders are created.

    Args:
        path: the file; an existing file is unchanged.
        name: name of the flag or parameter that contains the path, for the message.

    Raises:
        ConfigError: the path is a folder.
        StorageError: the file cannot be written.
    """
    if path.is_dir():
        raise ConfigError(
            f"{name} is '{path}', a folder; name a file in it, for example '{path / 'policy.safetensors'}'."
        )
    attempt = path.parent / f'.{path.name}.try.tmp'
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        attempt.touch()
        attempt.unlink()
    except OSError as error:
        raise StorageError(f"'{path}' cannot be written ({error.strerror}); choose a writable folder.") from error


def _umask() -> int:
    """Return the process's umask; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Flush the folder's entry; without this a power failure may lose the renamed file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
