"""Draw recorded commands and another policy's commands over time."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from velora_ros.pictures.style import COLOURS, INK, Axes, Figure, new_figure, tidy, title

Series = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def draw_commands(labels: Sequence[str], recorded: Series, other: Series, name: str) -> Figure:
    """
    Draw one panel for each action.

    Args:
        labels: the actions, with units.
        recorded: times, shape (n,) [s], and commands, shape (n, action).
        other: times, shape (m,) [s], and commands of the other policy, shape (m, action).
        name: name of the other policy, for the legend.
    """
    figure = new_figure(10.5, 0.8 + 1.5 * len(labels))
    panels: Sequence[Axes] = list(figure.subplots(len(labels), 1, sharex=True, squeeze=False)[:, 0])
    for k, (axes, label) in enumerate(zip(panels, labels, strict=True)):
        axes.plot(other[0], other[1][:, k], lw=1.2, color=COLOURS[1], label=name)
        axes.plot(recorded[0], recorded[1][:, k], lw=1.2, color=COLOURS[0], label='recorded')
        tidy(axes)
        title(axes, label)
    panels[0].legend(loc='upper right', frameon=False, fontsize=8, labelcolor=INK, ncols=2)
    panels[-1].set_xlabel('time [s]', fontsize=9, color=INK)
    return figure
