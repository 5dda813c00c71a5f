"""Sequence replay: it knows no agent and no environment, only rows of numbers and where episodes start."""

from velora_ros.replay.buffer import Batch, SequenceBuffer, Transition

__all__ = ['Batch', 'SequenceBuffer', 'Transition']
