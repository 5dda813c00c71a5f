"""
The common part of all pictures: colours, uncluttered axes, and saving.

Pictures import matplotlib only through this module.

Raises:
    MissingDependencyError: on import, if matplotlib is not installed.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from velora_ros.errors import ConfigError, MissingDependencyError
from velora_ros.utils.atomic_files import atomic_write
from velora_ros.utils.dependencies import how_to_install
from velora_ros.utils.shipped_files import PACKAGE

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap, to_rgb, to_rgba_array
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text
except ImportError as error:
    raise MissingDependencyError(
        f'a picture needs {error.name}, which is not installed. {how_to_install("train")}'
    ) from error

__all__ = [
    'COLOURS', 'FORMATS', 'INK', 'NEGATIVE', 'POSITIVE', 'SIGNED', 'Axes', 'Figure', 'Line2D', 'LineCollection',
    'colours_of', 'new_figure', 'picture_path', 'readable_on', 'save', 'tidy', 'title', 'to_rgba_array',
]  # fmt: skip

# The palette of Okabe and Ito, which colour-blind readers can tell apart, also in grey.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#666666')
INK, FAINT = '#2b2b2b', '#d9d9d9'
POSITIVE, NEGATIVE = '#2166ac', '#c2410c'
SIGNED = LinearSegmentedColormap.from_list('signed', [NEGATIVE, 'white', POSITIVE])
FORMATS = ('.png', '.svg')
DOTS_PER_INCH = 150


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size [inches] that arranges its panels itself."""
    return Figure(figsize=(width, height), layout='constrained', facecolor='white')


def tidy(axes: Axes) -> None:
    """Remove clutter: two sides of the frame, dark grid lines and large labels."""
    axes.spines[['top', 'right']].set_visible(False)
    axes.spines[['left', 'bottom']].set_color('#8c8c8c')
    axes.tick_params(colors=INK, labelsize=8, length=3, color='#8c8c8c')
    axes.grid(color=FAINT, lw=0.6)
    axes.set_axisbelow(True)


def title(axes: Axes, text: str, detail: str = '') -> None:
    """Write a panel's title on the left and, less prominently, a detail on the right."""
    axes.set_title(text, loc='left', fontsize=9.5, color=INK, fontweight='bold')
    if detail:
        axes.set_title(detail, loc='right', fontsize=8, color='#6b6b6b')


def colours_of(count: int) -> list[Any]:
    """Return ``count`` colours: from the palette, or, if it has too few, evenly spaced from a colour map."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    vivid = mpl.colormaps['turbo'](np.linspace(0.04, 0.96, count))[:, :3]
    return [tuple(map(float, 0.82 * colour + 0.06)) for colour in vivid]


def readable_on(colour: Any) -> str:
    """Return black or white, whichever is readable on the colour."""
    red, green, blue = to_rgb(colour)
    return 'black' if 0.299 * red + 0.587 * green + 0.114 * blue > 0.58 else 'white'


def picture_path(text: str, flag: str) -> Path:
    """
    Check the path of a picture before anything runs.

    Raises:
        ConfigError: the name does not end in a valid format, or the folder is missing.
    """
    path = Path(text)
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"{flag} is '{text}'; the name must end in {' or '.join(FORMATS)}.")
    if not path.parent.is_dir():
        raise ConfigError(f"{flag} is '{text}'; the folder '{path.parent}' does not exist. Create it first.")
    return path


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """
    Write a picture in the format of its file name. The same drawing gives the same bytes.

    Raises:
        StorageError: the file cannot be written; an older file is unchanged.
    """
    kind = Path(path).suffix.lower().lstrip('.')
    metadata = {'Date': None} if kind == 'svg' else {'Software': PACKAGE}
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # titles and labels are plain text, in which a dollar sign has no special meaning
    with atomic_write(path) as file, mpl.rc_context({'svg.hashsalt': PACKAGE}):
        figure.savefig(file, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
