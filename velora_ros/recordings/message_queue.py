"""The bounded queue between the receiver of messages and their writer; the receiver never waits for the disk."""

import threading
from collections import Counter, deque

from velora_ros.recordings.messages import Channel, Note, RawMessage

Item = Channel | Note | RawMessage


class MessageQueue:
    """
    Passes messages from one thread to another. A message that arrives while the queue is full is dropped and counted.

    Channels and notes are never dropped.

    Args:
        most_messages: largest number of items in the queue.
        most_bytes: largest sum of the messages' lengths [bytes].
    """

    def __init__(self, most_messages: int = 50_000, most_bytes: int = 64 * 2**20) -> None:
        self.dropped: Counter[str] = Counter()
        """Number of dropped messages by topic."""
        self._most_messages, self._most_bytes = most_messages, most_bytes
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Append an item; return False if it was dropped."""
        with self._changed:
            if isinstance(item, RawMessage):
                if len(self._items) >= self._most_messages or self._bytes + len(item.data) > self._most_bytes:
                    self.dropped[item.topic] += 1
                    return False
                self._bytes += len(item.data)
            self._items.append(item)
            self._changed.notify()
        return True

    def take(self, timeout: float) -> list[Item]:
        """Return all items, oldest first; if there is none, wait for one for at most ``timeout`` [s]."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(timeout)
            items = list(self._items)
            self._items.clear()
            self._bytes = 0
        return items

    def close(self) -> None:
        """Make :meth:`take` return immediately; queued items can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    @property
    def closed(self) -> bool:
        """Whether the queue was closed."""
        return self._closed
