"""
Turn the CSV files of learning.py and robustness.py into docs/results.md and its pictures: `make results`.

Per task: every seed, the mean, the median, and the interquartile mean with a bootstrap interval (arXiv 2108.13264).
"""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import report_robustness
from learning import RESULTS, TASKS, Task
from matplotlib.figure import Figure
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'results.md'
IMAGES = ROOT / 'docs' / 'images'
CONFIDENCE = 0.95

Curves = dict[int, list[tuple[int, float, float]]]  # by seed: steps, seconds, mean return

HEAD = """# Results

Learning curves of the shipped presets on seeds 100-109, which no tuning has seen: one run, every seed shown. Made
from `benchmarks/results/*.csv` by `make results`; the rows come from `make bench-learning TASK=...`. Evaluations are
deterministic episodes of the current actor, 10 of them unless said otherwise, in an environment of their own.
"Solved" is the first of three consecutive evaluations at or above the threshold; "later" is the share of evaluations
at or above it from then on. Seconds are training time on two shared cores with other work running; ratios against
peers are in [benchmarks.md](benchmarks.md).
"""


def read(path: Path) -> Curves:
    """Return a file's learning curves."""
    curves: Curves = defaultdict(list)
    with path.open(newline='') as file:
        for row in csv.DictReader(file):
            curves[int(row['seed'])].append((int(row['steps']), float(row['seconds']), float(row['mean'])))
    return curves


def solved_at(curve: list[tuple[int, float, float]], threshold: float) -> int | None:
    """Return the index of the first of three consecutive evaluations at or above the threshold."""
    good = [mean >= threshold for _, _, mean in curve]
    return next((i for i in range(len(good) - 2) if all(good[i : i + 3])), None)


def interquartile_mean(values: np.ndarray) -> str:
    """Return the mean of the middle half and its bootstrap interval."""

    def middle(sample: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(stats.trim_mean(sample, 0.25, axis=axis))

    if len(values) < 3 or np.ptp(values) == 0:
        return f'{float(middle(values)):.1f}'
    interval = stats.bootstrap(
        (values,), middle, confidence_level=CONFIDENCE, method='percentile', rng=np.random.default_rng(0)
    ).confidence_interval
    return f'{float(middle(values)):.1f} ({interval.low:.1f} to {interval.high:.1f})'


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
        f'Last evaluation: mean {last.mean():.1f}, median {np.median(last):.1f}, '
        f'interquartile mean {interquartile_mean(last)}.',
        '',
        f'![learning curves](images/learning_{name}.png)',
        '',
    ]
    return '\n'.join(lines)


def draw(name: str, task: Task, curves: Curves) -> None:
    """Draw every seed, and the median where all seeds were evaluated."""
    figure = Figure(figsize=(8, 4), layout='constrained')
    axes = figure.add_subplot()
    for curve in curves.values():
        axes.plot([steps for steps, _, _ in curve], [mean for _, _, mean in curve], lw=0.8, alpha=0.4, color='C0')
    length = min(map(len, curves.values()))
    medians = [np.median([curve[i][2] for curve in curves.values()]) for i in range(length)]
    axes.plot(
        [steps for steps, _, _ in next(iter(curves.values()))][:length], medians, lw=2, color='C0', label='median'
    )
    axes.axhline(task.solved, lw=0.8, ls='--', color='gray', label='solved')
    axes.set_xlabel('environment steps')
    axes.set_ylabel('return')
    axes.set_title(f'{name.replace("_", " ")}, {len(curves)} seeds', fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(IMAGES / f'learning_{name}.png', dpi=110)


def main() -> None:
    """Write the page and the pictures of every task that has results."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    parts = [HEAD]
    for name, task in TASKS.items():
        if (path := RESULTS / f'{name}.csv').is_file():
            curves = read(path)
            draw(name, task, curves)
            parts.append(section(name, task, curves))
    if (path := RESULTS / 'robustness.csv').is_file():
        parts.append(report_robustness.section(path, IMAGES))
    PAGE.write_text('\n'.join(parts), encoding='utf-8')


if __name__ == '__main__':
    main()
