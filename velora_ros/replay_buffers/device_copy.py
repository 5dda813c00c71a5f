"""A copy of the replay on the device that learns, so that sequences are drawn there."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from velora_ros.replay_buffers.sequence_buffer import SequenceBuffer
from velora_ros.replay_buffers.vector_env_buffer import StreamBuffer

Integers = npt.NDArray[np.int64]


class DeviceRows:
    """
    The rows of a replay on a device, brought up to date by :meth:`update`.

    Saving and restoring still use the buffer on the host.

    Args:
        buffer: the replay.
        device: the device of the copy.
    """

    def __init__(self, buffer: SequenceBuffer | StreamBuffer, device: torch.device) -> None:
        self._buffer, self._device = buffer, device
        rings = buffer.rows if isinstance(buffer, StreamBuffer) else buffer.rows[None]
        self._host = rings.reshape(-1, rings.shape[2])
        self.n_streams, self.capacity = rings.shape[:2]
        self.columns = buffer.columns
        self.rows = torch.from_numpy(self._host).to(device, copy=True)
        self._counts = buffer.added.copy()
        self.oldest, self.held = (torch.zeros(self.n_streams, dtype=torch.int64, device=device) for _ in range(2))
        self._note_places()

    def update(self) -> None:
        """Copy the rows that were added since the last call, in one transfer."""
        new = self._buffer.added - self._counts
        if not new.any():
            return
        self._counts = self._buffer.added.copy()
        places = self._places_of_newest(np.minimum(new, self.capacity))
        rows = torch.from_numpy(self._host[places])
        if self._device.type == 'cuda':
            rows = rows.pin_memory()
        self.rows.index_copy_(0, torch.from_numpy(places).to(self._device), rows.to(self._device, non_blocking=True))
        self._note_places()

    def _places_of_newest(self, new: Integers) -> Integers:
        """Return the indices of each ring's newest rows, as flat indices over all rings."""
        back = np.arange(1, int(new.max()) + 1)
        within = (self._buffer.positions[:, None] - back) % self.capacity
        places: Integers = (np.arange(self.n_streams)[:, None] * self.capacity + within)[back <= new[:, None]]
        return places

    def _note_places(self) -> None:
        sizes = self._buffer.sizes
        oldest = np.where(sizes == self.capacity, self._buffer.positions, 0)
        self.oldest.copy_(torch.from_numpy(oldest))
        self.held.copy_(torch.from_numpy(sizes.astype(np.int64)))

    def gather(self, places: Tensor, length: int) -> Tensor:
        """
        Return sequences, shape (B, L, width), without waiting for the device.

        Args:
            places: the starts, as fractions of the number of possible starts; float64, shape (B,).
            length: number of steps of a sequence, L, including the burn-in.
        """
        starts = (self.held - length + 1).clamp(min=0)
        ends = starts.cumsum(0)
        place = torch.minimum((places * ends[-1]).long(), ends[-1] - 1)
        stream = torch.searchsorted(ends, place, right=True)
        begin = self.oldest[stream] + place - (ends - starts)[stream]
        steps = torch.arange(length, device=self._device)
        return self.rows[(stream * self.capacity)[:, None] + (begin[:, None] + steps) % self.capacity]
