"""
How much the memory of a training process grows after its replay is full. `make bench-memory` runs it.

    python benchmarks/memory.py [--quick]

Resident size on InvertedPendulum-v5 with a replay of 10,000 transitions: ours from step 15,000 to 50,000, velora 0.1.1
over 3,000 steps (from 1,000), each in a separate process. --quick takes a tenth of the steps. The last line is JSON.
"""

import argparse
import json
import os
import sys

import gymnasium
import torch
from measuring import in_own_process, machine, status_mb
from training_speed import BATCH, ENDLESS, N_NEURONS, Finished, Stopwatch

CAPACITY = 10_000
WINDOWS = {'ours': (15_000, 50_000), 'velora': (1_000, 4_000)}


class Scales(Stopwatch):
    """A stopwatch that also records the resident size [MB]."""

    def __init__(self, env: gymnasium.Env, first: int, last: int) -> None:
        super().__init__(env, first, last)
        self.sizes: list[float] = []

    def step(self, action: object) -> object:
        """Step the environment and record the size."""
        if self.count + 1 in self.marks:
            self.sizes.append(status_mb('VmRSS'))
        return super().step(action)


def train(side: str, env: Scales) -> None:
    """Train one side with a small replay until the scales stop it."""
    torch.manual_seed(0)
    if side == 'velora':
        os.environ['VELORA_TEST_MODE'] = '1'
        from velora.models import LiquidDDPG as Velora  # noqa: PLC0415 - the variable is read at import

        Velora(4, N_NEURONS, 1, buffer_size=CAPACITY).train(env, BATCH, n_episodes=ENDLESS)
        return
    from velora_ros.models import LiquidDDPG  # noqa: PLC0415 - each process loads one side

    LiquidDDPG(4, N_NEURONS, 1, buffer_size=CAPACITY, seed=0).train(
        env, BATCH, n_episodes=ENDLESS, boost_ratio=1, eval_every=0, progress=False
    )


def weigh(side: str, first: int, last: int) -> None:
    """Train one side in this process; print its size at both steps."""
    torch.set_num_threads(1)
    scales = Scales(gymnasium.make('InvertedPendulum-v5'), first, last)
    try:
        train(side, scales)
    except Finished:
        print(json.dumps({'before_mb': scales.sizes[0], 'after_mb': scales.sizes[1]}))


def main() -> None:
    """Weigh both sides and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='a tenth of the steps')
    quick = parser.parse_args().quick
    print(machine('torch', 'numba', 'velora'))
    growth, per_step = {}, {}
    for side, window in WINDOWS.items():
        first, last = (step // 10 for step in window) if quick else window
        one = in_own_process('memory.py', '--weigh', side, first, last)
        growth[side] = round(one['after_mb'] - one['before_mb'], 2)
        per_step[side] = round(1024 * growth[side] / (last - first), 3)
        print(f'{side}: {one["before_mb"]:.1f} MB at step {first}, {one["after_mb"]:.1f} MB at step {last}', flush=True)
    print(json.dumps({'benchmark': 'memory', 'growth_mb': growth, 'kb_per_step': per_step}))


if __name__ == '__main__':
    if sys.argv[1:2] == ['--weigh']:
        weigh(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
