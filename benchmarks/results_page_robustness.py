"""The part of docs/results.md about robustness to disturbances, from the CSV of benchmarks/robustness.py."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from robustness import LEVELS, VARIANTS

Returns = dict[tuple[str, str, float], list[float]]  # by variant, disturbance, level: the mean return of each policy

AXES = {
    'noise': 'noise [standard deviations of each signal]',
    'drops': 'dropped frames [share]',
    'delay': 'delay of the actions [periods]',
    'jitter': 'jitter of the period [share]',
}
SHOWN = {'none': 0.0, 'drops': 0.2, 'jitter': 0.5, 'noise': 0.1, 'delay': 1.0}
TITLES = ('undisturbed', '20 % dropped', '50 % jitter', 'noise 0.1', 'one period of delay')

HEAD = """## Robustness

```bash
make bench-robustness    # writes benchmarks/results/robustness.csv
```

The table shows the median of the policies' mean returns, with the lowest mean return in brackets. For each variant and
seed, there is one policy for InvertedPendulum-v5, the best of its run. Each policy runs under each disturbance alone,
in 10 episodes of 1,000 nominal periods, with seeds that training did not use.

All variants except `naive` were trained with the preset `robust`, which combines uneven periods, lost frames, noise,
and a delay of up to one period. Their numbers of parameters differ by at most 10 %. `naive` was trained with perfect
timing. The elapsed time is an input of all variants except `fixed-dt`, which always gets the nominal period.
"""


def read(path: Path) -> Returns:
    """Return the mean returns, policy by policy."""
    returns: Returns = defaultdict(list)
    with path.open(newline='') as file:
        for row in csv.DictReader(file):
            returns[row['variant'], row['disturbance'], float(row['level'])].append(float(row['mean']))
    return returns


def section(path: Path, images: Path) -> str:
    """Draw the curves and return the part of the page."""
    returns = read(path)
    variants = [name for name in VARIANTS if (name, 'none', 0.0) in returns]
    draw(returns, variants, images / 'robustness.png')
    lines = [HEAD, f'| variant | policies | parameters | {" | ".join(TITLES)} |', '|' + ' --- |' * (3 + len(TITLES))]
    sizes = parameters(path)
    for name in variants:
        columns = [returns[name, kind, level] for kind, level in SHOWN.items()]
        cells = [f'{np.median(values):.0f} ({min(values):.0f})' for values in columns]
        lines.append(f'| {name} | {len(columns[0])} | {sizes[name]} | {" | ".join(cells)} |')
    return '\n'.join([*lines, '', '![returns against each disturbance](images/robustness.png)', ''])


def losses(path: Path) -> str:
    """Return the disturbances under which the shipped kind of policy (liquid, measured dt) is worse than a control."""
    returns, (ours, *others) = read(path), VARIANTS
    lines = ['', f'| disturbance | return of {ours} | returns of better variants |', '| --- | --- | --- |']
    for (kind, level), title in zip(SHOWN.items(), TITLES, strict=True):
        for what, measure in (('median', np.median), ('worst policy', min)):
            mine = measure(returns[ours, kind, level])
            better = {
                name: measure(values)
                for name in others
                if (values := returns[name, kind, level]) and measure(values) > mine
            }
            if better:
                those = ', '.join(f'{name} {value:.0f}' for name, value in better.items())
                lines.append(f'| {title} | {mine:.0f} ({what}) | {those} |')
    return '\n'.join([*lines, ''])


def parameters(path: Path) -> dict[str, str]:
    """Return the number of parameters by variant; a range where the wirings differ."""
    found: dict[str, set[int]] = defaultdict(set)
    with path.open(newline='') as file:
        for row in csv.DictReader(file):
            found[row['variant']].add(int(row['parameters']))
    return {name: f'{min(seen)}' if len(seen) == 1 else f'{min(seen)}-{max(seen)}' for name, seen in found.items()}


def draw(returns: Returns, variants: list[str], path: Path) -> None:
    """Draw the medians against each disturbance's level; the band is from the worst policy to the best."""
    figure = Figure(figsize=(10, 7), layout='constrained')
    panels = figure.subplots(2, 2, sharey=True).ravel()
    for axes, (kind, label) in zip(panels, AXES.items(), strict=True):
        for index, name in enumerate(variants):
            levels = [0.0, *LEVELS[kind]]
            values = [returns[name, kind if level else 'none', level] for level in levels]
            axes.plot(levels, [np.median(one) for one in values], color=f'C{index}', marker='.', label=name)
            axes.fill_between(
                levels, [min(one) for one in values], [max(one) for one in values], color=f'C{index}', alpha=0.1, lw=0
            )
        axes.axhline(950, lw=0.8, ls='--', color='gray')
        axes.set_xlabel(label)
        axes.set_ylabel('return')
        axes.grid(alpha=0.3)
    panels[-1].legend(fontsize=8)
    figure.savefig(path, dpi=110)
