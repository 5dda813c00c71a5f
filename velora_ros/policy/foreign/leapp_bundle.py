"""
Reads a LEAPP bundle, the format of NVIDIA's deployment tools: a YAML file, an ONNX model, and start values of a memory.

Only bundles with one ONNX model can be read. The model contains the policy's own scales and offsets. The YAML file
(``leapp_yaml.py``) says what each tensor means (``leapp_terms.py``), which outputs are fed back to inputs, and how
often the model is run. Nothing outside the bundle's folder is read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from velora_ros.errors import PolicyFileError
from velora_ros.policy.foreign.description import Description
from velora_ros.policy.foreign.leapp_model import OBSERVATION, joined
from velora_ros.policy.foreign.leapp_terms import action_of, described_bundle
from velora_ros.policy.foreign.leapp_yaml import Contents, parse_contents, port_of
from velora_ros.policy.foreign.onnx_model_checks import LARGEST_MODEL, one_line, parse

if TYPE_CHECKING:
    import onnx

LARGEST_YAML = 2**20
LARGEST_START = 2**24
"""Maximum size in bytes of the file of start values."""


@dataclass(frozen=True)
class Bundle:
    """
    The content of a bundle.

    Args:
        model: the model, with all observations in one input.
        data: the bytes of the model.
        description: the bundle's own information, as a description.
        action: the name of the output that is the action.
        states: for each input of the memory, the output that is its next value.
        start: start values of the memory, in the order of ``states``; empty if all are zero.
        digest: SHA-256 over the YAML file, the model and the start values, in hex.
        observation: the name of the input that reads all observations.
    """

    model: 'onnx.ModelProto'
    data: bytes
    description: Description
    action: str
    states: Mapping[str, str]
    start: tuple[float, ...]
    digest: str
    observation: str = OBSERVATION


def read_bundle(path: Path) -> Bundle:
    """
    Read and check the bundle of a YAML file, without running its model.

    Raises:
        MissingDependencyError: onnx is not installed.
        PolicyFileError: the bundle is damaged or cannot be run; the error says what to do.
        OSError: a file cannot be read.
    """
    text = _read(path, LARGEST_YAML)
    said = parse_contents(text)
    action = action_of(said.sent)
    folder = path.resolve().parent  # the folder of the file itself, even if the path is a link
    weights = _model(folder, said)
    model, states = joined(parse(weights), said.given, action, said.feedback)
    start = _start(folder, said)
    sha = hashlib.sha256(text)
    for part in (weights, np.array(start).tobytes()):
        sha.update(part)
    description = described_bundle(said.given, action, said.frequency)
    return Bundle(model, model.SerializeToString(), description, action.name, states, start, sha.hexdigest())


def _read(path: Path, largest: int) -> bytes:
    with path.open('rb') as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise PolicyFileError(f"'{path.name}' exceeds the limit of {largest} bytes; export a smaller policy")
    return data


def _model(folder: Path, said: Contents) -> bytes:
    """Return the bytes of the model, after checking that it is the exported one."""
    if not str(said.backend).startswith('onnx'):
        raise PolicyFileError(
            f"its model is for the backend '{str(said.backend)[:40]}', but only ONNX models can be run; export it with "
            "annotate.output_tensors(..., export_with='onnx-torchscript')"
        )
    data = _read(_inside(folder, said.model, 'model_path'), LARGEST_MODEL)
    if said.sha256 is not None and said.sha256 != hashlib.sha256(data).hexdigest():
        raise PolicyFileError("its model is not the exported one, because 'sha256sum' differs; copy the whole bundle")
    return data


def _inside(folder: Path, name: Any, what: str) -> Path:
    """Return the path of a file of the bundle, after checking that it is in the bundle's folder."""
    if not isinstance(name, str) or not name or '\0' in name:
        raise PolicyFileError(f"its '{what}' is {name!r}; it must be the name of a file in the bundle's folder")
    path = folder / name
    if Path(name).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise PolicyFileError(f"its '{what}' is '{name}', outside the bundle's folder; move the file into the folder")
    if not path.is_file():
        raise PolicyFileError(f"its '{what}' is '{name}', but there is no such file; copy the whole bundle")
    return path


def _start(folder: Path, said: Contents) -> tuple[float, ...]:
    """Return the start values of the memory, input by input; empty if the bundle has none."""
    if said.start is None:
        return ()
    path = _inside(folder, said.start, 'initial_values')
    try:
        tensors = load_tensors(_read(path, LARGEST_START))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise PolicyFileError(f"its '{path.name}' is damaged ({one_line(error)}); copy the whole bundle") from error
    sizes = {port.name: port.size for port in said.memory}
    values = {port_of(key, said.node): np.asarray(value, np.float64).ravel() for key, value in tensors.items()}
    for key, value in values.items():
        if value.size != sizes.get(key) or not np.isfinite(value).all():
            raise PolicyFileError(
                f"its start values of '{key}' do not fit an input that is fed back, or are not finite; export the "
                'bundle again'
            )
    return tuple(float(one) for key, size in sizes.items() for one in values.get(key, np.zeros(size)))
