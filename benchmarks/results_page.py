"""
Turn the CSV files of learning.py and robustness.py into docs/results.md and its pictures: `make results`.

Per task: every seed, the mean, the median, and the interquartile mean with a bootstrap interval (arXiv 2108.13264).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import results_page_robustness
import results_page_tasks
from learning import RESULTS, TASKS, Task
from learning import read as rows_of
from learning_peers import AGENTS, EPISODES, peer_path

from velora_ros.pictures.draw_learning_curves import draw_learning
from velora_ros.pictures.read_runs import read_table
from velora_ros.pictures.seed_statistics import interquartile_mean, interval
from velora_ros.pictures.style import save

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'results.md'
IMAGES = ROOT / 'docs' / 'images'

Curves = dict[int, list[tuple[int, float, float]]]  # by seed: steps, seconds, mean return

HEAD = """# Results

These commands train with the presets on many seeds, and write this page:

```bash
make bench-learning TASK=inverted_pendulum   # hours, resumable; writes benchmarks/results/inverted_pendulum.csv
make results                                 # writes this page from benchmarks/results/*.csv
```

This page shows learning curves with the presets named `tuned`, and with the recipe where a heading begins with
"recipe". The seeds 100 to 109 were not used for tuning. The page shows every seed that was trained.

* An evaluation consists of deterministic episodes of the current policy in a separate environment, 10 of them unless
  stated otherwise. The policy is the actor, or its running average if the preset sets `policy_tau`, as the preset of
  the double pendulum does. An evaluation passes if its mean return reaches the threshold that each section names.
* A task is solved at the first of three consecutive evaluations that pass. "Later passes" counts the evaluations that
  pass from then on, including these three.
* In the sections "positions", the policy observes only the positions of the joints. With "privileged", the critic sees
  the whole state; without it, the critic has a memory of its own. With "mlp", the actor has no memory: such a policy is
  expected to fail. "Example" uses the library's defaults instead of a preset, for 100 episodes.
* Seconds are training time on two cores that other work shared. [benchmarks.md](benchmarks.md) compares the speed with
  other libraries.
* One run of a preset over its seeds is called a claim. The tables show the sixth claim of the inverted pendulum, the
  fourth of the double pendulum, and the second of the swimmer, of positions only and of the example.
  `benchmarks/results/` also has the claims of earlier presets, complete or stopped early.
  [experiments.md](experiments.md) describes their outcomes, and why the presets changed.
"""


def read(path: Path) -> Curves:
    """Return a file's learning curves."""
    runs = {int(run.seed): run.evaluations for run in read_table(path)}
    return {seed: list(zip(run.steps.astype(int), run.seconds, run.returns, strict=True)) for seed, run in runs.items()}


def episodes_of(path: Path) -> int:
    """Return the number of episodes per evaluation in a file."""
    return int(rows_of(path)[0]['episodes'])


def solved_at(curve: list[tuple[int, float, float]], threshold: float) -> int | None:
    """Return the index of the first of three consecutive evaluations at or above the threshold."""
    good = [mean >= threshold for _, _, mean in curve]
    return next((i for i in range(len(good) - 2) if all(good[i : i + 3])), None)


def digits(value: float) -> str:
    """Return a mean return with enough digits to distinguish policies: Reacher's returns lie between -4 and -3."""
    return f'{value:.2f}' if abs(value) < 10 else f'{value:.1f}'


def middle(values: np.ndarray) -> str:
    """Return the interquartile mean and its bootstrap interval."""
    mean = digits(float(interquartile_mean(values)))
    if len(values) < 3 or np.ptp(values) == 0:
        return mean
    low, high = interval(values, interquartile_mean)
    return f'{mean} ({digits(float(low))} to {digits(float(high))})'


@dataclass(frozen=True)
class Outcome:
    """The outcome of one seed: when it was solved, and which of the later evaluations stay solved."""

    steps: int | None
    seconds: float
    later: list[bool]
    best: float
    last: float

    @classmethod
    def of(cls, curve: list[tuple[int, float, float]], threshold: float) -> 'Outcome':
        """Sum up a learning curve."""
        index, means = solved_at(curve, threshold), [mean for _, _, mean in curve]
        steps, seconds = (None, 0.0) if index is None else curve[index][:2]
        later = [] if index is None else [mean >= threshold for mean in means[index:]]
        return cls(steps, seconds, later, max(means), means[-1])


def outcomes(curves: Curves, task: Task) -> dict[int, Outcome]:
    """Return the outcome of each seed, in their order."""
    return {seed: Outcome.of(curve, task.solved) for seed, curve in sorted(curves.items())}


def held(found: Iterable[Outcome]) -> str:
    """Return the share of later evaluations that stay solved, over all seeds."""
    pooled = [good for one in found for good in one.later]
    return f'{100 * np.mean(pooled):.1f} % of {len(pooled)}' if pooled else '-'


def section(name: str, task: Task, curves: Curves) -> str:
    """Return one task's part of the page."""
    lines = [f'## {name.replace("_", " ")}', '', f'{task.env}, solved at {task.solved:g}. ']
    lines[-1] += f'`make bench-learning TASK={name}`, rows in `benchmarks/results/{name}.csv`.'
    if (episodes := episodes_of(RESULTS / f'{name}.csv')) != EPISODES:
        lines[-1] += f' {episodes} episodes per evaluation.'
    lines += [
        '',
        '| seed | solved at step | solved after [s] | later passes | best return | last return |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    found = outcomes(curves, task)
    for seed, one in found.items():
        solved = 'never | - | -'
        if one.steps is not None:
            solved = f'{one.steps:,} | {one.seconds:.0f} | {sum(one.later)} of {len(one.later)}'
        lines.append(f'| {seed} | {solved} | {digits(one.best)} | {digits(one.last)} |')
    last = np.array([one.last for one in found.values()])
    n_solved = sum(one.steps is not None for one in found.values())
    lines += [
        '',
        f'{n_solved} of {len(found)} seeds solve the task. Later evaluations that pass, over all '
        f'seeds: {held(found.values())}.',
        f'Returns of the last evaluations: mean {digits(last.mean())}, median {digits(np.median(last))}, '
        f'interquartile mean {middle(last)}.',
        '',
        f'![learning curves](images/learning_{name}.png)',
        '',
    ]
    return '\n'.join(lines)


def peers(name: str, task: Task) -> str:
    """Return a line for each agent of stable-baselines3 under the same protocol; empty if none has run."""
    lines = []
    for agent in AGENTS:
        if (path := peer_path(name, agent)).is_file():
            curves = read(path)
            found = outcomes(curves, task).values()
            solved = ['never' if one.steps is None else f'{one.steps:,} ({one.seconds:.0f} s)' for one in found]
            last = ', '.join(digits(one.last) for one in found)
            steps = max(curve[-1][0] for curve in curves.values())
            lines.append(f'| {agent} | {steps:,} | {" / ".join(solved)} | {held(found)} | {last} |')
    if not lines:
        return ''
    head = [
        'The same evaluations for stable-baselines3, with 64x64 networks and our batch size and noise:',
        '',
    ]
    head += [
        '| agent | steps | solved at step, by seed | later passes | last return, by seed |',
        '| --- | --- | --- | --- | --- |',
    ]
    return '\n'.join([*head, *lines, ''])


def losses(curves: dict[str, Curves]) -> str:
    """Return the tasks with seeds that are never solved or do not stay solved; controls are expected to fail."""
    lines = [
        '## Weaknesses',
        '',
        '| section | seeds that never solve the task | later evaluations that fail |',
        '| --- | --- | --- |',
    ]
    for name, one in curves.items():
        found = outcomes(one, TASKS[name])
        never = [seed for seed, outcome in found.items() if outcome.steps is None]
        lapses = {seed: outcome.later.count(False) for seed, outcome in found.items() if False in outcome.later}
        if not never and not lapses:
            continue
        which = _join(f'{seed}: {count}' for seed, count in lapses.items())
        unsolved = f'{len(never)} of {len(found)}' + (f' ({_join(never)})' if never else '')
        failed = f'{sum(lapses.values())} (by seed: {which})' if lapses else '-'
        lines.append(f'| {name.replace("_", " ")} | {unsolved} | {failed} |')
    return '\n'.join([*lines, ''])


def _join(values: Iterable[object]) -> str:
    return ', '.join(map(str, values))


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
    curves = {name: read(path) for name in TASKS if (path := RESULTS / f'{name}.csv').is_file()}
    robustness = RESULTS / 'robustness.csv'
    parts = [HEAD, losses(curves) + results_page_robustness.losses(robustness)]
    for name, one in curves.items():
        draw(name, TASKS[name], RESULTS / f'{name}.csv')
        parts += [section(name, TASKS[name], one), peers(name, TASKS[name])]
    parts.append(results_page_robustness.section(robustness, IMAGES))
    parts.append(results_page_tasks.section())
    PAGE.write_text('\n'.join(filter(None, parts)), encoding='utf-8')


if __name__ == '__main__':
    main()
