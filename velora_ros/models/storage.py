"""A whole agent as one safetensors file: networks, targets, optimisers, random states, counters, perhaps the replay."""

import json
import os
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from velora_ros.errors import PolicyFileError, SpecError
from velora_ros.models.agent import DDPGAgent
from velora_ros.models.optimisers import without_compiler
from velora_ros.models.random_streams import Streams
from velora_ros.policy.foreign import AGENT_KEY, why_no_agent
from velora_ros.spec import PolicySpec
from velora_ros.utils import atomic_write

FORMAT_VERSION = 2
REPLAY = 'replay.rows'
STREAMS = ('wiring', 'noise', 'replay', 'action', 'predict')


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
    tensors = {f'networks.{name}': value for name, value in learner.networks.state_dict().items()}
    optimizers = {'actor': learner.actor_optimizer, 'critic': learner.critic_optimizer}
    groups = {}
    for name, optimizer in optimizers.items():
        with without_compiler():
            state = optimizer.state_dict()
        groups[name] = state['param_groups']
        for index, values in state['state'].items():
            tensors |= {f'{name}.{index}.{key}': torch.as_tensor(value) for key, value in values.items()}
    if buffer:
        tensors[REPLAY] = torch.from_numpy(learner.buffer.rows[: len(learner.buffer)])
    metadata = {
        'format_version': FORMAT_VERSION,
        'arguments': arguments,
        'spec': None if learner.spec is None else learner.spec.to_dict(),
        'environment': learner.environment,
        'privileged_dim': learner.privileged_dim,
        'dt_range': learner.dt_range,
        'counters': {
            'steps': learner.steps,
            'episodes': learner.episodes,
            'updates': learner.updates,
            'steps_of_full_episodes': learner.steps_of_full_episodes,
        },
        'provenance': learner.provenance,
        'diagnostics': learner.gathered.state(),
        'run_seed': learner.streams.run_seed,
        'replay_position': learner.buffer.position if buffer else 0,
        'random': {name: getattr(learner.streams, name).bit_generator.state for name in STREAMS},
        'optimizer_groups': groups,
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
        _restore(learner, metadata, tensors)
    except (KeyError, RuntimeError, ValueError, TypeError, SpecError) as error:
        reason = ' '.join(str(error).split())
        raise DamagedFileError(
            f'the saved agent is incomplete or damaged: {reason}. Load another copy of it.'
        ) from error


def _restore(learner: DDPGAgent, metadata: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    if metadata['privileged_dim']:
        learner.build(metadata['privileged_dim'])
    learner.networks.load_state_dict(
        {name.removeprefix('networks.'): value for name, value in tensors.items() if name.startswith('networks.')}
    )
    for name, optimizer in (('actor', learner.actor_optimizer), ('critic', learner.critic_optimizer)):
        state: dict[int, dict[str, Tensor]] = {}
        for full, value in tensors.items():
            if full.startswith(f'{name}.'):
                _, index, key = full.split('.', 2)
                state.setdefault(int(index), {})[key] = value
        with without_compiler():
            optimizer.load_state_dict({'state': state, 'param_groups': metadata['optimizer_groups'][name]})
    learner.backend.rebind()
    if REPLAY in tensors:
        learner.buffer.restore(tensors[REPLAY].numpy(), int(metadata['replay_position']))
    learner.streams = Streams(metadata['run_seed'])  # train may have been given another seed than the constructor
    for name in STREAMS:
        stream = getattr(learner.streams, name).bit_generator
        if name != 'predict' or name in metadata['random']:  # agents saved before it was a stream of its own lack it
            stream.state = metadata['random'][name]
    learner.spec = None if metadata['spec'] is None else PolicySpec.from_dict(metadata['spec'])
    learner.environment = metadata['environment']
    learner.dt_range = tuple(np.asarray(metadata['dt_range'], dtype=float).tolist())
    learner.provenance = dict(metadata['provenance'])
    learner.gathered.restore(metadata.get('diagnostics', {}))  # agents saved before there were any lack it
    counters = metadata['counters']
    learner.steps, learner.episodes, learner.updates = counters['steps'], counters['episodes'], counters['updates']
    learner.steps_of_full_episodes = counters.get('steps_of_full_episodes', 0)
