"""
A golden trace: a few observations and the actions that the policy gives for them, stored in the policy file.

A machine that runs the policy replays it. A different result means that its processor, its libraries or the file differ
from those with which the policy was made.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import PolicyFileError
from velora_ros.policy.foreign.foreign_policy_file import OnnxFile
from velora_ros.policy.policy import Policy
from velora_ros.policy.policy_file import PolicyFile

KEY = 'golden_trace'
"""Its key in the file's provenance."""
STEPS = 12

Array = npt.NDArray[np.float64]


def with_golden_trace(file: PolicyFile, *, seed: int = 0) -> PolicyFile:
    """
    Return the file with a golden trace: observations distributed as in training, elapsed times over the whole range.

    Args:
        file: the policy; an existing trace is replaced.
        seed: seed of the observations.
    """
    rng = np.random.default_rng(seed)
    offset, scale = (file.tensors[f'normalisation.{name}'].astype(float) for name in ('offset', 'scale'))
    spread = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale != 0)
    observations = offset + rng.normal(size=(STEPS, len(offset))) * spread
    rounded = np.array([[float(f'{value:.6g}') for value in row] for row in observations])
    times = [float(f'{value:.6g}') for value in rng.uniform(*file.dt_range, STEPS)]
    actions = run_trace(Policy(file, 'numpy'), rounded, times)
    trace = {'observations': rounded.tolist(), 'dt': times, 'actions': actions.tolist()}
    return replace(file, provenance={**file.provenance, KEY: trace})


def golden_trace(file: PolicyFile | OnnxFile) -> tuple[Array, list[float], Array] | None:
    """
    Return observations, shape (n, observation), elapsed times [s] and actions, shape (n, action); None without a trace.

    Raises:
        PolicyFileError: the trace does not fit the policy.
    """
    trace = file.provenance.get(KEY)
    if trace is None:
        return None
    try:
        observations, actions = np.array(trace['observations'], float), np.array(trace['actions'], float)
        times = [float(value) for value in trace['dt']]
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyFileError(f'the golden trace cannot be read ({error!r}); export the policy again.') from error
    shapes = (len(times), file.spec.observation_dim), (len(times), file.spec.action_dim)
    if not times or (observations.shape, actions.shape) != shapes:
        raise PolicyFileError(
            f'the golden trace has the shapes {observations.shape} and {actions.shape}; they must be {shapes[0]} and '
            f'{shapes[1]}. Export the policy again.'
        )
    return observations, times, actions


def run_trace(policy: Policy, observations: Array, times: list[float]) -> Array:
    """Return the actions of a fresh policy for observations and elapsed times [s], shape (n, action)."""
    policy.reset()
    actions = [policy.step(observation, dt) for observation, dt in zip(observations, times, strict=True)]
    policy.reset()
    return np.array(actions)


def for_reading(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provenance for display, with the golden trace reduced to its number of steps."""
    trace = provenance.get(KEY)
    steps = {KEY: f'{len(trace["dt"])} steps'} if isinstance(trace, dict) and 'dt' in trace else {}
    return {**provenance, **steps}
