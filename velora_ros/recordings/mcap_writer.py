"""Write a recording: an MCAP file that contains, at any time, everything up to the last flush."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from mcap.well_known import MessageEncoding, Profile, SchemaEncoding
from mcap.writer import Writer

from velora_ros import __version__
from velora_ros.errors import ConfigError, StorageError
from velora_ros.recordings.messages import Channel, RawMessage

CHUNK_BYTES = 4 * 2**20
"""A chunk of this length is written immediately, regardless of the time."""


class McapFile:
    """
    An MCAP file with ROS 2 messages, written to a binary stream.

    Args:
        stream: the stream to write to; it stays open.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._writer: Any = Writer(stream, chunk_size=CHUNK_BYTES)
        self._writer.start(profile=Profile.ROS2, library=f'velora_ros {__version__}')
        self._schemas: dict[tuple[str, str], int] = {}
        self._channels: dict[str, int] = {}
        self._sequence: dict[str, int] = {}

    def add_channel(self, channel: Channel) -> None:
        """Add a topic, so that its messages can be written. A known topic keeps its definition."""
        if channel.topic in self._channels:
            return
        schema = (channel.type, channel.definition)
        if schema not in self._schemas:
            self._schemas[schema] = self._writer.register_schema(
                channel.type, SchemaEncoding.ROS2, channel.definition.encode()
            )
        self._channels[channel.topic] = self._writer.register_channel(
            channel.topic,
            MessageEncoding.CDR,
            self._schemas[schema],
            {'offered_qos_profiles': channel.qos} if channel.qos else {},
        )

    def write(self, message: RawMessage) -> None:
        """Write a message of a topic that was added."""
        sequence = self._sequence[message.topic] = self._sequence.get(message.topic, 0) + 1
        self._writer.add_message(
            self._channels[message.topic], message.received, message.data, message.published, sequence
        )

    def add_note(self, name: str, values: Mapping[str, str]) -> None:
        """Write a note: a name and text values."""
        self._writer.add_metadata(name, dict(values))

    def flush(self) -> None:
        """Finish the current chunk, so that a reader finds everything written so far."""
        self._writer.flush()

    def finish(self) -> None:
        """Write what is left and the index; the file is then complete."""
        self._writer.finish()


class RecordingFile(McapFile):
    """
    A new MCAP file on disk.

    Args:
        path: path of the file, which must not exist yet.

    Raises:
        ConfigError: the file exists.
        StorageError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open('xb')
        except FileExistsError as error:
            raise ConfigError(f"'{path}' exists; choose another name, or remove it first.") from error
        except OSError as error:
            raise StorageError(f"'{path}' cannot be written ({error.strerror}); choose a writable folder.") from error
        super().__init__(self._file)
        self.flush()

    def flush(self) -> None:
        """Finish the current chunk and write it to the disk."""
        super().flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write what is left and the index, and close the file."""
        try:
            self.finish()
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
