"""
What the diagnostics of learning cost: one training that has them in every other stretch of 500 steps.

    python benchmarks/diagnostics.py [STEPS] [PRESET]

A stretch has one record, written to the run's folder, and a closer look at every 100th update, or nothing of both.
Neighbours are compared, so that what else the machine does falls on both sides. Times are of the processor, of the
thread that trains; evaluations are off. Prints the median of either side and that of the ratios, with its quartiles.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from measuring import machine

from velora_ros.gym import make
from velora_ros.models import LiquidDDPG, learner
from velora_ros.training import Callback, TrainConfig, loop
from velora_ros.training.diagnostics import RECORD_EVERY, SAMPLE_EVERY

PRESETS = Path(__file__).parents[1] / 'config' / 'train'
NEVER = 10**12


class Switch(Callback):
    """Turns the diagnostics on and off, in the middle between two records, and takes the time of each stretch."""

    def __init__(self, begin: int) -> None:
        self._begin = begin
        self._since: float | None = None
        self._on = False
        self.taken: list[tuple[bool, float]] = []

    def on_step(self, steps: int) -> None:
        """Close a stretch and begin the next."""
        if steps % RECORD_EVERY != RECORD_EVERY // 2 or steps < self._begin:
            return
        now = time.thread_time()
        if self._since is not None:
            self.taken.append((self._on, now - self._since))
        self._on = not self._on
        learner.SAMPLE_EVERY, loop.RECORD_EVERY = (SAMPLE_EVERY, RECORD_EVERY) if self._on else (NEVER, NEVER)
        self._since = time.thread_time()


def ratios(taken: list[tuple[bool, float]]) -> tuple[list[float], list[float], list[float]]:
    """Return the times with and without, and of each stretch with them its ratio to the mean of its neighbours."""
    times = {on: [seconds for one, seconds in taken if one is on] for on in (True, False)}
    triples = zip(taken, taken[1:], taken[2:], strict=False)
    pairs = [2 * middle[1] / (before[1] + after[1]) for before, middle, after in triples if middle[0]]
    return times[True], times[False], pairs


def main() -> None:
    """Train and print."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    name = sys.argv[2] if len(sys.argv) > 2 else 'InvertedPendulum-v5'
    values: dict[str, Any] = yaml.safe_load((PRESETS / f'{name}.yaml').read_text(encoding='utf-8'))
    config = TrainConfig.from_dict({**values, 'eval_every': 0, 'n_episodes': steps})
    env, agent = make(name), config.agent_arguments()
    shapes = env.observation_space.shape, env.action_space.shape
    assert shapes[0] is not None
    assert shapes[1] is not None
    model = LiquidDDPG(shapes[0][0], agent.pop('n_neurons'), shapes[1][0], **agent, seed=1)
    switch = Switch(config.start_steps + 2 * RECORD_EVERY)
    print(machine('numba', 'numpy', 'torch'))
    with tempfile.TemporaryDirectory() as folder:
        model.train(
            env, **config.train_arguments(), total_steps=steps, run_dir=folder, callbacks=[switch], progress=False,
            checkpoint_every=1e6,
        )  # fmt: skip
    on, off, pairs = ratios(switch.taken)
    low, middle, high = np.percentile(pairs, [25, 50, 75])
    print(
        f'{name}, {len(on)} stretches of {RECORD_EVERY} steps with diagnostics: median {np.median(on):.4f} s, without '
        f'{np.median(off):.4f} s; ratio to the neighbours: median {middle:.4f}, quartiles {low:.4f} to {high:.4f}'
    )


if __name__ == '__main__':
    main()
