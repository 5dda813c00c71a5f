"""Frames that are lost on their way from the robot to the policy."""

import numpy as np

from velora_ros.gym.disturbances.random_generators import Mask, StreamGenerators


class DroppedFrames:
    """
    Loses frames of n streams, each frame with the same probability.

    Args:
        probability: probability that a frame is lost.
        most_in_a_row: largest number of frames lost in a row; None: no limit.
        streams: the random generators.
    """

    def __init__(self, probability: float, most_in_a_row: int | None, streams: StreamGenerators) -> None:
        self._probability, self._most, self._streams = probability, most_in_a_row, streams
        self._in_a_row = [0] * len(streams)

    def restart(self, mask: Mask | None = None) -> None:
        """Count the frames lost in a row from 0 again, in the streams of the mask, shape (n,); None: in all."""
        for stream, _ in self._streams.chosen(mask):
            self._in_a_row[stream] = 0

    def draw(self, mask: Mask | None = None) -> Mask:
        """
        Decide which streams lose their next frame.

        Args:
            mask: the streams that have a next frame, shape (n,); None: all.

        Returns:
            Shape (n,); False outside of the mask.
        """
        lost = np.zeros(len(self._streams), dtype=bool)
        for stream, generator in self._streams.chosen(mask):
            if self._in_a_row[stream] != self._most and generator.random() < self._probability:
                lost[stream] = True
                self._in_a_row[stream] += 1
            else:
                self._in_a_row[stream] = 0
        return lost
