"""
Supervises the training process: starts it, sends it requests, starts another one if it dies, and tracks its state.

:class:`ProcessHandle` is one process with its pipes; :class:`ProcessSupervisor` may use several, one after the other.

States: ``idle``; ``training``, ``paused``, ``stopping``, ``resuming`` while training is active; ``done``, ``failed``.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from velora_ros.nodes.trainer import child_process_main
from velora_ros.nodes.trainer.training_status import TrainingStatus

Event = dict[str, Any]

# After SIGINT, the training process has this long to write its results [s]; launch sends SIGTERM after 5 s.
SHUTDOWN_TIMEOUT_S = 4.0
# After ~/stop, it has this long, because it may be in the middle of an evaluation [s].
STOP_TIMEOUT_S = 30.0

IDLE, TRAINING, PAUSED, STOPPING, RESUMING = 'idle', 'training', 'paused', 'stopping', 'resuming'
DONE, FAILED = 'done', 'failed'
ACTIVE = (TRAINING, PAUSED, STOPPING, RESUMING)


class ProcessSupervisor:
    """
    Trains one run at a time; if its process dies, another process can resume the run.

    Args:
        logger: the node's logger.
    """

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self.state = IDLE
        """One of the states above."""
        self.reason = ''
        """The reason for the state, as shown in the log and the diagnostics."""
        self.status = TrainingStatus()
        """Steps, returns and policies of the run."""
        self.deaths = 0
        """Number of training processes of this run that have died."""
        self._process: ProcessHandle | None = None
        self._since = 0.0
        self._job: dict[str, Any] = {}
        self._live: dict[str, float] = {}
        self._steps_at_death, self._state_before_death = -1, IDLE

    @property
    def is_active(self) -> bool:
        """Whether training is running, paused, stopping or resuming."""
        return self.state in ACTIVE

    @property
    def run_dir(self) -> str:
        """Folder of the last run; ``''`` before the first one."""
        return str(self._job.get('run_dir', ''))

    @property
    def pid(self) -> int | None:
        """Process id of the training process; None if there is none."""
        return None if self._process is None else self._process.pid

    def start(self, job: dict[str, Any], live: Mapping[str, float]) -> None:
        """
        Start training.

        Args:
            job: from :func:`velora_ros.nodes.trainer.job.make_job`.
            live: the values of the hyperparameters that may change during training.
        """
        self._job, self._live = job, dict(live)
        self.status = TrainingStatus(job['run_dir'], job['total_steps'])
        self.deaths, self._steps_at_death = 0, -1
        self._process = ProcessHandle(job)
        if job['resume']:
            self._send_live(self._live)
        verb = 'resuming' if job['resume'] else 'into'
        steps = f'{job.get("env_args", {}).get("task", job["env"])}, seed {job["seed"]}, {job["total_steps"]} steps'
        self._set_state(TRAINING, f'{steps}, {verb} {job["run_dir"]}')

    def request(self, request: str, valid_in: Sequence[str], state: str) -> bool:
        """
        Send a request to the training process; return False if there is no process or the state does not allow it.

        Args:
            request: a line as in :mod:`velora_ros.nodes.trainer.pause_save_stop`.
            valid_in: the states in which the request may be sent.
            state: the state after the request.
        """
        if self._process is None or self.state not in valid_in:
            return False
        self._process.send(request)
        if state != self.state:
            self._set_state(state, '' if state == STOPPING else self.reason)
        return True

    def change(self, live: Mapping[str, float]) -> None:
        """Send the hyperparameters of ``live`` that have changed; they take effect at the next episode."""
        changes = {name: value for name, value in live.items() if value != self._live.get(name)}
        if self._process is not None and self.is_active and changes:
            self._live |= changes
            self._send_live(changes)

    def read_events(self, *, restart: bool) -> Iterator[tuple[str, Event]]:
        """
        Read the events of the training process, and notice its exit.

        Args:
            restart: whether to start another process, which resumes the run, if this one has died.

        Yields:
            Kind and values of each event; at the end ``exit`` with the value ``stopping``, if no process runs any more.
        """
        if self._process is None:
            return
        if self.state == STOPPING and time.monotonic() - self._since > STOP_TIMEOUT_S:
            self._logger.error(f'the training process did not stop within {STOP_TIMEOUT_S:g} s, so it is killed')
            self._process.stop(0.0)
        exit_status = self._process.status  # read before the events, so that no event before the exit is lost
        for event in self._process.read_events():
            kind = event.pop('event')
            self._take(kind, event)
            yield kind, event
        if exit_status is not None:
            self._process.close()
            self._process = None
            stopping = self.state == STOPPING
            if self.is_active:
                self._on_death(describe_exit(exit_status), restart=restart)
            if self._process is None:
                yield 'exit', {'stopping': stopping}

    def await_exit(self) -> None:
        """Wait for the exit of a process that has already reported its end."""
        if self._process is not None:
            self._process.stop(0.0)

    def shut_down(self) -> None:
        """Stop training, and wait for up to :data:`SHUTDOWN_TIMEOUT_S` while it writes its results."""
        if self.is_active:
            self._set_state(STOPPING)
        if self._process is not None:
            self._process.stop(SHUTDOWN_TIMEOUT_S)

    def _take(self, kind: str, event: Event) -> None:
        self.status.update(kind, event)
        if kind == 'alive' and self.state == RESUMING:
            self._set_state(self._state_before_death, f'resumed after {self.status.steps} steps')
        elif kind == 'error':
            self._set_state(FAILED, event['message'])
        elif kind == 'end':
            self._set_state(DONE, f'{self.status.summary(event)}; {self.run_dir}')
        elif text := self.status.log_line(kind, event):
            self._logger.info(text)

    def _on_death(self, how: str, *, restart: bool) -> None:
        """Start another process if ``restart`` is set and the run has made progress; otherwise the run has failed."""
        steps = self.status.steps
        self._state_before_death = self._state_before_death if self.state == RESUMING else self.state
        sentence = f'the training process {how} after {steps} steps'
        self.deaths += 1
        if self.state == STOPPING or not restart or steps <= self._steps_at_death:
            again = ', again without any progress' if self.deaths > 1 and steps <= self._steps_at_death else ''
            kept = "its files are kept; set 'resume' to true and call ~/start to resume from the newest checkpoint"
            self._set_state(FAILED, f'{sentence}{again}; {kept}')
            return
        self._steps_at_death = steps
        self._process = ProcessHandle({**self._job, 'resume': True, 'announced': self.status.announced})
        self.status.process_started()
        self._send_live(self._live)
        if self._state_before_death == PAUSED:
            self._process.send('pause')
        self._set_state(RESUMING, f'{sentence}; another process resumes from the newest checkpoint')

    def _send_live(self, values: Mapping[str, float]) -> None:
        assert self._process is not None
        self._process.send(f'set {json.dumps(values)}')

    def _set_state(self, state: str, reason: str = '') -> None:
        self.state, self.reason, self._since = state, reason, time.monotonic()
        text = f'{state}: {reason}' if reason else state
        if state in (FAILED, RESUMING):
            self._logger.error(text)
        else:
            self._logger.info(text)


class ProcessHandle:
    """
    A training process and its pipes. Only :meth:`stop` waits for the process.

    Args:
        job: from :func:`velora_ros.nodes.trainer.job.make_job`.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        # In its own process group: Ctrl-C in the terminal reaches only the node, which then sends `stop`.
        self._process = subprocess.Popen(
            [sys.executable, '-m', child_process_main.__name__],
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
        """Exit status, or minus the number of the signal that killed the process, or None while it runs."""
        return self._process.poll()

    def send(self, request: str) -> None:
        """Send a request to the process; it has no effect if the process has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):  # its status will show that it has ended
            self._process.stdin.write(f'{request}\n'.encode())
            self._process.stdin.flush()

    def read_events(self) -> list[Event]:
        """Return the events that the process has written since the last call."""
        chunks = []
        while chunk := self._read():
            chunks.append(chunk)
        *lines, self._incomplete_line = (self._incomplete_line + b''.join(chunks)).split(b'\n')
        return [json.loads(line) for line in lines]

    def stop(self, timeout: float) -> None:
        """
        Stop the process, and kill it after a timeout.

        Args:
            timeout: longest time to wait for the exit [s]; 0 if the process has already reported its end.
        """
        self.send('stop')
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Close the pipes of a process that has ended; requests that it did not read are lost."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a process that died immediately did not read the job
            self._process.stdin.close()
        self._output.close()

    def _read(self) -> bytes:
        try:
            return os.read(self._output.fileno(), 1 << 16)
        except BlockingIOError:
            return b''


def describe_exit(status: int) -> str:
    """Return how a process ended, such as ``was killed by SIGKILL``, from its :attr:`ProcessHandle.status`."""
    if status >= 0:
        return f'ended with status {status}'
    try:
        return f'was killed by {signal.Signals(-status).name}'
    except ValueError:
        return f'was killed by signal {-status}'
