"""
Write tensors as a safetensors file piece by piece.

The safetensors library would hold a copy of all tensors and of the whole file in memory, 1.3 GB for a replay of 460 MB,
and write it at once; in one run beside a robot, that held up all processes for a fifth of a second. Here nothing is
copied, and each piece is on the disk before the next one is written. The library reads the file.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import IO

import numpy as np
import torch
from torch import Tensor

PIECE = 8 * 2**20
"""Number of bytes to write before waiting for the disk."""

_KINDS = {
    torch.float64: 'F64', torch.float32: 'F32', torch.float16: 'F16', torch.int64: 'I64', torch.int32: 'I32',
    torch.int16: 'I16', torch.int8: 'I8', torch.uint64: 'U64', torch.uint32: 'U32', torch.uint16: 'U16',
    torch.uint8: 'U8', torch.bool: 'BOOL',
}  # fmt: skip
"""The types that torch, numpy and safetensors have in common, with the name in safetensors."""


def write_pieces(file: IO[bytes], tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """
    Write tensors in the format of safetensors.

    Args:
        file: an open file on a disk.
        tensors: tensors by name, on any device, of a type that numpy knows; they may share memory.
        metadata: text by name, stored in the header.
    """
    ordered = sorted(tensors.items(), key=lambda one: (-one[1].element_size(), one[0]))  # so that each is aligned
    file.write(_header(ordered, metadata))
    for _, tensor in ordered:
        for piece in pieces(tensor):
            file.write(piece)
            if len(piece) == PIECE:
                file.flush()
                os.fsync(file.fileno())


def pieces(tensor: Tensor) -> Iterator[memoryview]:
    """Yield the bytes of a tensor in order, a piece at a time."""
    whole = np.ascontiguousarray(tensor.detach().cpu().numpy()).reshape(-1).view(np.uint8).data
    for start in range(0, len(whole), PIECE):
        yield whole[start : start + PIECE]


def _header(ordered: list[tuple[str, Tensor]], metadata: Mapping[str, str]) -> bytes:
    """Return the size of the header in eight bytes and the header: names, types, shapes and offsets as JSON."""
    fields: dict[str, object] = {'__metadata__': dict(metadata)}
    end = 0
    for name, tensor in ordered:
        begin, end = end, end + tensor.numel() * tensor.element_size()
        fields[name] = {'dtype': _KINDS[tensor.dtype], 'shape': list(tensor.shape), 'data_offsets': [begin, end]}
    text = json.dumps(fields).encode()
    text += b' ' * (-len(text) % 8)  # so that the data begins at a multiple of eight bytes
    return len(text).to_bytes(8, 'little') + text
