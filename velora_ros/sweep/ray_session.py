"""Start Ray on this machine for a sweep, or connect to a cluster, and clean up afterwards."""

import contextlib
import fcntl
import importlib
import logging
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from velora_ros.errors import ConfigError, MissingDependencyError
from velora_ros.utils.dependencies import how_to_install

LONGEST_FOLDER = 20  # characters; the names of Unix sockets below it may have at most 107
OWNER = '.velora_ros'
PATIENCE_S = 5.0
OBJECT_STORE = 100 * 2**20  # bytes; nothing large goes through it
QUIET = {
    'RAY_USAGE_STATS_ENABLED': '0',
    'RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO': '0',  # otherwise Ray warns about GPUs
    'RAY_AIR_NEW_OUTPUT': '0',
    'RAY_CHDIR_TO_TRIAL_DIR': '0',
    'TUNE_DISABLE_AUTO_CALLBACK_LOGGERS': '1',  # the run folders already hold what they would write
    'TUNE_DISABLE_SIGINT_HANDLER': '1',  # this package's handler asks Tune to stop
    'TUNE_DISABLE_STRICT_METRIC_CHECKING': '1',  # a failed trial has no return
    'TUNE_WARN_THRESHOLD_S': '600',
}
LOOPBACK = {'RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER': '0'}  # despite its name: Ray then listens on 127.0.0.1 only


@contextlib.contextmanager
def ray_session(address: str | None, cpus: int | None) -> Iterator[None]:
    """
    Start Ray, or connect to a cluster, for a ``with`` block; disconnect and remove Ray's files afterwards.

    Args:
        address: address of a cluster; ``auto``: the cluster on this machine; None: start Ray here, on loopback.
        cpus: cores of this machine to use; None: all.

    Raises:
        MissingDependencyError: Ray is not installed.
        ConfigError: no Ray answers at the address, or Ray cannot be started.
    """
    os.environ.update(QUIET if address else QUIET | LOOPBACK | _own_token())  # Ray reads these when it is imported
    ray = _ray()
    if address:
        _check_answers(address)
    files, lock = (None, None) if address else _own_files()
    try:
        _init(ray, address, cpus, files)
        logging.getLogger('ray').setLevel(logging.CRITICAL)  # a failing trial reports its error itself
        yield
    finally:
        ray.shutdown()
        if files is not None:
            _remove(files)
        if lock is not None:
            os.close(lock)


def _ray() -> Any:
    try:
        importlib.import_module('ray.tune')
        return importlib.import_module('ray')
    except ImportError as error:
        raise MissingDependencyError(
            f'a sweep needs {error.name or "ray"}, which is not installed. {how_to_install("sweep")}'
        ) from error


def _init(ray: Any, address: str | None, cpus: int | None, files: Path | None) -> None:
    own = {
        'num_cpus': cpus,
        'include_dashboard': False,
        'object_store_memory': OBJECT_STORE,
        '_node_ip_address': '127.0.0.1',
        '_temp_dir': str(files),
    }
    try:
        ray.init(
            address=address or 'local', log_to_driver=False, logging_level=logging.CRITICAL, **({} if address else own)
        )
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, ray.exceptions.RayError) as error:
        why = ' '.join(str(error).split()).rstrip('.')
        if address is None:
            raise ConfigError(
                f'Ray could not be started: {why}. Correct the cause, or use a running cluster with --address.'
            ) from error
        raise ConfigError(
            f"the Ray cluster at '{address}' refuses the connection: {why}. If it needs a token, set "
            'RAY_AUTH_MODE=token and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH. '
            'Its version must equal the installed version. Or omit --address.'
        ) from error


def _own_token() -> dict[str, str]:
    """Return the settings of a token for this Ray only; without them Ray would store a token in the user's home."""
    return {'RAY_AUTH_MODE': 'token', 'RAY_AUTH_TOKEN': secrets.token_hex(32)}


def _check_answers(address: str) -> None:
    """Refuse an address at which nothing listens, because Ray would wait for many minutes."""
    if address == 'auto':
        return
    host, colon, port = address.rpartition(':')
    if not colon or not host or '/' in host or not port.isdecimal():
        raise ConfigError(f"--address is '{address}'; it must be HOST:PORT, for example 192.168.0.5:6379, or auto.")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE_S).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"no Ray cluster answers at '{address}' ({error}). Start one there (ray start --head), or omit --address."
        ) from error


def _own_files() -> tuple[Path, int]:
    """
    Make a folder for Ray's files, and remove the folders of sweeps that were killed.

    Each folder has a file that its process keeps locked. The lock ends with the process. Other containers on this
    machine see the lock too, whereas a process id would have no meaning there. A folder without such a file is left
    alone.

    Returns:
        the folder, and the descriptor that holds its lock.
    """
    usual = tempfile.gettempdir()
    parent = usual if len(usual) <= LONGEST_FOLDER else '/tmp'
    for old in Path(parent).glob('ray-*-*'):
        if _is_abandoned(old):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f'ray-{os.getpid()}-', dir=parent))
    descriptor = os.open(folder / f'{OWNER}.new', os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (folder / f'{OWNER}.new').rename(folder / OWNER)  # locked before another process can find it
    return folder, descriptor


def _is_abandoned(folder: Path) -> bool:
    """Return whether the process of a sweep's folder has ended: its lock is free."""
    try:
        descriptor = os.open(folder / OWNER, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # of another program, another user or an older version
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_uid == os.getuid()
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _remove(files: Path) -> None:
    """Remove a folder in which a terminating process may still write."""
    deadline = time.monotonic() + PATIENCE_S
    while files.exists() and time.monotonic() < deadline:
        shutil.rmtree(files, ignore_errors=True)
        time.sleep(0.1)
