"""A saved agent as one safetensors file: tensors, and JSON values in its header, with a checksum."""

import json
import os
import zlib
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from velora_ros.errors import PolicyFileError, SpecError
from velora_ros.policy.file_kinds import AGENT_KEY, why_no_agent
from velora_ros.training.agent_protocol import SavedAgent
from velora_ros.training.tensor_file import pieces, write_pieces
from velora_ros.utils.atomic_files import atomic_write

FORMAT_VERSION = 2


class DamagedFileError(PolicyFileError):
    """A file that should be a saved agent is another kind of file, is truncated or was changed."""


def write(path: str | os.PathLike[str], tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """
    Write a saved agent; the file is replaced as a whole or not at all.

    Args:
        path: path of the file.
        tensors: tensors by name.
        values: JSON-ready values: the constructor's ``arguments``, and in a checkpoint the state of the ``run``.

    Raises:
        StorageError: the file cannot be written; an existing file is not changed.
    """
    metadata = {'format_version': FORMAT_VERSION, 'run': None, **values, 'checksum': _checksum(tensors)}
    with atomic_write(path) as file:
        write_pieces(file, tensors, {AGENT_KEY: json.dumps(metadata)})


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """
    Read a file of :func:`write`.

    Returns:
        tensors and values, for :func:`restore`.

    Raises:
        DamagedFileError: the file is missing, damaged, or not a saved agent.
        PolicyFileError: the file has another format version.
    """
    if why := why_no_agent(path):
        raise DamagedFileError(f"saved agent '{path}': {why}")
    try:
        with safe_open(path, framework='pt') as file:
            text = (file.metadata() or {}).get(AGENT_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        metadata = json.loads(text) if text else None
    except (SafetensorError, OSError, ValueError) as error:
        raise DamagedFileError(
            f"'{path}' cannot be read ({error}); it is damaged or not a saved agent. Load another copy of it."
        ) from error
    if not isinstance(metadata, dict):
        raise DamagedFileError(f"'{path}' is a damaged saved agent; load another copy of it.")
    if metadata.get('format_version') != FORMAT_VERSION:
        raise PolicyFileError(
            f"'{path}' has the format version {metadata.get('format_version')}; this package reads {FORMAT_VERSION}. "
            'Load it with the version that wrote it.'
        )
    if metadata.get('checksum') != _checksum(tensors):
        raise DamagedFileError(
            f"'{path}' was changed after it was written, or its disk is faulty; load another copy of it."
        )
    return tensors, metadata


def restore(agent: SavedAgent, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """
    Restore an agent that was made with ``values['arguments']``.

    Raises:
        DamagedFileError: something is missing, or has the wrong shape.
    """
    try:
        agent.restore(tensors, values)
    except (KeyError, RuntimeError, ValueError, TypeError, SpecError) as error:
        reason = ' '.join(str(error).split())
        raise DamagedFileError(
            f'the saved agent is incomplete or damaged: {reason}. Load another copy of it.'
        ) from error


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    """Return a CRC over all numbers, in the order of their names."""
    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(name.encode(), checksum)
        for piece in pieces(tensors[name]):
            checksum = zlib.crc32(piece, checksum)
    return checksum
