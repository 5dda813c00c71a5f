"""Sequence replay: rows of numbers and where episodes start, independent of agents and environments."""

from velora_ros.replay.buffer import Batch, SequenceBuffer, Transition

__all__ = ['Batch', 'SequenceBuffer', 'Transition']
