"""
What each change to DDPG contributes: the preset of InvertedPendulum-v5 with one setting changed at a time.

    python benchmarks/ablation.py [--seeds 0-4] [--steps 15000] [--jobs 1]

Rows are appended to benchmarks/results/ablation.csv in the format of learning.py, with the variant in the column
``task``. An interrupted run continues with the missing rows. These are tuning seeds: the table only compares variants.
"""

import argparse
import multiprocessing
from typing import Any

import numpy as np
from learning import RESULTS, TASKS, append, learn, read, seeds_of

PATH = RESULTS / 'ablation.csv'
TASK = 'inverted_pendulum'

# Each changes one thing of the preset; `none of them` is DDPG as published, on sequences.
VARIANTS: dict[str, dict[str, Any]] = {
    'preset': {},
    'one-step returns': {'trace': 0.0},
    'no normaliser': {'normalise': False},
    'no target smoothing': {'target_noise': 0.0},
    'one update a step from the start': {'boost_ratio': 1.0},
    'learning rates stay': {'lr_decay_steps': 0},
    'learning rates fall by all steps': {'lr_decay_counts': 'steps'},
    'noise stays': {'noise_final': 1.0},
    'gamma 0.99': {'gamma': 0.99},
    'rewards as they are': {'reward_scale': 1.0},
    'tau 0.005': {'tau': 0.005},
    'each episode its own noise': {'noise_low': 0.0},
    'half of the replay by episodes': {'episode_share': 0.5},
    'twin critics': {'n_critics': 2},
    'average of the actor': {'policy_tau': 0.0005},
    'burn-in of 8 steps': {'burn_in': 8},
    'sequences of 16': {'sequence_length': 16},
    'GRU': {'cell': 'gru'},
    'no recurrence (MLP)': {'cell': 'mlp'},
    'none of them': {
        'trace': 0.0, 'normalise': False, 'target_noise': 0.0, 'boost_ratio': 1.0, 'lr_decay_steps': 0, 'gamma': 0.99,
        'noise_final': 1.0, 'reward_scale': 1.0,
    },
}  # fmt: skip


def work(arguments: tuple[str, int, int]) -> list[list[Any]]:
    """Train one variant with one seed and return its rows under the variant's name."""
    variant, seed, steps = arguments
    rows = learn((TASK, seed, steps, VARIANTS[variant]))
    return [[variant, *row[1:]] for row in rows]


def line(variant: str, rows: list[dict[str, Any]]) -> str:
    """Return one row of the table: when each seed was solved, and the share of later evaluations that stay solved."""
    threshold, solved, later = TASKS[TASK].solved, [], []
    for seed in sorted({int(row['seed']) for row in rows}):
        good = [float(row['mean']) >= threshold for row in rows if int(row['seed']) == seed]
        steps = [int(row['steps']) for row in rows if int(row['seed']) == seed]
        index = next((i for i in range(len(good) - 2) if all(good[i : i + 3])), None)
        solved.append('never' if index is None else f'{steps[index]:,}')
        later += good[index:] if index is not None else []
    share = f'{100 * float(np.mean(later)):.1f} % of {len(later)}' if later else '-'
    return f'| {variant} | {" / ".join(solved)} | {share} |'


def table() -> str:
    """Return the table of everything that has run."""
    rows = read(PATH)
    head = ['| variant | solved at step, by seed | later evaluations that pass |', '| --- | --- | --- |']
    present = [variant for variant in VARIANTS if any(row['task'] == variant for row in rows)]
    return '\n'.join(head + [line(variant, [row for row in rows if row['task'] == variant]) for variant in present])


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', default='0-4')
    parser.add_argument('--steps', type=int, default=15_000)
    parser.add_argument('--jobs', type=int, default=1)
    options = parser.parse_args()
    seeds = seeds_of(options.seeds)
    done = {(row['task'], int(row['seed'])) for row in read(PATH)}
    missing = [(name, seed, options.steps) for name in VARIANTS for seed in seeds if (name, seed) not in done]
    with multiprocessing.get_context('spawn').Pool(options.jobs) as pool:
        for rows in pool.imap_unordered(work, missing):
            append(PATH, rows)
            print(rows[0][0], 'seed', rows[0][1], flush=True)
    print(table())


if __name__ == '__main__':
    main()
