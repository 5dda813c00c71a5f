"""Reads and writes the policy file: tensors and JSON in one safetensors file, checked in both directions."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from velora_ros.errors import PolicyFileError, SpecError
from velora_ros.policy.file_header import FORMAT_VERSION, file_size, metadata_of, parse_header, read_header
from velora_ros.policy.file_kinds import LARGEST_HEADER, why_no_policy
from velora_ros.policy.tensor_layout import cell_of, check_tensors, check_wiring, shapes
from velora_ros.spec import PolicySpec
from velora_ros.utils.atomic_files import atomic_write
from velora_ros.utils.shipped_files import PACKAGE

SMALL_FILE = 2**18  # bytes; such a file is read and checked in a few milliseconds


@dataclass(frozen=True, eq=False)
class PolicyFile:
    """
    The content of a policy file: everything that a robot needs to run the policy, and how the policy was trained.

    :mod:`velora_ros.policy.tensor_layout` describes the tensors. They are copied, and the copies are read-only.

    Args:
        spec: the observations and actions with their names, units and bounds, and the nominal control period.
        tensors: float32 weights, already masked, and uint8 masks, by name.
        wiring: the numbers of neurons ``n_neurons``, ``inter``, ``command`` and ``motor``, the ``cell``, and the
            ``sparsity`` and ``seed`` with which the synapses were drawn.
        dt_range: shortest and longest elapsed time seen in training [s]; it includes the nominal period.
        environment: gymnasium id of the training environment; None if it has none.
        provenance: how the policy was trained and which returns it reached; anything that JSON can hold.
        converted_units: the original action units of a file whose units contained a scale (``100 N``) and were
            converted on loading; empty for other files. They are not part of the policy and are not saved.

    Raises:
        PolicyFileError: a field is missing, inconsistent or not finite; the error names it.
    """

    spec: PolicySpec
    tensors: Mapping[str, npt.NDArray[Any]]
    wiring: Mapping[str, Any]
    dt_range: tuple[float, float]
    environment: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    converted_units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_wiring(self.wiring, self.spec.action_dim)
        check_tensors(self.tensors, shapes(self.spec.observation_dim, self.wiring))
        object.__setattr__(self, 'tensors', {name: _frozen(tensor) for name, tensor in self.tensors.items()})
        object.__setattr__(self, 'dt_range', _checked_dt_range(self.dt_range, self.spec.control_period))
        for name in ('wiring', 'provenance'):
            object.__setattr__(self, name, _json_copy(name, getattr(self, name)))
        if self.environment is not None and not isinstance(self.environment, str):
            raise PolicyFileError(f"field 'environment' is {self.environment!r}; it must be a gymnasium id or null.")

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all tensors and metadata, in hex; policies with equal digests are equal."""
        return self._digest(self._metadata())

    def _digest(self, metadata: Mapping[str, Any]) -> str:
        sha = hashlib.sha256(_canonical(metadata).encode())
        for name, tensor in sorted(self.tensors.items()):
            sha.update(f'{name} {tensor.dtype.name} {tensor.shape}\n'.encode())
            sha.update(tensor.astype(tensor.dtype.newbyteorder('<'), copy=False).tobytes())
        return sha.hexdigest()

    @property
    def n_neurons(self) -> int:
        """Number of inter and command neurons."""
        return int(self.wiring['n_neurons'])

    @property
    def hidden_size(self) -> int:
        """Number of command neurons, which is the size of the hidden state."""
        return int(self.wiring['command'])

    @property
    def cell(self) -> str:
        """The cell of the command layer, a key of :data:`velora_ros.liquid.cell_registry.CELLS`."""
        return str(cell_of(self.wiring))

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write the policy file. Another process sees either the old file or the whole new file.

        Raises:
            PolicyFileError: the metadata is too large for a header.
            StorageError: the file cannot be written; the old file is unchanged.
        """
        data = self.to_bytes()
        with atomic_write(path) as file:
            file.write(data)

    def to_bytes(self) -> bytes:
        """
        Return the bytes that :meth:`save` writes.

        Raises:
            PolicyFileError: the metadata is too large for a header.
        """
        text = _canonical({**self._metadata(), 'digest': self.digest})
        if len(text) > LARGEST_HEADER // 2:  # half, because safetensors escapes every quote
            raise PolicyFileError(
                f"field 'provenance' is too large: the metadata has {len(text)} characters, but at most "
                f'{LARGEST_HEADER // 2} are possible; keep the training log in a separate file.'
            )
        return safetensors.numpy.save(dict(self.tensors), metadata={PACKAGE: text})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'PolicyFile':
        """
        Read and check a policy file.

        Raises:
            PolicyFileError: the file is missing, is not a policy file, is cut short, has a version that this package
                cannot read, or has an invalid field; the error says which.
        """
        with _named_in_errors(path):
            file_size(Path(path))
            return cls.from_bytes(Path(path).read_bytes())

    @classmethod
    def read_spec(cls, path: str | os.PathLike[str]) -> PolicySpec:
        """
        Read only the spec, which is fast for a file of any size.

        A small file is read and checked completely. Of a large file, only the header and the size are checked.

        Raises:
            PolicyFileError: as for :meth:`load`.
        """
        with _named_in_errors(path):
            if (size := file_size(Path(path))) <= SMALL_FILE:
                return cls.from_bytes(Path(path).read_bytes()).spec
            return _spec(metadata_of(parse_header(read_header(Path(path), size))))

    @classmethod
    def from_bytes(cls, data: bytes) -> 'PolicyFile':
        """
        Read and check the bytes that :meth:`to_bytes` returned.

        Raises:
            PolicyFileError: as for :meth:`load`.
        """
        metadata = metadata_of(parse_header(data))
        try:
            tensors = safetensors.numpy.load(data)
        except (SafetensorError, KeyError, ValueError) as error:
            raise PolicyFileError(f'the tensors cannot be read ({error}); copy or export the file again.') from error
        spec = _spec(metadata)
        file = cls(
            spec=spec,
            tensors=tensors,
            wiring=metadata['wiring'],
            dt_range=metadata['dt_range'],
            environment=metadata['environment'],
            provenance=metadata['provenance'],
            converted_units=_converted_units(metadata['spec'], spec),
        )
        # The digest covers the file's own spec, because the spec of a version 1 file may have been converted above.
        stored = {'format_version': metadata['format_version'], 'spec': metadata['spec']}
        if (digest := file._digest({**file._metadata(), **stored})) != metadata['digest']:
            raise PolicyFileError(
                f"field 'digest' is {str(metadata['digest'])[:12]}…, but the content has {digest[:12]}…: "
                'the file was changed after it was written; copy or export it again.'
            )
        return file

    def _metadata(self) -> dict[str, Any]:
        return {
            'format_version': FORMAT_VERSION if self.spec.is_extended else 1,
            'spec': self.spec.to_dict(),
            'wiring': self.wiring,
            'dt_range': list(self.dt_range),
            'environment': self.environment,
            'provenance': self.provenance,
        }


@contextlib.contextmanager
def _named_in_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Add the file's name to every error in the block; if the file is not a policy, the error names its kind."""
    try:
        yield
    except (OSError, PolicyFileError) as error:
        reason = (
            f'it cannot be read ({error.strerror}); check name and permissions.'
            if isinstance(error, OSError)
            else error
        )
        raise PolicyFileError(f"policy file '{os.fspath(path)}': {why_no_policy(path) or reason}") from error


def _spec(metadata: Mapping[str, Any]) -> PolicySpec:
    try:
        return PolicySpec.from_dict(metadata['spec'])
    except SpecError as error:
        raise PolicyFileError(f"field 'spec' is invalid: {error}") from error


def _converted_units(stored: Mapping[str, Any], spec: PolicySpec) -> tuple[str, ...]:
    """Return the action units of a file whose units contain a scale; empty for other files."""
    units = tuple(stored['action_units'])
    return () if units == spec.action_units else units


def _checked_dt_range(dt_range: Any, period: float) -> tuple[float, float]:
    try:
        low, high = (float(value) for value in dt_range)
    except (TypeError, ValueError) as error:
        raise PolicyFileError(f"field 'dt_range' is {dt_range!r}; it must be two times [s].") from error
    if not 0 < low <= period <= high < float('inf'):
        raise PolicyFileError(
            f"field 'dt_range' is [{low}, {high}] s; it must be positive and finite, and include the period {period} s."
        )
    return low, high


def _json_copy(name: str, value: Any) -> Any:
    try:
        return json.loads(_canonical(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise PolicyFileError(
            f"field '{name}' cannot be stored as JSON ({error}); use only text, finite numbers, lists and dictionaries."
        ) from error


def _canonical(value: Any) -> str:
    """Return a value as JSON with sorted keys, so that equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(',', ':'), allow_nan=False)


def _frozen(tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    copy: npt.NDArray[Any] = np.array(tensor, order='C', copy=True)
    copy.flags.writeable = False
    return copy
