"""Draw a policy's wiring: four columns of neurons, and every synapse between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.pictures.style import (
    INK,
    NEGATIVE,
    POSITIVE,
    Axes,
    Figure,
    Line2D,
    LineCollection,
    colours_of,
    new_figure,
    readable_on,
    to_rgba_array,
)  # fmt: skip
from velora_ros.policy import PolicyFile

Array = npt.NDArray[np.float64]

COLUMNS = {'sensory': 0.0, 'inter': 1.0, 'command': 2.0, 'motor': 3.15}
SAMPLES = 30  # points of a curve
WIDEST = 2.6  # line width of the strongest synapse of a layer [points]


@dataclass(frozen=True)
class Synapses:
    """
    One layer's synapses.

    Args:
        weights: shape (targets, sources); 0 where there is no synapse.
        sources: column and heights of the source neurons.
        targets: column and heights of the target neurons.
    """

    weights: Array
    sources: tuple[str, Array]
    targets: tuple[str, Array]


def draw_wiring(file: PolicyFile) -> Figure:
    """
    Draw the neurons of a policy in four columns, and every synapse between them.

    The colour of a synapse is the sign of its weight; its width and opacity show the weight's size, relative to the
    strongest synapse of the layer. Synapses onto command neurons have one weight for each gate; the picture shows the
    gates that drive the state: the mean of g and k in a CfC cell, n in a GRU. The neurons of a column are ordered so
    that fewer lines cross.
    """
    spec = file.spec
    inter = file.tensors['inter.weight'].astype(np.float64)
    driving = _driving(file.tensors['command.weight'].astype(np.float64), file.hidden_size)
    forward, recurrent = driving[:, : len(inter)], driving[:, -file.hidden_size :]
    motor = file.tensors['motor.weight'].astype(np.float64)

    heights = _heights(inter, forward, motor)
    at = {column: (column, heights[column]) for column in COLUMNS}
    tallest = max(len(inter), spec.observation_dim, file.hidden_size, spec.action_dim)
    figure = new_figure(10.5 if tallest < 20 else 12.5, float(np.clip(2.0 + 0.26 * tallest, 5.0, 10.5)))
    axes = figure.add_subplot()
    for layer in (
        Synapses(inter, at['sensory'], at['inter']),
        Synapses(forward, at['inter'], at['command']),
        Synapses(recurrent, at['command'], at['command']),
        Synapses(motor, at['command'], at['motor']),
    ):
        axes.add_collection(_lines(layer))
    size = float(np.clip(4400 / tallest, 90, 200))
    _neurons(axes, at, size)
    _labels(axes, file, at, size)
    _legend(axes)
    axes.set(xlim=(-0.95, 4.1), ylim=(-0.01, 1.12))
    axes.axis('off')
    sizes = f'{file.n_neurons} neurons, {_count(file)} synapses'
    axes.set_title(f'{file.environment or "policy"}: {sizes}', fontsize=12, color=INK, fontweight='bold', pad=10)
    return figure


def _driving(weight: Array, neurons: int) -> Array:
    """Return the weights of the gates that drive the state, shape (command, inputs)."""
    gates = weight.reshape(-1, neurons, weight.shape[1])
    driving: Array = gates[:2].mean(axis=0) if len(gates) == 4 else gates[-1]  # CfC; GRU and a plain layer
    return driving


def _heights(inter: Array, forward: Array, motor: Array) -> dict[str, Array]:
    """Return each neuron's height in [0, 1]; the neurons of a column are in the order of their mean source height."""
    heights = {'sensory': _spread(np.arange(inter.shape[1])[::-1])}
    heights['inter'] = _spread(_rank(_mean_height(inter, heights['sensory'])))
    heights['command'] = _spread(_rank(_mean_height(forward, heights['inter'])))
    heights['motor'] = _spread(np.arange(len(motor))[::-1])
    return heights


def _mean_height(weights: Array, sources: Array) -> Array:
    strength = np.abs(weights)
    total = strength.sum(axis=1)
    mean: Array = strength @ sources / np.where(total > 0, total, 1)
    return mean


def _rank(values: Array) -> Array:
    rank: Array = np.argsort(np.argsort(values, kind='stable')).astype(np.float64)
    return rank


def _spread(ranks: npt.ArrayLike) -> Array:
    """Return heights in [0, 1] for the ranks 0 to n-1, evenly spaced; a few neurons do not fill the whole height."""
    ranks = np.asarray(ranks, dtype=np.float64)
    reach = min(0.5, 0.09 * len(ranks))
    return 0.5 + reach * (2 * (ranks + 0.5) / len(ranks) - 1)


def _lines(layer: Synapses) -> LineCollection:
    """Return the layer's synapses as curves, the strongest last, so that they are on top."""
    targets, sources = np.nonzero(layer.weights)
    weights = layer.weights[targets, sources]
    order = np.argsort(np.abs(weights))
    targets, sources, weights = targets[order], sources[order], weights[order]
    share = np.abs(weights) / max(float(np.abs(weights).max(initial=0.0)), 1e-30)
    colours = to_rgba_array([POSITIVE if weight > 0 else NEGATIVE for weight in weights])
    crowd = min(1.0, (60 / max(len(weights), 1)) ** 0.4)  # the more lines, the fainter each
    colours[:, 3] = np.clip((0.05 + 0.9 * share**1.5) * (0.25 + 0.75 * crowd), 0, 1)
    start, end = layer.sources[1][sources], layer.targets[1][targets]
    if layer.sources[0] == layer.targets[0]:
        curves = _arcs(COLUMNS[layer.sources[0]], start, end)
    else:
        curves = _bridges(COLUMNS[layer.sources[0]], COLUMNS[layer.targets[0]], start, end)
    return LineCollection(list(curves), colors=colours, linewidths=0.25 + WIDEST * share * crowd, capstyle='round')


def _bridges(left: float, right: float, start: Array, end: Array) -> Array:
    """Return smooth curves from column to column, shape (synapses, SAMPLES, 2)."""
    t = np.linspace(0, 1, SAMPLES)
    ease = t * t * (3 - 2 * t)
    x = np.broadcast_to(left + (right - left) * t, (len(start), SAMPLES))
    y = start[:, None] + (end - start)[:, None] * ease
    return np.stack([x, y], axis=-1)


def _arcs(column: float, start: Array, end: Array) -> Array:
    """Return arcs from a column to itself, on its right side, shape (synapses, SAMPLES, 2)."""
    t = np.linspace(0, np.pi, SAMPLES)
    middle, half = (start + end)[:, None] / 2, (start - end)[:, None] / 2
    loop = np.abs(half) < 1e-12  # a neuron onto itself: a small ring
    bulge = np.where(loop, 0.1, 0.1 + 0.62 * np.abs(2 * half))
    ring = 2 * t[None] - np.pi / 2
    x = column + np.where(loop, bulge * (0.5 + 0.5 * np.sin(ring)), bulge * np.sin(t)[None])
    y = middle + np.where(loop, 0.012 * np.cos(ring), half * np.cos(t)[None])
    return np.stack([x, y], axis=-1)


def _neurons(axes: Axes, at: dict[str, tuple[str, Array]], size: float) -> None:
    plain: dict[str, Any] = {'sensory': '#f1e9d2', 'inter': '#e6e6e6', 'motor': '#f1e9d2'}
    for column, (_, heights) in at.items():
        colours: Any = colours_of(len(heights)) if column == 'command' else plain[column]
        x = np.full(len(heights), COLUMNS[column])
        axes.scatter(x, heights, s=size, c=colours, edgecolors=INK, linewidths=0.8, zorder=3, clip_on=False)


def _labels(axes: Axes, file: PolicyFile, at: dict[str, tuple[str, Array]], size: float) -> None:
    spec = file.spec
    small = float(np.clip(0.62 * size**0.5, 5.0, 7.5))
    sides: list[tuple[str, Sequence[str], Sequence[str], float, str]] = [
        ('sensory', spec.observation_names, spec.observation_units, -0.09, 'right'),
        ('motor', spec.action_names, spec.action_units, 0.09, 'left'),
    ]
    for column, names, units, shift, side in sides:
        font = float(np.clip(200 / len(names), 5.5, 9))
        for name, unit, height in zip(names, units, at[column][1], strict=True):
            text = f'{name} [{unit}]' if unit else name
            axes.text(COLUMNS[column] + shift, height, text, ha=side, va='center', fontsize=font, color=INK)
    heights = at['command'][1]
    for index, (height, colour) in enumerate(zip(heights, colours_of(len(heights)), strict=True)):
        axes.text(
            COLUMNS['command'], height, str(index), ha='center', va='center_baseline', fontsize=small,
            color=readable_on(colour), fontweight='bold', zorder=4,
        )  # fmt: skip
    heads = {
        'sensory': f'{spec.observation_dim} observations', 'inter': f'{len(at["inter"][1])} inter',
        'command': f'{file.hidden_size} command\n(hidden state)', 'motor': f'{spec.action_dim} actions',
    }  # fmt: skip
    for column, text in heads.items():
        head = text.removesuffix('s') if text.startswith('1 ') else text
        axes.text(COLUMNS[column], 1.04, head, ha='center', va='bottom', fontsize=9, color=INK)


def _legend(axes: Axes) -> None:
    lines = [
        Line2D([], [], color=colour, lw=width, alpha=alpha, label=label)
        for colour, width, alpha, label in (
            (POSITIVE, WIDEST, 0.9, 'excites'), (NEGATIVE, WIDEST, 0.9, 'inhibits'),
            (INK, WIDEST, 0.9, 'strongest of its layer'), (INK, 0.6, 0.4, 'a quarter of it'),
        )
    ]  # fmt: skip
    axes.legend(
        handles=lines, loc='upper center', bbox_to_anchor=(0.5, 0.0), ncols=4, frameon=False, fontsize=8,
        labelcolor=INK,
    )  # fmt: skip


def _count(file: PolicyFile) -> int:
    return sum(int(file.tensors[f'wiring.{layer}'].sum()) for layer in ('inter', 'command', 'motor'))
