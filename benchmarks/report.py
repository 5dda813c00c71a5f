"""
Turn the CSV files of learning.py and robustness.py into docs/results.md and its pictures: `make results`.

Per task: every seed, the mean, the median, and the interquartile mean with a bootstrap interval (arXiv 2108.13264).
"""

from pathlib import Path

import numpy as np
import report_robustness
from learning import RESULTS, TASKS, Task
from learning_peers import AGENTS, peer_path

from velora_ros.pictures.curves import interquartile_mean, interval, read_table
from velora_ros.pictures.learning import draw_learning
from velora_ros.pictures.style import save

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'results.md'
IMAGES = ROOT / 'docs' / 'images'

Curves = dict[int, list[tuple[int, float, float]]]  # by seed: steps, seconds, mean return

HEAD = """# Results

Learning curves of the shipped presets on seeds 100-109, on which nothing was tuned: every seed is shown. The claims of
presets that were changed afterwards lie beside in `benchmarks/results/`, whole or broken off: the inverted pendulum's
table is its sixth claim, the double pendulum's its second. What came out of the others and why the presets changed is
told in [experiments.md](experiments.md). The double pendulum's table and those of positions only were made with the
presets as they were then; the clock of the learning rates and the noise have changed since (experiment 24). Made from
`benchmarks/results/*.csv` by `make results`; the rows come from
`make bench-learning TASK=...`. Evaluations are deterministic episodes of the current actor, 10 of them unless said
otherwise, in an environment of their own. "Solved" is the first of three consecutive evaluations at or above the
threshold; "later" is the share of evaluations at or above it from then on. Seconds are training time on two shared
cores with other work running; ratios against peers are in [benchmarks.md](benchmarks.md).
"""


def read(path: Path) -> Curves:
    """Return a file's learning curves."""
    runs = {int(run.seed): run.evaluations for run in read_table(path)}
    return {seed: list(zip(run.steps.astype(int), run.seconds, run.returns, strict=True)) for seed, run in runs.items()}


def solved_at(curve: list[tuple[int, float, float]], threshold: float) -> int | None:
    """Return the index of the first of three consecutive evaluations at or above the threshold."""
    good = [mean >= threshold for _, _, mean in curve]
    return next((i for i in range(len(good) - 2) if all(good[i : i + 3])), None)


def middle(values: np.ndarray) -> str:
    """Return the interquartile mean and its bootstrap interval."""
    mean = f'{float(interquartile_mean(values)):.1f}'
    if len(values) < 3 or np.ptp(values) == 0:
        return mean
    low, high = interval(values, interquartile_mean)
    return f'{mean} ({low:.1f} to {high:.1f})'


def section(name: str, task: Task, curves: Curves) -> str:
    """Return one task's part of the page."""
    lines = [f'## {name.replace("_", " ")}', '', f'{task.env}, solved at {task.solved:g}.', '']
    lines += ['| seed | solved at step | after [s] | later | best | last |', '| --- | --- | --- | --- | --- | --- |']
    pooled, solved = [], 0
    for seed, curve in sorted(curves.items()):
        index = solved_at(curve, task.solved)
        means = [mean for _, _, mean in curve]
        if index is None:
            found = 'never | - | -'
        else:
            later = [mean >= task.solved for mean in means[index:]]
            pooled += later
            solved += 1
            found = f'{curve[index][0]:,} | {curve[index][1]:.0f} | {sum(later)} of {len(later)}'
        lines.append(f'| {seed} | {found} | {max(means):.1f} | {means[-1]:.1f} |')
    last = np.array([curve[-1][2] for curve in curves.values()])
    share = f'{100 * np.mean(pooled):.1f} % of {len(pooled)}' if pooled else '-'
    lines += [
        '',
        f'Solved by {solved} of {len(curves)} seeds; later evaluations at or above the threshold, pooled: {share}.',
        f'Last evaluation: mean {last.mean():.1f}, median {np.median(last):.1f}, interquartile mean {middle(last)}.',
        '',
        f'![learning curves](images/learning_{name}.png)',
        '',
    ]
    return '\n'.join(lines)


def peers(name: str, task: Task) -> str:
    """Return what stable-baselines3's agents did by the same protocol, a line each; nothing where none has run."""
    lines = []
    for agent in AGENTS:
        if (path := peer_path(name, agent)).is_file():
            curves = read(path)
            indices = {seed: solved_at(curve, task.solved) for seed, curve in curves.items()}
            found = [
                'never' if index is None else f'{curves[seed][index][0]:,} ({curves[seed][index][1]:.0f} s)'
                for seed, index in sorted(indices.items())
            ]
            later = [
                mean >= task.solved
                for seed, index in indices.items()
                if index is not None
                for _, _, mean in curves[seed][index:]
            ]
            share = f'{100 * np.mean(later):.1f} % of {len(later)}' if later else '-'
            last = ', '.join(f'{curve[-1][2]:.0f}' for _, curve in sorted(curves.items()))
            steps = max(curve[-1][0] for curve in curves.values())
            lines.append(f'| {agent} | {steps:,} | {" / ".join(found)} | {share} | {last} |')
    if not lines:
        return ''
    head = [
        'stable-baselines3 with 64x64 networks and our batch and noise, the same evaluations (`learning_peers.py`):',
        '',
    ]
    head += ['| agent | steps | solved at, by seed | later | last |', '| --- | --- | --- | --- | --- |']
    return '\n'.join([*head, *lines, ''])


def draw(name: str, task: Task, path: Path) -> None:
    """Draw every seed, and the interquartile mean where all seeds were evaluated; the peers as groups of their own."""
    runs = list(read_table(path, 'LiquidDDPG'))
    for agent in AGENTS:
        if (other := peer_path(name, agent)).is_file():
            runs += read_table(other, f'stable-baselines3 {agent}')
    figure = draw_learning(runs, solved=task.solved, name=name.replace('_', ' '))
    save(figure, IMAGES / f'learning_{name}.png')


def main() -> None:
    """Write the page and the pictures of every task that has results."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    parts = [HEAD]
    for name, task in TASKS.items():
        if (path := RESULTS / f'{name}.csv').is_file():
            curves = read(path)
            draw(name, task, path)
            parts += [section(name, task, curves), peers(name, task)]
    if (path := RESULTS / 'robustness.csv').is_file():
        parts.append(report_robustness.section(path, IMAGES))
    PAGE.write_text('\n'.join(filter(None, parts)), encoding='utf-8')


if __name__ == '__main__':
    main()
