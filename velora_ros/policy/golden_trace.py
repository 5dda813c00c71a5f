"""
Golden traces: a few observations and the policy's actions for them, stored in the policy file.

A machine that runs the policy can replay the trace. Different actions mean that the processor, the libraries or the
file differ from those with which the policy was made.
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
"""The key of the golden trace in the file's provenance."""
STEPS = 12

Array = npt.NDArray[np.float64]


def with_golden_trace(file: PolicyFile, *, seed: int = 0) -> PolicyFile:
    """
    Return the policy file with a golden trace; observations and elapsed times are drawn from the range of training.

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
    Return the golden trace of a policy file; None if it has none.

    Returns:
        The observations, shape (n, observation), the elapsed times [s], and the actions, shape (n, action).

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
    """
    Return the actions of a policy, from a fresh hidden state, shape (n, action).

    Args:
        policy: the policy; its hidden state is reset before and afterwards.
        observations: the observations, shape (n, observation).
        times: the elapsed time before each observation [s].
    """
    policy.reset()
    actions = [policy.step(observation, dt) for observation, dt in zip(observations, times, strict=True)]
    policy.reset()
    return np.array(actions)


def for_reading(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provenance in which the number of steps replaces the golden trace, for display."""
    trace = provenance.get(KEY)
    steps = {KEY: f'{len(trace["dt"])} steps'} if isinstance(trace, dict) and 'dt' in trace else {}
    return {**provenance, **steps}
