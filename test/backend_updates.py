"""One update of a backend, in the order in which the agent takes its steps."""

from typing import Any

import numpy as np

from velora_ros.models.backends.protocol import Backend
from velora_ros.replay_buffers import Batch
from velora_ros.training import TrainConfig


def numbers(**changes: Any) -> TrainConfig:
    """The numbers of an update: one-step returns without smoothing, unless asked for."""
    return TrainConfig(**{'batch_size': 1, 'sequence_length': 1, 'trace': 0.0, 'target_noise': 0.0, **changes})


def update(
    backend: Backend, batch: Batch, noise: np.ndarray, config: TrainConfig, *, measure: bool = False
) -> tuple[dict[str, float], dict[str, float]]:
    """Return metrics and diagnostics of one update."""
    data = backend.prepare(batch, config.burn_in)
    target = backend.targets(data, noise, config)
    critic, seen_by_critic = backend.critic_step(data, target, config, measure=measure)
    actor, seen_by_actor = backend.actor_step(data, config, measure=measure)
    backend.follow_targets(config.tau)
    return critic | actor, seen_by_critic | seen_by_actor


def noise_for(batch: Batch, config: TrainConfig, rng: np.random.Generator) -> np.ndarray:
    """Smoothing noise for the steps that carry loss."""
    from velora_ros.models.targets import smoothing_noise

    n_sequences, length, n_actions = batch.action.shape
    return smoothing_noise((n_sequences, length - config.burn_in, n_actions), config.target_noise, rng)
