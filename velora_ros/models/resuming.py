"""The checkpoints of a run: the whole agent, its replay, the random sources and where the loop stands, in one file."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from velora_ros.errors import PolicyFileError
from velora_ros.models import storage
from velora_ros.models.agent import DDPGAgent
from velora_ros.models.random_streams import global_states, set_global_states
from velora_ros.training import RunFolder, RunState
from velora_ros.training.runs.checkpoint import checkpoints, pack, unpack

PREFIX = 'run.'


@dataclass(frozen=True)
class Checkpoint:
    """
    What one file holds.

    Args:
        arguments: the constructor arguments of the agent.
        metadata: see :mod:`velora_ros.models.storage`.
        tensors: likewise.
        state: where the loop stood.
    """

    arguments: dict[str, Any]
    metadata: dict[str, Any]
    tensors: dict[str, Tensor]
    state: RunState

    def restore(self, learner: DDPGAgent) -> None:
        """
        Put everything back into a learner that was built from the arguments.

        Raises:
            PolicyFileError: the file is damaged.
        """
        storage.restore(learner, self.metadata, self.tensors)

    def restore_global_random(self) -> None:
        """Put the states of Python's, numpy's and torch's global generators back."""
        set_global_states(self.metadata['run']['random'])


def write(path: Path, learner: DDPGAgent, arguments: dict[str, Any], state: RunState) -> None:
    """
    Write a checkpoint; the file appears whole or not at all.

    Args:
        path: where to.
        learner: the agent, between two episodes.
        arguments: the JSON-ready constructor arguments that rebuild it.
        state: where the loop stands.

    Raises:
        StorageError: the file cannot be written.
        DivergenceError: a weight is not finite; the checkpoints before stay.
    """
    learner.check_weights()
    arrays, values = pack(state)
    tensors = {f'{PREFIX}{name}': torch.from_numpy(array.copy()) for name, array in arrays.items()}
    storage.save(path, learner, arguments, buffer=True, run=(tensors, {**values, 'random': global_states()}))


def newest(run: RunFolder) -> Checkpoint | None:
    """
    Return the newest checkpoint of a run that is whole; damaged ones are set aside, with a warning.

    Returns:
        None where the run ended before its first checkpoint.

    Raises:
        PolicyFileError: there are checkpoints, and none can be read; or one is of another format version.
    """
    paths = checkpoints(run)
    damaged = []
    for path in paths:
        try:
            found = _read(path)
        except storage.DamagedFileError as error:
            damaged.append((path, error))
            continue
        for other, reason in damaged:
            warnings.warn(f'{reason} The run goes on from the one before, {path.name}.', stacklevel=2)
            other.rename(other.with_suffix('.damaged'))
        return found
    if damaged:
        raise PolicyFileError(
            f"none of the {len(damaged)} checkpoints in '{run.checkpoints}' can be read; the newest: {damaged[0][1]} "
            'Put back a copy, or start a run in another folder.'
        )
    return None


def what_is_kept(run: RunFolder) -> str:
    """Say in a sentence what a run that failed can go on from; nothing where there is no checkpoint."""
    paths = checkpoints(run)
    return f'The run is kept up to step {int(paths[0].stem)}: {run.how_to_resume}' if paths else ''


def _read(path: Path) -> Checkpoint:
    metadata, tensors = storage.read(path)
    values = metadata.get('run')
    if values is None:
        raise storage.DamagedFileError(f"'{path}' is a saved agent, no checkpoint of a run; remove it.")
    arrays = {name.removeprefix(PREFIX): value.numpy() for name, value in tensors.items() if name.startswith(PREFIX)}
    try:
        state = unpack(arrays, values)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise storage.DamagedFileError(f"'{path}' is damaged: {error}.") from error
    return Checkpoint(metadata['arguments'], metadata, tensors, state)
