"""The replay, from which sequences of transitions are drawn; it does not depend on agents or environments."""

from velora_ros.replay_buffers.sequence_buffer import Batch, SequenceBuffer, Transition
from velora_ros.replay_buffers.vector_env_buffer import StreamBuffer, Transitions

__all__ = ['Batch', 'SequenceBuffer', 'StreamBuffer', 'Transition', 'Transitions']
