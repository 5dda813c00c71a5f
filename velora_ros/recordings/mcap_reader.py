"""Read a recording, complete or truncated: a recorder that was killed leaves a file without an end or an index."""

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mcap.exceptions import EndOfFile, InvalidMagic
from mcap.opcode import Opcode
from mcap.records import Channel as ChannelRecord
from mcap.records import Message, Metadata, Schema
from mcap.stream_reader import StreamReader

from velora_ros.errors import RecordingError
from velora_ros.recordings.messages import Channel, Note, RawMessage

_HEAD = struct.Struct('<BQ')  # opcode and length of a record
_MAGIC_BYTES = 8


@dataclass
class Recording:
    """
    The content of an MCAP file with ROS 2 messages.

    Args:
        channels: the topics, by name.
        messages: all messages in the order in which they were received.
        notes: all notes, in the order of the file.
        complete: whether the file has an end; False after the recorder was killed.
        unreadable: number of bytes at the end of the file that cannot be read.
    """

    channels: dict[str, Channel] = field(default_factory=dict)
    messages: list[RawMessage] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    complete: bool = False
    unreadable: int = 0

    def of(self, topic: str) -> list[RawMessage]:
        """Return the messages of a topic."""
        return [message for message in self.messages if message.topic == topic]

    @property
    def seconds(self) -> float:
        """Time from the first to the last message [s]."""
        times = [message.received for message in self.messages]
        return (max(times) - min(times)) * 1e-9 if times else 0.0


def read_recording(path: str | Path, topics: Collection[str] | None = None) -> Recording:
    """
    Read a recording up to its end or its truncation.

    Args:
        path: an MCAP file.
        topics: the topics whose messages are read; None: all.

    Raises:
        RecordingError: the file is missing or not an MCAP file, or has no readable beginning.
    """
    recording = Recording()
    schemas: dict[int, Schema] = {}
    by_id: dict[int, str] = {}
    try:
        with Path(path).open('rb') as file:
            whole, size = _whole_records(file)
            recording.unreadable = size - whole
            for record in _records(file, whole, recording):
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, ChannelRecord):
                    by_id[record.id] = record.topic
                    recording.channels.setdefault(record.topic, _channel(record, schemas))
                elif isinstance(record, Metadata):
                    recording.notes.append(Note(record.name, record.metadata))
                elif isinstance(record, Message) and (topics is None or by_id[record.channel_id] in topics):
                    recording.messages.append(
                        RawMessage(by_id[record.channel_id], record.log_time, record.publish_time, record.data)
                    )
    except OSError as error:
        raise RecordingError(f"'{path}' cannot be read ({error.strerror}); give the name of an MCAP file.") from error
    except InvalidMagic as error:
        raise RecordingError(f"'{path}' is not an MCAP file; give a file that 'velora_ros record' wrote.") from error
    recording.messages.sort(key=lambda message: message.received)
    return recording


def _channel(record: ChannelRecord, schemas: dict[int, Schema]) -> Channel:
    schema = schemas.get(record.schema_id)
    name, definition = (schema.name, schema.data.decode()) if schema else ('', '')
    return Channel(record.topic, name, definition, record.metadata.get('offered_qos_profiles', ''))


def _whole_records(file: IO[bytes]) -> tuple[int, int]:
    """Return the length of the file's beginning that consists of whole records, and the file's length."""
    size = file.seek(0, 2)
    if size < _MAGIC_BYTES:
        raise InvalidMagic(b'')
    at, opcode = _MAGIC_BYTES, None
    while opcode != Opcode.FOOTER:
        file.seek(at)
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            break
        opcode, length = _HEAD.unpack(head)
        if at + _HEAD.size + length > size:
            break
        at += _HEAD.size + length
    if opcode == Opcode.FOOTER and at + _MAGIC_BYTES <= size:
        at = size  # the closing magic bytes
    file.seek(0)
    return at, size


def _records(file: IO[bytes], whole: int, recording: Recording) -> Iterator[object]:
    """Yield the records of the file's beginning; a damaged chunk ends it."""
    beginning = _Beginning(file, whole)
    try:
        yield from StreamReader(beginning, validate_crcs=True).records  # type: ignore[arg-type]
        recording.complete = True
    except EndOfFile:
        pass  # no footer: the file was truncated after the last whole record
    except (InvalidMagic, OSError):
        raise
    except Exception:  # damaged bytes: each decompressor raises its own error
        recording.unreadable += beginning.left


class _Beginning:
    """The first bytes of a file, as a stream."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self.left = file, length

    def read(self, length: int = -1) -> bytes:
        """Return the next bytes; fewer at the end."""
        wanted = self.left if length < 0 else min(length, self.left)
        data = self._file.read(wanted)
        self.left -= len(data)
        return data
