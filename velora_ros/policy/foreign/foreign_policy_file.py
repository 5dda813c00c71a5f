"""Reads a foreign policy: the model and its description; :class:`OnnxFile` has the role of ``PolicyFile``."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from velora_ros.errors import PolicyFileError, SpecError
from velora_ros.policy.file_kinds import LEAPP, ONNX, identify
from velora_ros.policy.foreign.description import Description, load_description
from velora_ros.policy.foreign.foreign_spec import Described, described, missing
from velora_ros.policy.foreign.leapp_bundle import read_bundle
from velora_ros.policy.foreign.metadata import mjlab_description, own_spec
from velora_ros.policy.foreign.onnx_model_checks import LARGEST_MODEL, one_sentence, parse
from velora_ros.policy.foreign.tensor_roles import Roles, find_roles
from velora_ros.spec import PolicySpec

if TYPE_CHECKING:
    import onnx

ENDING = '.onnx'


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """
    An ONNX model that is a policy.

    Args:
        name: name of the model's file.
        spec: observations, actions and contract.
        model: the bytes of the model.
        roles: the roles of the model's inputs and outputs.
        dt_range: shortest and longest elapsed time in training [s], to which the network's input is clamped.
        widths: number of entries of each term of the observation.
        history: number of frames that the network reads of each term.
        terms: name of each term.
        input_low: lower limit to which each entry is clipped, after its scale; empty if entries are not clipped.
        input_high: upper limit to which each entry is clipped, after its scale; empty if entries are not clipped.
        action_clip: lowest and highest output of the network, to which outputs are clipped; None if they are not.
        start: start values of the hidden state; empty if all are zero.
        digest: SHA-256 over model and description, in hex.
        environment: None, because the training environment is not known.
        provenance: empty, because it is not known how the policy was trained.
        converted_units: empty, because no unit is converted.
    """

    name: str
    spec: PolicySpec
    model: bytes
    roles: Roles
    dt_range: tuple[float, float]
    widths: tuple[int, ...]
    history: tuple[int, ...]
    terms: tuple[str, ...]
    input_low: tuple[float, ...] = ()
    input_high: tuple[float, ...] = ()
    action_clip: tuple[float, float] | None = None
    start: tuple[float, ...] = ()
    digest: str = ''
    environment: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    converted_units: tuple[str, ...] = ()

    @property
    def cell(self) -> str:
        """``onnx``, the name of the engine, in place of a cell."""
        return 'onnx'

    @property
    def hidden_size(self) -> int:
        """Number of entries of the network's hidden state."""
        return self.roles.hidden_size

    @property
    def described_terms(self) -> str:
        """The terms with their numbers of entries and frames, such as ``joint_pos 12 x 3``."""
        each = zip(self.terms, self.widths, self.history, strict=True)
        return ', '.join(f'{term} {width}{f" x {frames}" if frames > 1 else ""}' for term, width, frames in each)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'OnnxFile':
        """
        Read and check an ONNX model or a LEAPP bundle, and its description; the model is not run.

        Raises:
            MissingDependencyError: onnx is not installed.
            PolicyFileError: a file is missing, damaged or not suitable for a policy; the error says which.
        """
        try:
            return _load(Path(path))
        except (OSError, PolicyFileError, SpecError) as error:
            unread = f'it cannot be read ({getattr(error, "strerror", "")}); check name and permissions'
            reason = unread if isinstance(error, OSError) else error
            raise PolicyFileError(f"policy file '{os.fspath(path)}': {one_sentence(reason)}") from error


def is_foreign(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is an ONNX model, by its content or its name, or the YAML file of a LEAPP bundle."""
    return Path(path).suffix.lower() == ENDING or identify(path).kind in (ONNX, LEAPP)


def is_bundle(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is the YAML file of a LEAPP bundle."""
    return identify(path).kind == LEAPP


def read_model(path: Path) -> tuple[bytes, 'onnx.ModelProto']:
    """
    Return the bytes of an ONNX model, and the model, after the checks of untrusted models.

    Raises:
        MissingDependencyError: onnx is not installed.
        PolicyFileError: the file does not exist, or is not an ONNX model that passes the checks.
        OSError: the file cannot be read.
    """
    found = identify(path)
    if found.kind != ONNX:
        raise PolicyFileError(f'this is {found.text}, not an ONNX model; give an .onnx file')
    with path.open('rb') as file:
        data = file.read(LARGEST_MODEL + 1)
    return data, parse(data)


def description_path(path: Path) -> Path:
    """Return the path of the description of an ONNX model, or of a LEAPP bundle."""
    return path.with_suffix('.description.yaml' if is_bundle(path) else '.yaml')


def description_of(path: Path, said: Description) -> Description:
    """
    Return the description file of a model; its empty fields are taken from ``said``, the model's own metadata.

    Raises:
        PolicyFileError: the description is invalid, or is not a file in the model's folder.
        OSError: the description cannot be read.
    """
    beside = description_path(path)
    if not beside.exists():
        return said
    # Permission for the model covers its folder, but not the targets of links in it.
    if not beside.is_file() or beside.resolve().parent not in (path.parent.resolve(), path.resolve().parent):
        raise PolicyFileError(f"its description '{beside.name}' must be a file in the same folder, not a link")
    return load_description(beside).over(said)


def _load(path: Path) -> OnnxFile:
    if is_bundle(path):
        return _load_bundle(path)
    data, model = read_model(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    own = own_spec(metadata)
    sha = hashlib.sha256(data)
    if own is not None:
        spec, dt_range = own
        width = spec.observation_dim
        return OnnxFile(
            path.name, spec, data, find_roles(model), dt_range, (width,), (1,), ('observation',), digest=sha.hexdigest()
        )
    description = description_of(path, mjlab_description(metadata))
    _check_nothing_is_missing(path, missing(description))
    names = description.tensors
    roles = find_roles(
        model, observation=names.observation, action=names.action, dt=names.dt,
        states={one.input: one.output for one in names.states},
    )  # fmt: skip
    sha.update(repr(description).encode())
    return _of(path.name, described(description, path.stem), data, roles, sha.hexdigest())


def _load_bundle(path: Path) -> OnnxFile:
    bundle = read_bundle(path)
    description = description_of(path, bundle.description)
    # The targets are positions, not offsets from a pose, but the robot needs a pose before the policy takes over.
    pose = ['the default positions of the joints'] if not description.default_positions else []
    _check_nothing_is_missing(path, pose + missing(description))
    roles = find_roles(bundle.model, observation=bundle.observation, action=bundle.action, states=bundle.states)
    digest = hashlib.sha256(f'{bundle.digest} {description!r}'.encode()).hexdigest()
    found = _of(path.name, described(description, path.stem), bundle.data, roles, digest)
    return replace(found, start=bundle.start)


def _check_nothing_is_missing(path: Path, lacking: Sequence[str]) -> None:
    if lacking:
        beside = description_path(path)
        how = (
            f"set them in '{beside.name}'" if beside.exists()
            else f"draft '{beside.name}' with 'velora_ros deploy {path.name}', and set them there"
        )  # fmt: skip
        raise PolicyFileError(f'it lacks {", ".join(lacking)}; {how}.')


def _of(name: str, found: Described, data: bytes, roles: Roles, digest: str) -> OnnxFile:
    return OnnxFile(
        name, found.spec, data, roles, found.dt_range, found.widths, found.history, found.terms, found.low, found.high,
        found.clip, digest=digest,
    )  # fmt: skip
