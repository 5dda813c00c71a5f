"""
What the diagnostics of learning cost: one training run that records them in two of every four stretches of 1,000 steps.

    python benchmarks/diagnostics_cost.py [STEPS] [ENV]

Two stretches with diagnostics follow two without, because with single stretches all episodes could end on one side. A
stretch with diagnostics has one record, written to the run's folder, and a sample at every 200th update. The time of
each step is the median over all stretches of its side, and a side's time is the sum over the steps. The median removes
the effect of other load on the machine, but keeps the records and samples, which occur at the same steps in every
stretch. Times are CPU time of the training thread; evaluations are off.
"""

import sys
import tempfile
import time

import numpy as np
from measuring import machine

from velora_ros.gym import make
from velora_ros.models import LiquidDDPG, agent
from velora_ros.training import Callback, TrainConfig, loop_base
from velora_ros.training.diagnostics import RECORD_EVERY, SAMPLE_EVERY
from velora_ros.training.presets import preset_path, read_yaml

NEVER = 10**12


class Switch(Callback):
    """Turns the diagnostics on and off, halfway between two records, and times each step."""

    def __init__(self, begin: int) -> None:
        self._begin = begin
        self._since = 0.0
        self._on = False
        self._stretch: list[float] | None = None
        self.taken: dict[bool, list[list[float]]] = {True: [], False: []}

    def on_step(self, steps: int) -> None:
        """Time the step; at the end of a stretch begin the next one."""
        now = time.thread_time()
        if self._stretch is not None:
            self._stretch.append(now - self._since)
        if steps % RECORD_EVERY == RECORD_EVERY // 2 and steps >= self._begin:
            if self._stretch is not None:
                self.taken[self._on].append(self._stretch)
            self._stretch, self._on = [], len(self.taken[True]) + len(self.taken[False]) & 2 > 0
            agent.SAMPLE_EVERY, loop_base.RECORD_EVERY = (SAMPLE_EVERY, RECORD_EVERY) if self._on else (NEVER, NEVER)
        self._since = time.thread_time()


def main() -> None:
    """Train and print the result."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    name = sys.argv[2] if len(sys.argv) > 2 else 'InvertedPendulum-v5'
    config = TrainConfig.from_dict({**read_yaml(preset_path(name, 'tuned')), 'eval_every': 0, 'n_episodes': steps})
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
    on, off = (float(np.median(switch.taken[one], axis=0).sum()) for one in (True, False))
    print(
        f'{name}, {len(switch.taken[True])} stretches of {RECORD_EVERY} steps with diagnostics: {on:.4f} s, without '
        f'{off:.4f} s, ratio {on / off:.4f}'
    )


if __name__ == '__main__':
    main()
