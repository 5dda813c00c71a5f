"""Frames that are lost on their way from the robot to the policy."""

import numpy as np

from velora_ros.gym.disturbances.random_streams import Mask, RandomStreams


class DroppedFrames:
    """
    Loses frames of n streams, each frame with the same probability.

    Args:
        probability: that a frame is lost.
        most_in_a_row: most frames lost in a row; None: no limit.
        streams: the random generators.
    """

    def __init__(self, probability: float, most_in_a_row: int | None, streams: RandomStreams) -> None:
        self._probability, self._most, self._streams = probability, most_in_a_row, streams
        self._in_a_row = np.zeros(len(streams), dtype=int)

    def restart(self, mask: Mask | None = None) -> None:
        """Count the frames lost in a row from 0 again, in the streams of the mask, shape (n,); None: in all."""
        self._in_a_row[slice(None) if mask is None else mask] = 0

    def draw(self, mask: Mask | None = None) -> Mask:
        """
        Decide which streams lose their next frame.

        Args:
            mask: the streams that have a next frame, shape (n,); None: all.

        Returns:
            Shape (n,); False outside of the mask.
        """
        chosen = np.ones(len(self._streams), dtype=bool) if mask is None else mask
        may_be_lost = chosen if self._most is None else chosen & (self._in_a_row < self._most)
        lost = may_be_lost & (self._streams.uniform(may_be_lost) < self._probability)
        self._in_a_row[lost] += 1
        self._in_a_row[chosen & ~lost] = 0
        return lost
