"""Small helpers that every room may use: seeds, devices, files, output, signals, shipped data. It loads no torch."""

import contextlib
import functools
import os
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from velora_ros.errors import ConfigError, MissingDependencyError, StorageError

if TYPE_CHECKING:
    import torch

PACKAGE = 'velora_ros'


EXTRAS = {
    'train': ('torch', 'gymnasium[torch]', 'matplotlib', 'tensorboardX', 'threadpoolctl', 'tqdm'),
    'render': ('imageio-ffmpeg',),
    'onnx': ('onnx',),
    'sweep': ('ray[tune]',),
}
"""What setup.py's extras install: no index has this package, so that people name these."""


def how_to_install(extra: str) -> str:
    """Return the sentence that says how to install what an extra needs; it is right in a clone and in a workspace."""
    words = ' '.join(f"'{name}'" if '[' in name else name for name in EXTRAS[extra])
    return f'Install it into the environment that runs this: pip install {words}.'


def _import_torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            f'torch is not installed and training needs it. {how_to_install("train")}'
        ) from error
    return torch


def set_seed(value: int) -> None:
    """
    Seed Python's, numpy's and torch's global random generators.

    Args:
        value: the seed, 0 to 2**32 - 1.

    Raises:
        ConfigError: the seed is no integer of that range.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value < 2**32:
        raise ConfigError(f'the seed is {value!r}; it must be an integer from 0 to {2**32 - 1}.')
    random.seed(int(value))
    np.random.seed(int(value))  # noqa: NPY002 - user code and gymnasium environments may draw from the global generator
    _import_torch().manual_seed(int(value))


def set_device(device: 'str | torch.device' = 'auto') -> 'torch.device':
    """
    Return the torch device to compute on.

    Args:
        device: ``auto`` takes ``cuda:0`` if there is one, else ``cpu``; or one of these names, or torch's device.

    Raises:
        ConfigError: it is something else, or this machine has no such device; the message lists what it has.
    """
    library = _import_torch()
    count = library.cuda.device_count() if library.cuda.is_available() else 0
    if isinstance(device, str) and device == 'auto':
        device = 'cuda:0' if count else 'cpu'
    try:
        chosen: torch.device = library.device(device)
    except (RuntimeError, TypeError, ValueError, AttributeError):
        raise ConfigError(f'the device is {device!r}, which torch does not know; {_valid_devices(count)}') from None
    if chosen.type not in ('cpu', 'cuda'):
        raise ConfigError(
            f"the device is '{device}'; training runs on the processor or with CUDA only; {_valid_devices(count)}"
        )
    if (chosen.index or 0) >= (count if chosen.type == 'cuda' else 1):
        number = {0: 'no CUDA device', 1: 'one CUDA device'}.get(count, f'{count} CUDA devices')
        missing = f'torch sees {number} here' if chosen.type == 'cuda' else 'the processor is one device'
        raise ConfigError(f"the device is '{device}', but {missing}; {_valid_devices(count)}")
    return chosen


def _valid_devices(n_cuda: int) -> str:
    """Return the sentence's end that lists what is valid on this machine."""
    names = ["'auto'", "'cpu'", *(["'cuda'"] if n_cuda else []), *(f"'cuda:{number}'" for number in range(n_cuda))]
    return f'valid here are {", ".join(names)}.'


_say_slow: list[Callable[[str], object]] = []


@contextlib.contextmanager
def listen_to_slow_steps(say: Callable[[str], object]) -> Iterator[None]:
    """Have ``say`` called with the sentence of each :func:`slow_step` that takes long, instead of standard error."""
    _say_slow.append(say)
    try:
        yield
    finally:
        _say_slow.remove(say)


@contextlib.contextmanager
def slow_step(text: str, after: float = 1.5) -> Iterator[None]:
    """
    Say what the process is doing if the block takes longer than ``after`` [s]; a quick one says nothing.

    The sentence goes to the listener (:func:`listen_to_slow_steps`), from another thread, else to standard error.
    """

    def say() -> None:
        (_say_slow[-1] if _say_slow else functools.partial(write_line, error=True))(text)

    timer = threading.Timer(after, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """
    Write a file so that a reader sees the old one or the new one whole, never a part.

    The bytes go to a temporary name in the same folder, are flushed to the disk, and the file is then renamed.

    Raises:
        StorageError: the folder is missing or read-only, or the disk is full; the old file is untouched.
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
    Find out before hours of work that their file cannot be written; missing folders are made.

    Args:
        path: the file; an older one is untouched.
        name: of the flag or parameter that says where it goes.

    Raises:
        ConfigError: it is a folder.
        StorageError: it cannot be written.
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


def write_line(line: str | bytes, *, error: bool = False) -> bool:
    """
    Write a line to standard output; where that is closed or full, this line is lost, and nothing else.

    Args:
        line: without its end.
        error: to standard error instead.

    Returns:
        whether lines may still be read: False once the reader has gone, as after ``| head``.
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
    """Forget what a standard stream could not write: Python would try it again, and fail with its last flush."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # what is no file has no number; closed is None
        number = stream.fileno()
        kept, nowhere = os.dup(number), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, number)
            stream.flush()
        finally:
            os.dup2(kept, number)
            os.close(kept)
            os.close(nowhere)


def ending_signals() -> tuple[signal.Signals, ...]:
    """
    Return the signals that ask this process to end in order.

    A closed terminal, or a lost connection to a robot, sends SIGHUP; under ``nohup`` that is ignored, and stays so.
    """
    hangs_up = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hangs_up else ()))


def _umask() -> int:
    """Return the process's umask; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Flush the folder's entry, without which a renamed file may be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def share_path(*parts: str) -> Path:
    """
    Return the path of a file that ships with the package (``config``, ``policies``, ``launch``).

    In a source tree this is the tree itself; once installed it is ``share/velora_ros`` under a prefix of
    ``AMENT_PREFIX_PATH`` or under Python's own. The first that has it wins; without any, the first candidate.
    """
    source = Path(__file__).resolve().parents[1]
    roots = [source] if (source / 'package.xml').is_file() else []
    prefixes = [*filter(None, os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)), sys.prefix]
    roots += [Path(prefix) / 'share' / PACKAGE for prefix in prefixes]
    candidates = [root.joinpath(*parts) for root in roots]
    return next((path for path in candidates if path.exists()), candidates[0])
