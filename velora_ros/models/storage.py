"""A whole agent as one safetensors file: networks, targets, optimisers, random states, counters, perhaps the replay."""

import json
import os
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from velora_ros.errors import PolicyFileError, SpecError
from velora_ros.models.agent import DDPGAgent
from velora_ros.policy.file_kinds import AGENT_KEY, why_no_agent
from velora_ros.utils.atomic_files import atomic_write

FORMAT_VERSION = 2


class DamagedFileError(PolicyFileError):
    """What was given as a saved agent is none, is cut short or was changed."""


def save(
    path: str | os.PathLike[str],
    learner: DDPGAgent,
    arguments: dict[str, Any],
    *,
    buffer: bool,
    run: tuple[Mapping[str, Tensor], Mapping[str, Any]] | None = None,
) -> None:
    """
    Write an agent; the file appears whole or not at all.

    Args:
        path: where to.
        learner: what to save.
        arguments: the JSON-ready constructor arguments that rebuild it.
        buffer: whether the replay goes with it.
        run: tensors, by names that start with ``run.``, and JSON-ready values of the run that it belongs to.

    Raises:
        StorageError: the file cannot be written; an older one of that name is untouched.
    """
    tensors, values = learner.state(buffer=buffer)
    metadata = {
        'format_version': FORMAT_VERSION,
        'arguments': arguments,
        **values,
        'run': None if run is None else run[1],
    }
    tensors |= {} if run is None else run[0]
    copies = {name: value.detach().cpu().clone() for name, value in tensors.items()}  # none may share memory
    metadata['checksum'] = _checksum(copies)
    data = to_bytes(copies, metadata={AGENT_KEY: json.dumps(metadata)})
    with atomic_write(path) as file:
        file.write(data)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """
    Read a file of :func:`save`.

    Returns:
        metadata and tensors, for :func:`restore`.

    Raises:
        PolicyFileError: the file is missing, is no saved agent, is damaged, or of another format version.
    """
    if why := why_no_agent(path):
        raise DamagedFileError(f"saved agent '{path}': {why}")
    try:
        with safe_open(path, framework='pt') as file:
            text = (file.metadata() or {}).get(AGENT_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        metadata = json.loads(text) if text else None
    except (SafetensorError, OSError, ValueError) as error:
        raise DamagedFileError(
            f"'{path}' cannot be read ({error}); it is damaged or no saved agent. Load another copy of it."
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
            f"'{path}' was changed after it was written, or its disk is bad; load another copy of it."
        )
    return metadata, tensors


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    """Return a CRC over all numbers, in the order of their names."""
    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(np.ascontiguousarray(tensors[name].numpy()).data, zlib.crc32(name.encode(), checksum))
    return checksum


def restore(learner: DDPGAgent, metadata: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """
    Put everything back into a learner that was built from the file's arguments.

    Raises:
        PolicyFileError: a tensor is missing, or of the wrong shape.
    """
    try:
        learner.restore(tensors, metadata)
    except (KeyError, RuntimeError, ValueError, TypeError, SpecError) as error:
        reason = ' '.join(str(error).split())
        raise DamagedFileError(
            f'the saved agent is incomplete or damaged: {reason}. Load another copy of it.'
        ) from error
