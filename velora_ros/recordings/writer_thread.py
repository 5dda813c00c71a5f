"""Writes queued messages to a file in its own thread, and flushes the file every second."""

import threading
import time

from velora_ros.recordings.mcap_writer import RecordingFile
from velora_ros.recordings.message_queue import MessageQueue
from velora_ros.recordings.messages import Channel, Note

FLUSH_S = 1.0
"""Longest time from receiving a message until it is written to the disk, without the disk's own latency [s]."""


class WriterThread:
    """
    Writes the items of a queue until the queue is closed.

    Args:
        queue: the items.
        file: the file, which the thread closes.
    """

    def __init__(self, queue: MessageQueue, file: RecordingFile) -> None:
        self.error: OSError | None = None
        """Why writing ended early, for example because of a full disk."""
        self.written = 0
        """Number of messages written."""
        self._queue, self._file = queue, file
        self._thread = threading.Thread(target=self._run, name='recording')
        self._thread.start()

    def join(self) -> None:
        """Close the queue and wait until everything in it is written and the file is closed."""
        self._queue.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._write_until_closed()
        except OSError as error:
            self.error = error
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error

    def _write_until_closed(self) -> None:
        due, is_last = time.monotonic() + FLUSH_S, False
        while not is_last:
            is_last = self._queue.closed  # checked before the items are taken, so that none is missed
            for item in self._queue.take(max(0.0, due - time.monotonic())):
                if isinstance(item, Channel):
                    self._file.add_channel(item)
                elif isinstance(item, Note):
                    self._file.add_note(item.name, item.values)
                else:
                    self._file.write(item)
                    self.written += 1
            if time.monotonic() >= due:
                self._file.flush()
                due = time.monotonic() + FLUSH_S
