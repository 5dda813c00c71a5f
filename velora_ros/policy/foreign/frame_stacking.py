"""Builds the input of a network that reads several frames of its observation: for each term, the oldest frame first."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Frames:
    """
    Builds the input of a network from the newest observation and earlier frames.

    A network reads, term by term, ``lengths`` frames of each term, the oldest first; Isaac Lab and mjlab flatten a
    history in this way. After a reset, all frames are the first observation, as in these libraries.

    Args:
        widths: number of entries of each term.
        lengths: number of frames of each term, at least 1.
    """

    def __init__(self, widths: Sequence[int], lengths: Sequence[int]) -> None:
        self.size = sum(width * length for width, length in zip(widths, lengths, strict=True))
        """Number of entries of the network's input."""
        sources, newest, at, first = [], [], 0, 0
        for width, length in zip(widths, lengths, strict=True):
            block = np.arange(at, at + width * length)
            sources.append(np.concatenate([block[width:], block[:width]]))  # frames move towards the oldest
            newest.append(block[-width:])
            at, first = at + width * length, first + width
        self._from = np.concatenate(sources)
        self._newest = np.concatenate(newest)
        self._entry = np.concatenate(
            [
                np.tile(np.arange(start, start + width), length)
                for start, width, length in zip(_starts(widths), widths, lengths, strict=True)
            ]
        )

    def next(self, frames: Array, observation: Array, *, first: bool) -> Array:
        """
        Return the frames after an observation, shape (size,): the network's input.

        Args:
            frames: the earlier frames, shape (size,).
            observation: the newest observation, shape (observation,).
            first: whether the observation is the first after a reset.
        """
        if first:
            found: Array = observation[self._entry]
            return found
        after: Array = frames[self._from]
        after[self._newest] = observation
        return after


def _starts(widths: Sequence[int]) -> list[int]:
    return [0, *np.cumsum(widths)[:-1].tolist()]
