"""
Runs the nodes of a run as processes, where there is no ``launch``: starts them, relays their output, ends them.

Every process gets a process group of its own, so that Ctrl-C reaches this one, which ends the others in order.
All share one session: kernels that divide the processor among sessions would not look at the niceness of a training.
"""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import yaml

from velora_ros.nodes.bringup.entries import DISCOVERY, DISCOVERY_DEFAULT, RESPAWN_DELAY_S, SUMMARY, Entry
from velora_ros.utils import ending_signals, write_line

POLL_S = 0.05
# A process that has not ended so long after a signal gets the next one [s].
PATIENCE_S = 5.0
# Whoever sends more signals waits only so long, yet so long: one Ctrl-C may come twice, and a clean end takes time [s].
HURRY_S = 2.0
# SIGTERM and SIGINT mean the same to a node, but Python answers an early SIGINT, among the imports, with a traceback.
ESCALATION = (signal.SIGTERM, signal.SIGKILL)

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def run_entries(entries: Sequence[Entry]) -> int:
    """
    Start the nodes and wait until all of them ended.

    Returns:
        The exit status: 0 when the run passed or was ended by a signal to this process, else 1.
    """
    with tempfile.TemporaryDirectory(prefix='velora_ros_') as folder:
        supervisor = Supervisor(entries, Path(folder))
        try:
            return supervisor.run()
        finally:
            # Python gives signals their default action back while it ends; an ignored one stays ignored.
            for number in ending_signals():
                signal.signal(number, signal.SIG_IGN)


def parameter_files(entry: Entry, folder: Path) -> list[str]:
    """Write the entry's sections and parameters as launch does, keyed by the node's full name; return the paths."""
    texts = list(entry.sections)
    if entry.parameters:
        own = {entry.full_name: {'ros__parameters': dict(entry.parameters)}}
        texts.append(yaml.safe_dump(own, default_flow_style=None))
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f'{entry.full_name.strip("/").replace("/", ".")}.{number}.yaml')
        paths[-1].write_text(text, encoding='utf-8')
    return [str(path) for path in paths]


class Process:
    """
    One node as a process.

    Args:
        entry: the node.
        folder: where its parameter file may be written.
    """

    def __init__(self, entry: Entry, folder: Path) -> None:
        self.entry = entry
        self.label = f'[{entry.full_name.strip("/")}] '.encode()
        self.summary = b''
        """The run's summary, once this process printed it: its last words."""
        self._unfinished = b''
        command = [sys.executable, '-m', f'{entry.package}.nodes.{entry.executable.removesuffix("_node")}']
        self._popen = subprocess.Popen(
            [*command, *entry.ros_arguments(parameter_files(entry, folder))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={DISCOVERY: DISCOVERY_DEFAULT, **os.environ},
            process_group=0,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - safe: this process has one thread
        )
        assert self._popen.stdout is not None
        self.output = self._popen.stdout

    @property
    def status(self) -> int | None:
        """Exit status, the negative signal number when a signal ended it, None while it runs."""
        return self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process has ended."""
        self._popen.send_signal(number)

    def read(self) -> tuple[list[bytes], bool]:
        """Return the lines that came, and whether more may come."""
        chunk = os.read(self.output.fileno(), 1 << 16)
        *lines, self._unfinished = (self._unfinished + chunk).split(b'\n')
        if not chunk and self._unfinished:
            lines.append(self._unfinished)
        return lines, bool(chunk)


class Supervisor:
    """
    All processes of a run, from the first one's start to the last one's end.

    Args:
        entries: the nodes.
        folder: an empty folder for parameter files.
    """

    def __init__(self, entries: Sequence[Entry], folder: Path) -> None:
        self._signals: list[int] = []
        for number in ending_signals():
            signal.signal(number, self._remember)
        self._failed = False
        self._over: set[str] = set()
        self._stage = -1
        self._stage_began_at = self._next_stage_at = float('inf')
        self._folder = folder
        self._selector = selectors.DefaultSelector()
        self._processes: list[Process] = []
        self._running: list[Process] = []
        self._due: list[tuple[float, Entry]] = []
        """When which node is started again."""
        for entry in entries:
            self._start(entry)

    def run(self) -> int:
        """Return the exit status when all processes have ended."""
        while self._running or (self._due and self._stage < 0):
            self._relay(POLL_S)
            self._look_for_signals()
            self._look_for_ends()
            self._start_again()
            if time.monotonic() >= self._next_stage_at:
                self._escalate()
        while self._relay(0.0):
            pass  # what they said last
        for process in self._processes:
            if process.summary:
                self._write(process.summary)
        return int(self._failed)

    def _start(self, entry: Entry) -> None:
        process = Process(entry, self._folder)
        self._processes.append(process)
        self._running.append(process)
        self._selector.register(process.output, selectors.EVENT_READ, process)

    def _start_again(self) -> None:
        """Start the nodes whose time has come."""
        now = time.monotonic()
        due = [entry for at, entry in self._due if at <= now]
        self._due = [(at, entry) for at, entry in self._due if at > now]
        for entry in due:
            if self._stage < 0 and entry.namespace not in self._over:
                self._start(entry)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def _look_for_signals(self) -> None:
        """Begin to end the run on the first signal; further ones lose patience."""
        while self._signals:
            self._signals.pop()
            if self._stage < 0:
                self._escalate()
            else:
                self._next_stage_at = min(self._next_stage_at, self._stage_began_at + HURRY_S)

    def _look_for_ends(self) -> None:
        ended = [process for process in self._running if process.status is not None]
        if ended:
            self._relay(0.0)  # their last words count
            self._look_for_robots()
        for process in ended:
            self._running.remove(process)
            self._judge(process.entry, process.status or 0)
        self._look_for_robots()

    def _look_for_robots(self) -> None:
        """End what belongs to a robot that has said its last words, and the run after the last robot."""
        robots = [process for process in self._processes if process.entry.ends_run]
        for robot in robots:
            if robot.summary and self._stage < 0 and robot.entry.namespace not in self._over:
                self._over.add(robot.entry.namespace)
                for process in self._running:
                    if process is not robot and process.entry.namespace in self._over:
                        process.send(ESCALATION[0])
        if self._stage < 0 and self._running and robots and all(process.summary for process in robots):
            self._escalate()  # the robot is gone; its controller need not find out by a fault

    def _judge(self, entry: Entry, status: int) -> None:
        """Decide what the end of a process means for the run."""
        if self._stage >= 0:
            self._failed |= status not in (0, -signal.SIGTERM)
        elif status == 0 and entry.namespace in self._over and not entry.ends_run:
            pass  # its robot's run is over
        elif entry.ends_run and (status == 0 or entry.namespace in self._over):  # judged; another robot's run goes on
            if status:
                self._failed = True
                write_line(f'{entry.name} ended with exit status {status}.', error=True)
            if not any(process.entry.ends_run for process in self._running):
                self._escalate()
        elif entry.required or entry.respawn:
            how = f'was ended by {signal.Signals(-status).name}' if status < 0 else f'ended with exit status {status}'
            if entry.respawn:
                write_line(f'{entry.name} {how}; it is started again in {RESPAWN_DELAY_S:g} s.', error=True)
                self._due.append((time.monotonic() + RESPAWN_DELAY_S, entry))
                return
            self._failed = True
            write_line(f'{entry.name} {how}; the rest stops.', error=True)
            self._next_stage_at = min(self._next_stage_at, time.monotonic() + entry.linger(status))

    def _escalate(self) -> None:
        """Send the next, stronger signal to the processes that still run."""
        self._stage = min(self._stage + 1, len(ESCALATION) - 1)
        self._stage_began_at = time.monotonic()
        self._next_stage_at = self._stage_began_at + PATIENCE_S
        for process in self._running:
            if not process.summary or self._stage > 0:
                if self._stage > 0:
                    write_line(f'{process.entry.name} did not end in time and is killed.', error=True)
                process.send(ESCALATION[self._stage])

    def _relay(self, timeout: float) -> bool:
        """Write what came, each line with its node's name, the summary at the end; return whether anything came."""
        if not self._selector.get_map():
            time.sleep(timeout)  # all of them closed their output, and one still runs
            return False
        ready = self._selector.select(timeout)
        for key, _ in ready:
            lines, more = key.data.read()
            if not more:
                self._selector.unregister(key.fileobj)
            for line in lines:
                if line.startswith(SUMMARY.encode()):
                    key.data.summary = line
                else:
                    self._write(key.data.label + line)
        return bool(ready)

    def _write(self, line: bytes) -> None:
        if not write_line(line) and self._stage < 0 and not self._signals:  # nobody reads any more
            self._signals.append(signal.SIGTERM)


def _end_with_parent() -> None:
    """Ask the kernel to end this process when the one that started it is killed."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
