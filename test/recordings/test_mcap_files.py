"""Recordings written and read: complete ones, and those of a recorder that was killed."""

import os
import struct

import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from velora_ros.errors import ConfigError, RecordingError
from velora_ros.recordings.mcap_reader import read_recording
from velora_ros.recordings.mcap_writer import RecordingFile
from velora_ros.recordings.messages import Channel, Note, RawMessage
from velora_ros.recordings.repair import write_recording

NUMBER = Channel('/number', 'std_msgs/msg/Float64', 'float64 data\n')
FLAG = Channel('/flag', 'std_msgs/msg/Bool', 'bool data\n')
SECOND = 1_000_000_000


def number(k):
    """The k-th message of a topic at 10 Hz: a Float64 in CDR."""
    return RawMessage('/number', k * SECOND // 10 + 5, k * SECOND // 10, b'\0\1\0\0' + struct.pack('<d', k / 4))


def write(path, *, seconds=3, close=True):
    """Ten messages a second, flushed every second."""
    file = RecordingFile(path)
    file.add_channel(NUMBER)
    file.add_channel(FLAG)
    file.add_note('who', {'digest': 'abc'})
    for k in range(10 * seconds):
        file.write(number(k))
        if k % 10 == 9:
            file.flush()
    if not close:  # as if the process were killed
        file._file.close()
    else:
        file.close()


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / 'a.mcap'
    write(path)
    recording = read_recording(path)
    assert recording.messages == [number(k) for k in range(30)]
    assert recording.channels == {'/number': NUMBER, '/flag': FLAG}
    assert recording.notes == [Note('who', {'digest': 'abc'})]
    assert recording.complete
    assert recording.unreadable == 0
    assert recording.seconds == pytest.approx(2.9)


def test_the_plain_reader_opens_it_with_schemas(tmp_path):
    path = tmp_path / 'a.mcap'
    write(path)
    with path.open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        summary = reader.get_summary()
        decoded = [(one[0].name, one[2].log_time, one[3].data) for one in reader.iter_decoded_messages()]
        assert [one.name for one in reader.iter_metadata()] == ['who']
    assert decoded == [('std_msgs/msg/Float64', number(k).received, k / 4) for k in range(30)]
    assert summary.statistics.message_count == 30
    assert len(summary.chunk_indexes) == 3, 'one chunk for each flush'


@pytest.mark.parametrize('cut', [1, 7, 20, 64, 200, 333])
def test_of_a_file_that_was_cut_short_all_whole_chunks_are_read(tmp_path, cut):
    path, whole = tmp_path / 'a.mcap', tmp_path / 'whole.mcap'
    write(whole, close=False)
    data = whole.read_bytes()
    path.write_bytes(data[: len(data) - cut])
    recording = read_recording(path)
    assert not recording.complete
    assert len(recording.messages) in (10, 20, 30)
    assert recording.messages == [number(k) for k in range(len(recording.messages))]
    assert recording.notes == [Note('who', {'digest': 'abc'})]


def test_a_file_that_is_being_written_has_everything_up_to_the_last_flush(tmp_path):
    path = tmp_path / 'a.mcap'
    file = RecordingFile(path)
    file.add_channel(NUMBER)
    for k in range(15):
        file.write(number(k))
        if k == 9:
            file.flush()
    recording = read_recording(path)
    file.close()
    assert recording.messages == [number(k) for k in range(10)]
    assert (recording.complete, recording.unreadable) == (False, 0)


def test_a_damaged_chunk_ends_what_is_read(tmp_path):
    path = tmp_path / 'a.mcap'
    write(path, close=False)
    data = bytearray(path.read_bytes())
    data[-300:-100] = bytes(200)  # as after a power failure
    path.write_bytes(data)
    recording = read_recording(path)
    assert recording.messages in ([number(k) for k in range(10)], [number(k) for k in range(20)])
    assert not recording.complete
    assert recording.unreadable > 0


def test_a_repaired_recording_is_valid_and_has_the_same_content(tmp_path):
    path, repaired = tmp_path / 'a.mcap', tmp_path / 'b.mcap'
    write(path, close=False)
    recording = read_recording(path)
    write_recording(recording, repaired)
    again = read_recording(repaired)
    assert again.complete
    assert (again.messages, again.channels, again.notes) == (recording.messages, recording.channels, recording.notes)
    with repaired.open('rb') as file:
        assert make_reader(file).get_summary().statistics.message_count == 30


def test_only_the_topics_that_are_asked_for_are_read(tmp_path):
    path = tmp_path / 'a.mcap'
    write(path)
    assert read_recording(path, ['/flag']).messages == []
    assert len(read_recording(path, ['/number']).messages) == 30


def test_an_existing_file_is_not_overwritten(tmp_path):
    path = tmp_path / 'a.mcap'
    path.write_text('mine')
    with pytest.raises(ConfigError, match='exists; choose another name'):
        RecordingFile(path)
    assert path.read_text() == 'mine'


@pytest.mark.parametrize('content', [b'', b'short', b'PK\3\4 something else', b'{}' * 99])
def test_another_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / 'a.mcap'
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"a\.mcap' is not an MCAP file"):
        read_recording(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecordingError, match=r"no\.mcap' cannot be read \(No such file or directory\)"):
        read_recording(tmp_path / 'no.mcap')


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(RecordingError, match=os.strerror(21)):
        read_recording(tmp_path)
