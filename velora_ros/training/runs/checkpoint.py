"""
A checkpoint of a run: the agent, its replay, the random sources and the state of the loop, in one file.

The file is a saved agent (:mod:`velora_ros.training.agent_file`) that also contains the state of the run.
"""

import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from velora_ros.policy import PolicyFile
from velora_ros.training import agent_file
from velora_ros.training.agent_protocol import SavedAgent
from velora_ros.training.diagnostics import NAMES, DiagnosticsRecord, complete
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, EvaluationResult, RunState, TrainResult

PREFIX = 'run.'
STREAMS = 'streams.'
TERMS = 'terms.'
EPISODE_FIELDS = ('episode', 'steps', 'episode_return', 'length', 'critic_loss', 'actor_loss', 'steps_per_s', 'seconds')
WHOLE_NUMBERS = ('episode', 'steps', 'length')

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """
    The content of a checkpoint.

    Args:
        tensors: the agent's tensors by name, and the run's tensors with the prefix ``run.``.
        values: the agent's values, including its constructor's ``arguments``, and the values of the ``run``.
        state: the state of the loop.
    """

    tensors: dict[str, Tensor]
    values: dict[str, Any]
    state: RunState

    def restore_global_random(self) -> None:
        """Restore the states of the global random generators of Python, numpy and torch."""
        set_global_random(self.values['run']['random'])


def write(path: Path, agent: SavedAgent, arguments: Mapping[str, Any], state: RunState) -> None:
    """
    Write a checkpoint; the file is replaced as a whole or not at all.

    Args:
        path: path of the file.
        agent: the agent to save, between two episodes.
        arguments: the JSON-ready constructor arguments that rebuild the agent.
        state: the state of the loop.

    Raises:
        StorageError: the file cannot be written.
        DivergenceError: a weight is not finite; earlier checkpoints are kept.
    """
    agent.check_weights()
    tensors, values = agent.state(buffer=True)
    arrays, run_values = pack(state)
    tensors |= {f'{PREFIX}{name}': torch.from_numpy(array.copy()) for name, array in arrays.items()}
    agent_file.write(
        path, tensors, {**values, 'arguments': arguments, 'run': {**run_values, 'random': global_random()}}
    )


def read(path: Path) -> Checkpoint:
    """
    Read a checkpoint.

    Raises:
        DamagedFileError: the file is damaged, or not a checkpoint.
        PolicyFileError: the file has another format version.
    """
    tensors, values = agent_file.read(path)
    if values.get('run') is None:
        raise agent_file.DamagedFileError(
            f"'{path}' is a saved agent, not a checkpoint of a run; move it to another folder."
        )
    arrays = {name.removeprefix(PREFIX): one.numpy() for name, one in tensors.items() if name.startswith(PREFIX)}
    try:
        return Checkpoint(tensors, values, unpack(arrays, values['run']))
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise agent_file.DamagedFileError(f"'{path}' is damaged: {error}.") from error


def pack(state: RunState) -> tuple[Arrays, dict[str, Any]]:
    """Return the state of a loop as arrays and JSON values, bit for bit."""
    result = state.result
    evaluations, best = result.evaluations, result.best_policy
    outcomes = [one.result for one in evaluations]
    arrays: Arrays = {
        'episodes': np.array([[getattr(one, name) for name in EPISODE_FIELDS] for one in result.episodes], float),
        'evaluations': np.array(
            [[one.steps, one.episode, one.seconds, len(one.result.returns)] for one in evaluations], float
        ),
        'evaluation_returns': np.array([value for one in outcomes for value in one.returns], float),
        'evaluation_lengths': np.array([value for one in outcomes for value in one.lengths], np.int64),
        'diagnostics': np.array(
            [
                [one.steps, one.episode, one.seconds, *(one.values[name] for name in NAMES)]
                for one in result.diagnostics
            ],
            float,
        ).reshape(-1, 3 + len(NAMES)),
        'best_policy': np.frombuffer(best.to_bytes() if best else b'', np.uint8),
        **{f'{STREAMS}{name}': values for name, values in state.streams.items()},
        **{f'{TERMS}{name}': values for name, values in state.terms.items()},
    }
    terms = list(dict.fromkeys(name for one in result.diagnostics for name in one.terms))
    if terms:
        rows = [[one.terms.get(name, math.nan) for name in terms] for one in result.diagnostics]
        arrays['reward_terms'] = np.array(rows, float)
    index = next((i for i, one in enumerate(evaluations) if one is result.best_evaluation), None)
    values = {
        'steps_before': state.steps_before,
        'credit': state.credit,
        'seconds': state.seconds,
        'live': state.live,
        'best_evaluation': index,
        'diagnostics': list(NAMES),
        'reward_terms': terms,
    }
    return arrays, values


def unpack(arrays: Mapping[str, npt.NDArray[Any]], values: Mapping[str, Any]) -> RunState:
    """
    Return the state of a loop from the output of :func:`pack`.

    Raises:
        KeyError, ValueError, PolicyFileError: something is missing or damaged.
    """
    returns = iter(arrays['evaluation_returns'].tolist())
    lengths = iter(arrays['evaluation_lengths'].tolist())
    evaluations = []
    for steps, episode, seconds, count in arrays['evaluations'].reshape(-1, 4).tolist():
        outcome = EvaluationResult(*(tuple(itertools.islice(source, int(count))) for source in (returns, lengths)))
        evaluations.append(EvaluationRecord(int(steps), int(episode), seconds, outcome))
    best, index = arrays['best_policy'].tobytes(), values['best_evaluation']
    result = TrainResult(
        episodes=[_episode(row) for row in arrays['episodes'].reshape(-1, len(EPISODE_FIELDS)).tolist()],
        evaluations=evaluations,
        best_policy=PolicyFile.from_bytes(best) if best else None,
        best_evaluation=None if index is None else evaluations[index],
        diagnostics=_diagnostics(arrays, values),
    )
    streams = {name.removeprefix(STREAMS): one for name, one in arrays.items() if name.startswith(STREAMS)}
    terms = {name.removeprefix(TERMS): one for name, one in arrays.items() if name.startswith(TERMS)}
    return RunState(values['steps_before'], values['credit'], values['seconds'], values['live'], result, streams, terms)


def _episode(row: list[float]) -> EpisodeRecord:
    named: dict[str, Any] = dict(zip(EPISODE_FIELDS, row, strict=True))
    return EpisodeRecord(**{**named, **{name: int(named[name]) for name in WHOLE_NUMBERS}})


def _diagnostics(arrays: Mapping[str, npt.NDArray[Any]], values: Mapping[str, Any]) -> list[DiagnosticsRecord]:
    """Return the records of diagnostics; old checkpoints have none, or use other names."""
    names = values.get('diagnostics', [])
    rows = arrays['diagnostics'].reshape(-1, 3 + len(names)).tolist() if names else []
    terms = _reward_terms(arrays, values) or [{}] * len(rows)
    return [
        DiagnosticsRecord(int(steps), int(episode), seconds, complete(dict(zip(names, numbers, strict=True))), paid)
        for (steps, episode, seconds, *numbers), paid in zip(rows, terms, strict=True)
    ]


def _reward_terms(arrays: Mapping[str, npt.NDArray[Any]], values: Mapping[str, Any]) -> list[dict[str, float]]:
    """Return the reward terms of each record; empty if the environment reports none, or in an old checkpoint."""
    names = values.get('reward_terms')
    if not names:
        return []
    rows = arrays['reward_terms'].reshape(-1, len(names)).tolist()
    return [{n: value for n, value in zip(names, row, strict=True) if not math.isnan(value)} for row in rows]


def global_random() -> dict[str, Any]:
    """Return the states of Python's, numpy's and torch's global generators, which an environment may draw from."""
    version, numbers, spare = random.getstate()
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - the global one
    numpy_state['state']['key'] = numpy_state['state']['key'].tolist()
    return {
        'python': [version, list(numbers), spare],
        'numpy': numpy_state,
        'torch': bytes(torch.get_rng_state().tolist()).hex(),
    }


def set_global_random(states: dict[str, Any]) -> None:
    """Restore the output of :func:`global_random`, even after a round trip through JSON."""
    version, numbers, spare = states['python']
    random.setstate((version, tuple(numbers), spare))
    key = np.array(states['numpy']['state']['key'], np.uint32)
    np.random.set_state({**states['numpy'], 'state': {**states['numpy']['state'], 'key': key}})  # noqa: NPY002
    torch.set_rng_state(torch.tensor(list(bytes.fromhex(states['torch'])), dtype=torch.uint8))
