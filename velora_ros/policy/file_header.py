"""
Reads the header of a policy file, and checks the version and the fields of its metadata.

A safetensors file consists of the length of the header (8 bytes), the header (JSON), and the bytes of the tensors. The
header's ``__metadata__`` has this package's own JSON under the key ``velora_ros``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from velora_ros.errors import PolicyFileError
from velora_ros.policy.file_kinds import LARGEST_HEADER
from velora_ros.utils.shipped_files import PACKAGE

FORMAT_VERSION = 2
"""The newest version. A policy without the fields of version 2 is written as version 1, for older releases."""
LARGEST_FILE = 2**30  # bytes; a policy of 4,000 neurons has 100 MB


def file_size(path: Path) -> int:
    """
    Return the size of a file in bytes.

    Raises:
        PolicyFileError: the file is missing, too large, a folder or a device, so it cannot be a policy file.
    """
    if path.is_dir():
        raise PolicyFileError('this is a folder; give the .safetensors file itself.')
    if not path.exists():
        raise PolicyFileError(
            "there is no such file; give the path of a shipped policy or train one with 'velora_ros train'."
        )
    if not path.is_file():
        raise PolicyFileError('this is a device or a pipe; give a .safetensors file.')
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise PolicyFileError(f'it has {size} bytes, but a policy file has at most {LARGEST_FILE}; give a policy file.')
    return size


def read_header(path: Path, size: int) -> bytes:
    """
    Return the bytes of a file up to the end of its header, after checking the file's size against the header.

    Args:
        path: the file.
        size: the size of the file in bytes.

    Raises:
        PolicyFileError: the file is too short, or has no valid header.
        OSError: the file cannot be read.
    """
    with path.open('rb') as file:
        start = file.read(8)
        data = start + file.read(min(int.from_bytes(start, 'little'), LARGEST_HEADER))
    tensors = [
        entry for name, entry in parse_header(data).items() if name != '__metadata__' and isinstance(entry, dict)
    ]
    ends = [entry['data_offsets'][1] for entry in tensors if isinstance(entry.get('data_offsets'), list)]
    if ends and size < len(data) + max(ends):
        raise PolicyFileError(
            f'it is cut short: {size} bytes instead of {len(data) + max(ends)}; copy or export it again.'
        )
    return data


def parse_header(data: bytes) -> dict[str, Any]:
    """
    Return the header of a file, which begins with ``data``, as a dictionary.

    Raises:
        PolicyFileError: the bytes are cut short, or do not begin with a valid header.
    """
    size = int.from_bytes(data[:8], 'little')
    if len(data) < 8:
        raise PolicyFileError(f'it is cut short: {len(data)} bytes; copy or export it again.')
    if size > LARGEST_HEADER:
        raise PolicyFileError(
            f'its header claims {size} bytes, but at most {LARGEST_HEADER} are valid; give a safetensors file.'
        )
    if size > len(data) - 8:
        raise PolicyFileError(f'it is cut short within its header ({len(data)} bytes); copy or export it again.')
    try:
        header = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise PolicyFileError(f'its header is not JSON ({error}); give a safetensors file.') from error
    if not isinstance(header, dict):
        raise PolicyFileError('its header is not a JSON object; give a safetensors file.')
    return header


def metadata_of(header: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the policy's metadata from the header of its file.

    Raises:
        PolicyFileError: the metadata is missing, has a version that this package cannot read, or lacks a field.
    """
    container = header.get('__metadata__')
    if not isinstance(container, dict) or not isinstance(container.get(PACKAGE), str):
        raise PolicyFileError(f"it has no '{PACKAGE}' metadata, so it is not a policy; give a policy file.")
    try:
        metadata = json.loads(container[PACKAGE])
    except (ValueError, RecursionError) as error:
        raise PolicyFileError(f'its metadata is not JSON ({error}); copy or export it again.') from error
    if not isinstance(metadata, dict):
        raise PolicyFileError('its metadata is not a JSON object; copy or export it again.')
    _check_version(metadata.get('format_version'))
    for name in ('spec', 'wiring', 'dt_range', 'environment', 'provenance', 'digest'):
        if name not in metadata:
            raise PolicyFileError(f"field '{name}' is missing; copy or export it again.")
    for name in ('spec', 'wiring', 'provenance'):
        if not isinstance(metadata[name], dict):
            raise PolicyFileError(f"field '{name}' is {metadata[name]!r}; it must be a JSON object.")
    return metadata


def _check_version(version: Any) -> None:
    if isinstance(version, bool) or version not in range(1, FORMAT_VERSION + 1):
        newer = isinstance(version, int) and version > FORMAT_VERSION
        advice = f'update {PACKAGE}' if newer else 'export the policy again'
        raise PolicyFileError(
            f"field 'format_version' is {version!r}; this version of {PACKAGE} reads 1 to {FORMAT_VERSION}: {advice}."
        )
