"""The training process, from trainer_node's end of its pipes."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from velora_ros.nodes.trainer import training_process

Event = dict[str, Any]


class TrainingProcess:
    """
    One training in a process of its own; nothing here waits for it, except :meth:`end`.

    Args:
        job: what :func:`velora_ros.nodes.trainer.training_process.train` is to do.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        # A process group of its own: Ctrl-C in the terminal reaches the node, which then says `stop`.
        self._child = subprocess.Popen(
            [sys.executable, '-m', training_process.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
            env={'OMP_NUM_THREADS': '1', **os.environ},
        )
        assert self._child.stdout is not None
        self._output = self._child.stdout
        os.set_blocking(self._output.fileno(), False)
        self._unfinished = b''
        self.send(json.dumps(job))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def status(self) -> int | None:
        """Exit status, the negative signal number when a signal ended it, None while it runs."""
        return self._child.poll()

    def send(self, word: str) -> None:
        """Send a line; nothing happens when the process is gone."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(f'{word}\n'.encode())
            self._child.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # its status tells

    def events(self) -> list[Event]:
        """Return what it reported since the last call."""
        chunks = []
        while chunk := self._read():
            chunks.append(chunk)
        *lines, self._unfinished = (self._unfinished + b''.join(chunks)).split(b'\n')
        return [json.loads(line) for line in lines]

    def end(self, patience: float) -> None:
        """Stop it, and wait for it at most so long [s], 0 for one that said its last word; after that it is killed."""
        self.send('stop')
        try:
            self._child.wait(patience)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def close(self) -> None:
        """Close the pipes of a process that has ended; what it never read is lost with it."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the job is still in the buffer of one that died at once
            self._child.stdin.close()
        self._output.close()

    def _read(self) -> bytes:
        try:
            return os.read(self._output.fileno(), 1 << 16)
        except BlockingIOError:
            return b''
