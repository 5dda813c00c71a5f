"""Starts, orders and ends the training process, on trainer_node's side of the pipes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from velora_ros.nodes.trainer import training_process

Event = dict[str, Any]


class ProcessHandle:
    """
    A running training process. Only :meth:`stop` waits for it.

    Args:
        job: from :func:`velora_ros.nodes.trainer.job.make_job`.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        # In a process group of its own: Ctrl-C in the terminal reaches only the node, which then sends `stop`.
        self._process = subprocess.Popen(
            [sys.executable, '-m', training_process.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
            env={'OMP_NUM_THREADS': '1', **os.environ},
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._incomplete_line = b''
        self.send(json.dumps(job))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, the negative number of the signal that killed it, or None while it runs."""
        return self._process.poll()

    def send(self, order: str) -> None:
        """Send an order; without effect if the process has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):  # its status shows that it has ended
            self._process.stdin.write(f'{order}\n'.encode())
            self._process.stdin.flush()

    def read_events(self) -> list[Event]:
        """Return the events since the last call."""
        chunks = []
        while chunk := self._read():
            chunks.append(chunk)
        *lines, self._incomplete_line = (self._incomplete_line + b''.join(chunks)).split(b'\n')
        return [json.loads(line) for line in lines]

    def stop(self, timeout: float) -> None:
        """
        Stop the process, and kill it after a timeout.

        Args:
            timeout: seconds to wait for the process to exit; 0 if it has already reported its end.
        """
        self.send('stop')
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Close the pipes of a process that has ended; orders that it did not read are lost."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a process that died at once did not read the job
            self._process.stdin.close()
        self._output.close()

    def _read(self) -> bytes:
        try:
            return os.read(self._output.fileno(), 1 << 16)
        except BlockingIOError:
            return b''


def describe_exit(status: int) -> str:
    """Return how a process ended, as the end of a sentence, from its :attr:`ProcessHandle.status`."""
    if status >= 0:
        return f'ended with status {status}'
    try:
        return f'was killed by {signal.Signals(-status).name}'
    except ValueError:
        return f'was killed by signal {-status}'
