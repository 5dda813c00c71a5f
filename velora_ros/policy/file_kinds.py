"""Finds out by its content what kind of file a path is, so that an error can name it. No pickle is ever loaded."""

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from velora_ros.utils.shipped_files import PACKAGE

AGENT_KEY = 'velora_ros_model'
"""The key of a saved agent's metadata in its safetensors file."""
LARGEST_HEADER = 16 * 2**20  # bytes; a header has a few kB, so a file that claims more is of another kind
LOOKED_AT = 4096  # number of bytes that are read from a file of another kind

POLICY, ONNX, LEAPP, AGENT, CHECKPOINT, RUN, FOLDER, MISSING, OTHER = (
    'policy', 'onnx', 'leapp', 'agent', 'checkpoint', 'run', 'folder', 'missing', 'other'
)  # fmt: skip

_MAGIC = (
    (b'\x80\x02', 'a pickle file, as older versions of torch.save wrote'),
    (b'\x80\x03', 'a pickle file'),
    (b'\x80\x04', 'a pickle file'),
    (b'\x80\x05', 'a pickle file'),
    (b'\x89HDF\r\n', 'an HDF5 file, for example of Keras'),
    (b'\x1f\x8b', 'a gzip archive'),
    (b'\xfd7zXZ', 'an xz archive'),
    (b'7z\xbc\xaf', 'a 7z archive'),
    (b'\x93NUMPY', 'a numpy array file (.npy)'),
    (b'\x89PNG', 'a picture (PNG)'),
    (b'\xff\xd8\xff', 'a picture (JPEG)'),
    (b'GIF8', 'a picture (GIF)'),
    (b'%PDF', 'a PDF document'),
    (b'GGUF', 'a GGUF model'),
    (b'\x7fELF', 'an executable program'),
    (b'SQLite format 3', 'an SQLite database'),
    (b'\x89MCAP', 'a recording (MCAP)'),
)
_BUNDLE = 'the YAML file of a LEAPP bundle'
_ONNX_TAGS = frozenset(b'\x12\x1a\x22\x28\x32\x3a\x42')  # fields 2 to 8 of ONNX's ModelProto, after its ir_version


@dataclass(frozen=True)
class Found:
    """
    The kind of a file.

    Args:
        kind: one of this module's constants, such as ``POLICY``.
        text: the kind in words, such as ``a policy``.
    """

    kind: str
    text: str


def identify(path: str | os.PathLike[str]) -> Found:
    """
    Return the kind of a file, by its content; the suffix of its name does not matter.

    A file that cannot be read has the kind ``OTHER`` and a text that says why.
    """
    place = Path(path)
    try:
        return _file(place) if place.is_file() else _no_file(place)
    except OSError as error:
        return Found(OTHER, f'a file that cannot be read ({error.strerror or error}); check name and permissions')


def _no_file(place: Path) -> Found:
    if place.is_dir():
        is_run = (place / 'config.yaml').is_file() and (place / 'policies').is_dir()
        return Found(RUN, 'the folder of a training run') if is_run else Found(FOLDER, 'a folder')
    return Found(OTHER, 'a device or a pipe') if place.exists() else Found(MISSING, 'a path that does not exist')


def _file(place: Path) -> Found:
    size = place.stat().st_size
    with place.open('rb') as file:
        start = file.read(LOOKED_AT)
        header = _header(start[:8], size)
        file.seek(8)
        text = file.read(header) if header and start[8:9] == b'{' else b''
    if size < 9 and not (size > 1 and start.isascii() and start.decode().isprintable()):  # safetensors has at least 9
        return Found(OTHER, f'a file of {size} bytes that was cut short' if size else 'an empty file, cut short')
    if text:
        return _safetensors(text)
    if start[:2] == b'PK':
        return Found(OTHER, _archive(place))
    if len(start) > 2 and start[0] == 0x08 and start[1] < 0x20 and start[2] in _ONNX_TAGS:
        return Found(ONNX, 'an ONNX model')
    text_of_it = _other(start, size)
    return Found(LEAPP if text_of_it == _BUNDLE else OTHER, text_of_it)


def why_no_policy(path: str | os.PathLike[str]) -> str:  # noqa: PLR0911 - one for each kind
    """Return the error text for a path that should be a policy; empty if it is a policy, even a damaged one."""
    found, place = identify(path), Path(path)
    if found.kind in (POLICY, MISSING):
        return ''
    if found.kind == RUN:
        kept = [place / 'policies' / f'{name}.safetensors' for name in ('best', 'last')]
        policy = next((one for one in kept if one.is_file()), None)
        return f'this is {found.text}; ' + (f"give its policy, '{policy}'." if policy else 'it has no policy yet.')
    if found.kind == CHECKPOINT:
        best = place.parent.parent / 'policies' / 'best.safetensors'
        run = f"give the policy of its run, '{best}', or export" if best.is_file() else 'export'
        return f"this is {found.text}, not a policy; {run} it in Python: LiquidDDPG.load(file).export('p.safetensors')."
    if found.kind == AGENT:
        return f"this is {found.text}, not a policy; export it: LiquidDDPG.load(file).export('policy.safetensors')."
    if found.kind == FOLDER:
        bundle = place / f'{place.resolve().name}.yaml'
        if identify(bundle).kind == LEAPP:
            return f"this is the folder of a LEAPP bundle; give its YAML file, '{bundle}'."
        return 'this is a folder; give the .safetensors file itself.'
    if found.kind in (ONNX, LEAPP):
        return f'this is {found.text}, which only policy_node can run; give a .safetensors file here.'
    return _how_to_make_one(found, place)


def _how_to_make_one(found: Found, place: Path) -> str:
    if found.text in _TO_ONNX:
        return f'this is {found.text}; make an ONNX model of it, in Python: {_TO_ONNX[found.text].format(place.name)}.'
    return f'this is {found.text}; a policy is a .safetensors file that {PACKAGE} train or LiquidDDPG.export wrote.'


def why_no_agent(path: str | os.PathLike[str]) -> str:
    """Return the error text for a path that should be a saved agent; empty if it is one, even a damaged one."""
    found, place = identify(path), Path(path)
    if found.kind in (AGENT, CHECKPOINT):
        return ''
    if found.kind == MISSING:
        return 'it does not exist; give a file that LiquidDDPG.save wrote, or a checkpoint of a run.'
    if found.kind == RUN:
        return f"this is {found.text}; give one of its checkpoints, in '{place / 'checkpoints'}'."
    if found.kind == POLICY:
        return (
            f'this is {found.text}, not a saved agent: it has no critic. To train it, use '
            'LiquidDDPG.from_policy(file); to run it, use velora_ros.policy.Policy.load(file).'
        )
    if found.kind == FOLDER:
        return 'this is a folder; give a file that LiquidDDPG.save wrote.'
    return f'this is {found.text}; a saved agent is a .safetensors file that LiquidDDPG.save wrote, or a checkpoint.'


def why_no_run(path: str | os.PathLike[str]) -> str:
    """Return the error text for a path that should be a run's folder; empty if it is a folder or does not exist."""
    found, place = identify(path), Path(path)
    if found.kind in (RUN, FOLDER, MISSING):
        return ''
    if found.kind == CHECKPOINT and (place.parent.parent / 'config.yaml').is_file():
        return f"'{place}' is {found.text}; give the folder of the run, '{place.parent.parent}'."
    if found.kind in (POLICY, AGENT, CHECKPOINT):
        return f"'{place}' is {found.text}, not the folder of a run; to continue to train it, use --from '{place}'."
    return f"'{place}' is {found.text}; give the folder of a run."


def _header(length: bytes, size: int) -> int | None:
    """Return the length of a safetensors header in bytes; None if the file cannot be a safetensors file."""
    claimed = int.from_bytes(length, 'little')
    return claimed if len(length) == 8 and 2 <= claimed <= LARGEST_HEADER and size > 8 else None


def _safetensors(text: bytes) -> Found:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        for key, kind in ((AGENT_KEY, AGENT), (PACKAGE, POLICY)):  # cut short, or changed after it was written
            if f'"{key}":'.encode() in text:
                return Found(kind, f'a damaged {"saved agent" if kind == AGENT else "policy"}')
        return Found(OTHER, 'a safetensors file that is cut short or damaged; copy it again')
    metadata = header.get('__metadata__') if isinstance(header, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    if AGENT_KEY in metadata:
        whole = _json(metadata[AGENT_KEY])
        is_checkpoint = isinstance(whole, dict) and whole.get('run') is not None
        return Found(CHECKPOINT, 'a checkpoint of a training run') if is_checkpoint else Found(AGENT, 'a saved agent')
    if PACKAGE in metadata:
        return Found(POLICY, 'a policy')
    by = f' of {metadata["format"]} tensors' if isinstance(metadata.get('format'), str) else ''
    return Found(OTHER, f'a safetensors file{by} that {PACKAGE} did not write')


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None


def _archive(path: Path) -> str:
    """Return the kind of a zip archive in words, by the names in it; nothing is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return 'a zip archive that is cut short or damaged'
    return next((text for text, is_one in _ARCHIVES if names and is_one(names)), 'a zip archive')


_SB3, _TORCHSCRIPT = 'a model of stable-baselines3 (.zip)', 'a TorchScript module'
_EXPORT = "'policy.onnx', input_names=['obs'], output_names=['actions'], dynamo=False)"
_TO_ONNX = {
    _SB3: "policy = PPO.load('{0}', device='cpu').policy; policy.forward = lambda obs: policy._predict(obs, True); "
    f'torch.onnx.export(policy, torch.zeros(1, *policy.observation_space.shape), {_EXPORT}, with the class that '
    'trained it in place of PPO; actions of SAC, TD3 and DDPG are then from -1 to 1',
    _TORCHSCRIPT: "torch.onnx.export(torch.jit.load('{0}'), torch.zeros(1, 45), "
    f'{_EXPORT}, with the number of observations in place of 45; export a module with a memory with the library that '
    'trained it',
}
"""For each kind of file that can be converted, how to make an ONNX model of it in Python."""
_ARCHIVES: tuple[tuple[str, Callable[[Sequence[str]], bool]], ...] = (
    (
        _SB3,
        lambda names: {'data', 'policy.pth'} <= set(names) or any('stable_baselines3' in name for name in names),
    ),
    (
        _TORCHSCRIPT,
        lambda names: any('/code/' in name for name in names) and any(name.endswith('constants.pkl') for name in names),
    ),
    ('a file of torch.save (.pt)', lambda names: any(name.rpartition('/')[2] == 'data.pkl' for name in names)),
    ('a numpy archive (.npz)', lambda names: all(name.endswith('.npy') for name in names)),
    ('a Keras model', lambda names: {'config.json', 'metadata.json'} <= set(names)),
)


def _other(start: bytes, size: int) -> str:
    for magic, text in _MAGIC:
        if start.startswith(magic):
            return text
    try:
        words = start.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # otherwise, only the last character is cut
            return f'a binary file of an unknown kind ({size} bytes)'
        words = start[: error.start].decode('utf-8-sig')
    if '\0' in words:
        return f'a binary file of an unknown kind ({size} bytes)'
    return _text(words.lstrip())


def _text(words: str) -> str:
    if words.startswith('version https://git-lfs'):
        return "a pointer of Git LFS, not the file itself ('git lfs pull' fetches it)"
    if words.startswith('<'):
        lowered = words[:LOOKED_AT].lower()
        for word, text in (('<html', 'a web page'), ('<!doctype html', 'a web page'), ('<mujoco', 'an MJCF model'),
                           ('<robot', 'a URDF model'), ('<launch', 'a launch file')):  # fmt: skip
            if word in lowered:
                return text
        return 'an XML file'
    if words.startswith(('{', '[')):
        return 'a JSON file'
    lines = [line for line in words.splitlines() if line.strip() and not line.lstrip().startswith('#')]
    if lines and (lines[0].startswith(('- ', '---')) or _is_entry(lines[0])):
        return _BUNDLE if lines[0].rstrip() == 'models:' else 'a YAML file'
    return 'a text file'


def _is_entry(line: str) -> bool:
    name, colon, rest = line.partition(':')
    return bool(colon) and (not rest or rest[0] == ' ') and bool(name) and ' ' not in name.strip()
