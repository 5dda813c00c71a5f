"""The part of docs/results.md about the tasks of the included robots, from the CSV of benchmarks/tasks_claim.py."""

import json
from collections import defaultdict
from typing import Any

from tasks_claim import read, robot_of

SHOWN = {
    'quadruped': {
        'tracking': 'tracking', 'yaw_tracking': 'yaw tracking', 'moving_tracking': 'tracking while moving',
        'falls': 'robots that fell', 'air_times_s': 'air time of the feet [s]', 'slip_m_s': 'slip [m/s]',
        'action_change': 'mean change of an action',
    },
    'arm': {'reached': 'reached', 'error_m': 'median error [m]', 'failed': 'ended with a contact'},
    'rover': {
        'reached': 'reached without contact', 'collisions': 'contact on the way',
        'path_ratio': 'distance driven / shortest path, median',
    },
}  # fmt: skip

VARIANTS = {
    'benchmarks/task_variants/quadruped_without_velocities.py:QUADRUPED':
        'quadruped without joint velocities and the last action',
    'benchmarks/task_variants/rover_td3_reward.py:ROVER': 'rover with the reward of a TD3 project for navigation',
}  # fmt: skip
"""Headings of the variants of tasks; the files say how they differ."""

HEAD = """## Tasks

The tables show runs of `velora_ros train --task NAME --seed SEED`, without a GPU. Each policy was evaluated undisturbed
and with all variation: the quadruped in 256 episodes of 10 s, the arm in 400 of 10 s, and the rover in 500 rooms.
Training time was measured on one core, which other work may have shared. [policies/README.md](../policies/README.md)
has the figures of the shipped policies. With `--cell gru` or `--cell mlp`, the actor has a GRU or no memory instead of
the liquid layer, and as many parameters.

`benchmarks/tasks_claim.py` writes the rows.
"""


def section() -> str:
    """Return the part of the page: a table for each task."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read():
        runs[row['task']].append(row)
    lines = [HEAD]
    for name, rows in runs.items():
        shown = SHOWN[robot_of(name)]
        lines += [
            f'### {VARIANTS.get(name, name)}',
            '',
            f'| seed | steps | training [s] | evaluated | {" | ".join(shown.values())} |',
        ]
        lines.append('|' + ' --- |' * (4 + len(shown)))
        for row in rows:
            how = 'with all variation' if row['disturbed'] == 'True' else 'undisturbed'
            figures = json.loads(row['figures'])
            cells = [readable(figures.get(key)) for key in shown]
            steps = f'{int(row["steps"]):,}'
            seed = f'{row["seed"]}, `{row["flags"]}`' if row['flags'] else row['seed']
            lines.append(f'| {seed} | {steps} | {row["seconds"]} | {how} | {" | ".join(cells)} |')
        lines.append('')
    return '\n'.join(lines)


def readable(value: Any) -> str:
    """Return a figure, or several, with three digits."""
    if isinstance(value, list):
        return ', '.join(readable(one) for one in value)
    return f'{value:.3f}' if isinstance(value, float) else str(value)
