"""Draw the hidden state of a policy over time, with observations, actions and rewards."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from velora_ros.pictures.rollout import Array, Rollout
from velora_ros.pictures.style import COLOURS, INK, SIGNED, Axes, Figure, colours_of, new_figure, tidy, title

MOST_LINES = 8  # more observations or actions than this are drawn as a colour map


def draw_hidden(rollout: Rollout, name: str) -> Figure:
    """
    Draw five panels, one below the other: observations, hidden state as lines and as a map, actions, rewards.

    Args:
        rollout: the data; a dashed line marks the start of each episode after the first.
        name: the picture's title.
    """
    spec, neurons = rollout.spec, rollout.hidden.shape[1]
    map_height = float(np.clip(0.13 * neurons, 1.1, 3.2))
    heights = [_height(spec.observation_dim), 1.9, map_height, _height(spec.action_dim), 1.0]
    figure = new_figure(10.5, 1.0 + sum(heights) + 0.3 * len(heights))
    panels: Sequence[Axes] = figure.subplots(5, 1, sharex=True, height_ratios=heights)
    seen = _labels(spec.observation_names, spec.observation_units)
    _signals(panels[0], rollout.time, rollout.observations, seen, 'observations')
    _states(panels[1], rollout)
    _map(panels[2], rollout.time, rollout.hidden, [str(i) for i in range(neurons)], 'hidden state, neuron by neuron')
    done = _labels(spec.action_names, spec.action_units)
    _signals(panels[3], rollout.time, spec.to_si(rollout.actions), done, 'actions', step=True)
    if spec.action_dim <= MOST_LINES:
        for bound in {*spec.si_low.tolist(), *spec.si_high.tolist()}:
            panels[3].axhline(bound, color='#b0b0b0', lw=0.8, ls=':')
    _rewards(panels[4], rollout)
    for axes in panels:
        for start in rollout.starts[1:]:
            axes.axvline(rollout.time[start], color=INK, lw=0.8, ls='--', alpha=0.6)
    panels[-1].set_xlabel('time [s]', fontsize=9, color=INK)
    panels[-1].set_xlim(rollout.time[0], _edges(rollout.time)[-1])
    figure.suptitle(name, fontsize=12, color=INK, fontweight='bold')
    figure.align_ylabels(list(panels))
    return figure


def _height(signals: int) -> float:
    return 1.5 if signals <= MOST_LINES else float(np.clip(0.17 * signals, 1.2, 3.5))


def _labels(names: Sequence[str], units: Sequence[str]) -> list[str]:
    return [f'{name} [{unit}]' if unit else name for name, unit in zip(names, units, strict=True)]


def _signals(axes: Axes, time: Array, values: Array, labels: Sequence[str], head: str, *, step: bool = False) -> None:
    if len(labels) > MOST_LINES:
        spread = np.abs(values).max(axis=0)
        _map(axes, time, values / np.where(spread > 0, spread, 1), labels, f'{head}, each over its own peak')
        return
    for column, label, colour in zip(values.T, labels, (*COLOURS, '#8a6d3b'), strict=False):
        if step:
            axes.stairs(column, _edges(time), lw=1.3, color=colour, label=label, baseline=None)
        else:
            axes.plot(time, column, lw=1.3, color=colour, label=label)
    axes.legend(
        loc='upper left', bbox_to_anchor=(1.0, 1.02), frameon=False, fontsize=8, labelcolor=INK, handlelength=1.2
    )
    tidy(axes)
    title(axes, head)


def _states(axes: Axes, rollout: Rollout) -> None:
    neurons = rollout.hidden.shape[1]
    for index, (column, colour) in enumerate(zip(rollout.hidden.T, colours_of(neurons), strict=True)):
        axes.plot(rollout.time, column, lw=1.3 if neurons <= 12 else 0.9, color=colour, alpha=0.9, label=str(index))
    axes.set_ylim(-1.06, 1.06)
    tidy(axes)
    title(axes, 'hidden state')
    axes.legend(
        loc='upper left', bbox_to_anchor=(1.0, 1.04), frameon=False, fontsize=7, labelcolor=INK, handlelength=1.0,
        ncols=1 + neurons // 9, title='neuron', title_fontsize=7.5, columnspacing=0.8, labelspacing=0.25,
    )  # fmt: skip


def _map(axes: Axes, time: Array, values: Array, labels: Sequence[str], head: str) -> None:
    """Draw each signal as a row of colours, from -1 through 0 (white) to 1."""
    rows = np.arange(len(labels) + 1)
    options: dict[str, Any] = {'cmap': SIGNED, 'vmin': -1, 'vmax': 1, 'rasterized': True}
    axes.pcolormesh(_edges(time), rows, values.T, **options)
    every = max(1, len(labels) // 13) if all(label.isdigit() for label in labels) else 1
    ticks = range(0, len(labels), every)
    axes.set_yticks([tick + 0.5 for tick in ticks], [labels[tick] for tick in ticks])
    axes.invert_yaxis()
    tidy(axes)
    axes.grid(visible=False)
    axes.tick_params(axis='y', labelsize=float(np.clip(90 / len(labels), 5.5, 7.5)) + 0.5, length=0)
    title(axes, head)
    scale = axes.inset_axes((1.012, 0.0, 0.012, 1.0))
    shades = np.linspace(-1, 1, 101)
    scale.pcolormesh([0, 1], shades, shades[:-1, None], **options)
    scale.yaxis.tick_right()
    scale.set(xticks=[], yticks=[-1, 0, 1])
    scale.tick_params(labelsize=7, length=2, color='#8c8c8c', labelcolor=INK)
    scale.spines[:].set_visible(False)


def _rewards(axes: Axes, rollout: Rollout) -> None:
    edges = _edges(rollout.time)
    axes.stairs(rollout.rewards, edges, fill=True, color=COLOURS[2], alpha=0.3, lw=0)
    axes.stairs(rollout.rewards, edges, color=COLOURS[2], lw=1.2, baseline=None)
    tidy(axes)
    total = f'{rollout.rewards.sum():.1f} in {len(rollout.rewards)} steps'
    ended = f', {len(rollout.returns)} episodes ended' if rollout.returns else ''
    title(axes, 'reward', total + ended)


def _edges(time: Array) -> Array:
    """Return the borders of the steps, one more than there are steps."""
    last = time[-1] - time[-2] if len(time) > 1 else 1.0
    return np.append(time, time[-1] + last)
