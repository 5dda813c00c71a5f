"""Keeps the last seconds of the hidden state, as a picture, and of the commands, as curves."""

from collections import deque

import numpy as np
import numpy.typing as npt

from velora_ros.nodes.view.command_numbers import Numbers

Picture = npt.NDArray[np.uint8]

COLUMNS = 150
HEIGHT, COLUMN = 96, 2  # minimum height of the picture, and width of one hidden state [pixels]
LEAST_ROW = 4  # minimum height of a neuron [pixels]
MOST_CURVES = 12
# From negative to positive: blue, white, red.
_NEGATIVE, _ZERO, _POSITIVE = np.array([[33, 102, 172], [247, 247, 247], [178, 24, 43]], np.float64)


class HiddenTrace:
    """The newest hidden states as a picture: one row for each neuron, time from left to right."""

    def __init__(self) -> None:
        self._columns: deque[npt.NDArray[np.float64]] = deque(maxlen=COLUMNS)

    def add(self, hidden: npt.ArrayLike) -> None:
        """Add the newest hidden state, shape (neurons,); if the number of neurons changes, a new picture begins."""
        values = np.nan_to_num(np.asarray(hidden, np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
        if self._columns and len(self._columns[-1]) != len(values):
            self._columns.clear()
        self._columns.append(values)

    def picture(self) -> Picture | None:
        """
        Return the picture, shape (at least 96, 300, 3): red for positive, blue for negative values, white for 0.

        Returns:
            The picture; None before the first hidden state. The full colour is an absolute value of 1 or more.
        """
        if not self._columns or not len(self._columns[-1]):
            return None
        values = np.zeros((len(self._columns[-1]), COLUMNS))
        values[:, COLUMNS - len(self._columns) :] = np.stack(self._columns, axis=1)
        strength = np.clip(np.abs(values), 0, 1)[..., None]
        full = np.where(values[..., None] < 0, _NEGATIVE, _POSITIVE)
        colours = (_ZERO + strength * (full - _ZERO)).astype(np.uint8)
        row = max(LEAST_ROW, HEIGHT // len(values))
        return np.repeat(np.repeat(colours, row, axis=0), COLUMN, axis=1)


class CommandTrace:
    """The newest commands as curves over time; if the names of the commands change, new curves begin."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=COLUMNS)
        self._rows: deque[list[float]] = deque(maxlen=COLUMNS)
        self.names: tuple[str, ...] = ()
        """Names of the commands, at most twelve."""

    def add(self, now: float, numbers: Numbers) -> None:
        """Add the command at the time ``now`` [s]; ``numbers`` has its values by name."""
        names = tuple(numbers)[:MOST_CURVES]
        if names != self.names:
            self.names = names
            self._times.clear()
            self._rows.clear()
        self._times.append(now)
        self._rows.append([numbers[name] for name in names])

    def curves(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Return the times relative to the newest command [s], shape (n,), and for each name its values, shape (n,)."""
        times = np.array(self._times) - (self._times[-1] if self._times else 0.0)
        return (times, *(np.array(self._rows, np.float64).reshape(len(times), len(self.names)).T))
