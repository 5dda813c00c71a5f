"""Batches of random numbers, as the replay would draw them."""

import numpy as np

from velora_ros.replay_buffers import Batch


def random_batch(
    rng: np.random.Generator, state_dim: int, length: int, n_hidden: int = 4, n_sequences: int = 6
) -> Batch:
    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal((n_sequences, length, *shape), dtype=np.float32)

    observation, next_observation = normal(5), normal(5)
    privileged = state_dim != 5
    return Batch(
        observation=observation,
        action=np.tanh(normal(2)),
        reward=normal(),
        terminated=(normal() > 1).astype(np.float32),
        next_observation=next_observation,
        dt=np.abs(normal()) + 0.1,
        next_dt=np.abs(normal()) + 0.1,
        hidden=np.tanh(rng.standard_normal((n_sequences, n_hidden), dtype=np.float32)),
        first=(normal() > 0.8).astype(np.float32),
        state=normal(state_dim) if privileged else observation,
        next_state=normal(state_dim) if privileged else next_observation,
    )
