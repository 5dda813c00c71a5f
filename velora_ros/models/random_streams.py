"""Every random source of a run, derived from one seed, so that the seed determines the run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from velora_ros.errors import ConfigError

GENERATORS = ('wiring', 'noise', 'replay', 'action', 'predict')


def draw_run_seed() -> int:
    """Draw a run seed from torch's global generator, so that ``set_seed`` fixes it."""
    return int(torch.randint(2**31, (1,)).item())


class Streams:
    """
    Separate generators for wiring, weights, noise, replay, random actions, evaluation and predictions.

    Args:
        run_seed: a non-negative integer.

    Raises:
        ConfigError: the seed is not a non-negative integer.
    """

    def __init__(self, run_seed: int) -> None:
        if isinstance(run_seed, bool) or not isinstance(run_seed, int | np.integer) or run_seed < 0:
            raise ConfigError(f'the seed is {run_seed!r}; it must be a non-negative integer.')
        self.run_seed = int(run_seed)
        wiring, weights, noise, replay, action, evaluation, predict = np.random.SeedSequence(self.run_seed).spawn(7)
        self.wiring = np.random.default_rng(wiring)
        self.weights_seed = int(weights.generate_state(1)[0])
        self.noise = np.random.default_rng(noise)
        self.replay = np.random.default_rng(replay)
        self.action = np.random.default_rng(action)
        self.predict = np.random.default_rng(predict)
        self.evaluation_seed = int(evaluation.generate_state(1)[0])

    def state(self) -> dict[str, Any]:
        """Return the state of every generator, JSON-ready; it does not contain the run's seed."""
        return {name: getattr(self, name).bit_generator.state for name in GENERATORS}

    @classmethod
    def restore(cls, run_seed: int, state: Mapping[str, Any]) -> 'Streams':
        """Return the streams of a seed in the state that :meth:`state` returned."""
        streams = cls(run_seed)
        for name in GENERATORS:
            if name != 'predict' or name in state:  # older files do not have this stream
                getattr(streams, name).bit_generator.state = state[name]
        return streams

    def torch_weights(self) -> torch.Generator:
        """Return a new torch generator for the initial weights; each call returns the same stream from its start."""
        return torch.Generator().manual_seed(self.weights_seed)
