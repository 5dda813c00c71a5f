"""The bounded queue and the thread that writes what is in it."""

import errno
import threading

import pytest

from velora_ros.recordings.mcap_reader import read_recording
from velora_ros.recordings.mcap_writer import RecordingFile
from velora_ros.recordings.message_queue import MessageQueue
from velora_ros.recordings.messages import Channel, Note, RawMessage
from velora_ros.recordings.writer_thread import WriterThread

CHANNEL = Channel('/a', 'std_msgs/msg/Bool', 'bool data\n')


def message(k=0, length=10):
    return RawMessage('/a', k, k, bytes(length))


def test_what_finds_the_queue_full_is_dropped_and_counted():
    queue = MessageQueue(most_messages=2)
    assert [queue.put(message(k)) for k in range(4)] == [True, True, False, False]
    assert queue.dropped == {'/a': 2}
    assert queue.take(0.0) == [message(0), message(1)]
    assert queue.put(message(5))


def test_the_length_of_messages_is_bounded_too():
    queue = MessageQueue(most_bytes=25)
    assert [queue.put(message(k)) for k in range(3)] == [True, True, False]
    queue.take(0.0)
    assert queue.put(message(3))


def test_channels_and_notes_are_never_dropped():
    queue = MessageQueue(most_messages=0)
    assert queue.put(CHANNEL)
    assert queue.put(Note('n', {}))
    assert not queue.put(message())
    assert queue.take(0.0) == [CHANNEL, Note('n', {})]


def test_closing_ends_the_wait_of_who_takes():
    queue = MessageQueue()
    waiting = threading.Thread(target=queue.take, args=(60.0,))
    waiting.start()
    queue.close()
    waiting.join(30.0)
    assert not waiting.is_alive()


def test_the_thread_writes_everything_before_it_ends(tmp_path):
    queue = MessageQueue()
    writer = WriterThread(queue, RecordingFile(tmp_path / 'a.mcap'))
    for item in (CHANNEL, *(message(k) for k in range(100)), Note('end', {'x': 'y'})):
        queue.put(item)
    writer.join()
    recording = read_recording(tmp_path / 'a.mcap')
    assert recording.messages == [message(k) for k in range(100)]
    assert recording.notes == [Note('end', {'x': 'y'})]
    assert (writer.written, writer.error, recording.complete) == (100, None, True)


def test_a_full_disk_is_kept_as_the_reason_and_ends_the_thread(tmp_path):
    class Full(RecordingFile):
        def write(self, message):
            raise OSError(errno.ENOSPC, 'No space left on device')

    queue = MessageQueue()
    writer = WriterThread(queue, Full(tmp_path / 'a.mcap'))
    queue.put(CHANNEL)
    queue.put(message())
    writer.join()
    assert writer.error.errno == errno.ENOSPC
    assert writer.written == 0


@pytest.mark.parametrize('count', [1, 5])
def test_what_was_queued_is_on_the_disk_after_a_second(tmp_path, count):
    queue = MessageQueue()
    writer = WriterThread(queue, RecordingFile(tmp_path / 'a.mcap'))
    queue.put(CHANNEL)
    for k in range(count):
        queue.put(message(k))
    try:
        done = threading.Event()
        for _ in range(600):
            if len(read_recording(tmp_path / 'a.mcap').messages) == count:
                break
            done.wait(0.05)
        else:
            pytest.fail('nothing was flushed in 30 s')
    finally:
        writer.join()
