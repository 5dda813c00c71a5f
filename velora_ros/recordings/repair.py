"""Rewrite a recording as a valid MCAP file, with an end and an index."""

import os
from pathlib import Path

from velora_ros.recordings.mcap_reader import Recording
from velora_ros.recordings.mcap_writer import McapFile
from velora_ros.utils.atomic_files import atomic_write


def write_recording(recording: Recording, path: str | os.PathLike[str]) -> None:
    """
    Write everything that was read from a recording to a file, which may be the same file.

    Raises:
        StorageError: the file cannot be written; an existing file is unchanged.
    """
    with atomic_write(Path(path)) as file:
        mcap = McapFile(file)
        for channel in recording.channels.values():
            mcap.add_channel(channel)
        for message in recording.messages:
            mcap.write(message)
        for note in recording.notes:
            mcap.add_note(note.name, note.values)
        mcap.finish()
