"""
Runs the nodes of a run as processes, without ``ros2 launch``: starts them, prints their output, ends them.

Ctrl-C reaches only the runner, which then ends the processes in order.
"""

import selectors
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from velora_ros.nodes.bringup.node_description import RESPAWN_DELAY_S, SUMMARY, NodeDescription
from velora_ros.nodes.bringup.node_process import NodeProcess
from velora_ros.utils.output import write_line
from velora_ros.utils.termination_signals import ending_signals

POLL_S = 0.05
# Time after which a process that has not ended receives the next signal [s].
PATIENCE_S = 5.0
# The same time after a second Ctrl-C; not shorter, because one Ctrl-C may arrive twice and a clean end takes time [s].
HURRY_S = 2.0
# A node handles SIGTERM and SIGINT alike, but Python prints a traceback after a SIGINT during its imports.
ESCALATION = (signal.SIGTERM, signal.SIGKILL)


def run_processes(nodes: Sequence[NodeDescription]) -> int:
    """
    Start the nodes and wait until all of them have ended.

    Returns:
        The exit status: 0 if the run passed or was ended by a signal to this process, else 1.
    """
    with tempfile.TemporaryDirectory(prefix='velora_ros_') as folder:
        runner = ProcessRunner(nodes, Path(folder))
        try:
            return runner.run()
        finally:
            # Python restores the default signal actions while it exits; an ignored signal stays ignored.
            for number in ending_signals():
                signal.signal(number, signal.SIG_IGN)


class ProcessRunner:
    """
    All processes of a run, from the start of the first to the end of the last.

    Args:
        nodes: the nodes, in the order in which they start.
        folder: an empty folder for parameter files.
    """

    def __init__(self, nodes: Sequence[NodeDescription], folder: Path) -> None:
        self._signals: list[int] = []
        for number in ending_signals():
            signal.signal(number, self._on_signal)
        self._failed = False
        self._over: set[str] = set()
        """Namespaces of the robots whose run is over."""
        self._stage = -1
        """Index in ESCALATION of the last signal that was sent to end the run; -1 if none was sent."""
        self._stage_began_at = self._next_stage_at = float('inf')
        self._folder = folder
        self._selector = selectors.DefaultSelector()
        self._processes: list[NodeProcess] = []
        self._running: list[NodeProcess] = []
        self._due: list[tuple[float, NodeDescription]] = []
        """Nodes to restart, each with the time of the restart on the steady clock [s]."""
        for node in nodes:
            self._start(node)

    def run(self) -> int:
        """Run until all processes have ended; return the exit status."""
        while self._running or (self._due and self._stage < 0):
            self._relay_output(POLL_S)
            self._handle_signals()
            self._handle_exits()
            self._respawn()
            if time.monotonic() >= self._next_stage_at:
                self._escalate()
        while self._relay_output(0.0):
            pass  # print the remaining output
        for process in self._processes:
            if process.summary:
                self._write(process.summary)
        return int(self._failed)

    def _start(self, node: NodeDescription) -> None:
        process = NodeProcess(node, self._folder)
        self._processes.append(process)
        self._running.append(process)
        self._selector.register(process.output, selectors.EVENT_READ, process)

    def _respawn(self) -> None:
        """Restart the nodes whose delay is over."""
        now = time.monotonic()
        due = [node for at, node in self._due if at <= now]
        self._due = [(at, node) for at, node in self._due if at > now]
        for node in due:
            if self._stage < 0 and node.namespace not in self._over:
                self._start(node)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def _handle_signals(self) -> None:
        """End the run at the first signal; at later signals, kill the remaining processes sooner."""
        while self._signals:
            self._signals.pop()
            if self._stage < 0:
                self._escalate()
            else:
                self._next_stage_at = min(self._next_stage_at, self._stage_began_at + HURRY_S)

    def _handle_exits(self) -> None:
        ended = [process for process in self._running if process.status is not None]
        if ended:
            self._relay_output(0.0)  # it may contain the summary
            self._handle_summaries()
        for process in ended:
            self._running.remove(process)
            self._on_exit(process.node, process.status or 0)
        self._handle_summaries()

    def _handle_summaries(self) -> None:
        """End the other nodes of a robot that has printed its summary, and the run after the last robot."""
        robots = [process for process in self._processes if process.node.ends_run]
        for robot in robots:
            if robot.summary and self._stage < 0 and robot.node.namespace not in self._over:
                self._over.add(robot.node.namespace)
                for process in self._running:
                    if process is not robot and process.node.namespace in self._over:
                        process.send(ESCALATION[0])
        if self._stage < 0 and self._running and robots and all(process.summary for process in robots):
            self._escalate()  # before the controller latches a fault because no more states arrive

    def _on_exit(self, node: NodeDescription, status: int) -> None:
        """Continue, restart or end the run when a process has ended."""
        if self._stage >= 0:
            self._failed |= status not in (0, -signal.SIGTERM)
        elif status == 0 and node.namespace in self._over and not node.ends_run:
            pass  # the run of its robot is over
        elif node.ends_run and (status == 0 or node.namespace in self._over):  # evaluated; other robots continue
            if status:
                self._failed = True
                write_line(f'{node.name} ended with exit status {status}.', error=True)
            if not any(process.node.ends_run for process in self._running):
                self._escalate()
        elif node.required or node.respawn:
            how = f'was ended by {signal.Signals(-status).name}' if status < 0 else f'ended with exit status {status}'
            if node.respawn:
                write_line(f'{node.name} {how}; it restarts in {RESPAWN_DELAY_S:g} s.', error=True)
                self._due.append((time.monotonic() + RESPAWN_DELAY_S, node))
                return
            self._failed = True
            write_line(f'{node.name} {how}; all other nodes stop.', error=True)
            self._next_stage_at = min(self._next_stage_at, time.monotonic() + node.linger(status))

    def _escalate(self) -> None:
        """Send the next stronger signal to the processes that are still running."""
        self._stage = min(self._stage + 1, len(ESCALATION) - 1)
        self._stage_began_at = time.monotonic()
        self._next_stage_at = self._stage_began_at + PATIENCE_S
        for process in self._running:
            if not process.summary or self._stage > 0:
                if self._stage > 0:
                    write_line(f'{process.node.name} did not end in time, so it is killed.', error=True)
                process.send(ESCALATION[self._stage])

    def _relay_output(self, timeout: float) -> bool:
        """
        Print the lines of the processes, each with its node's name; summaries are kept for the end.

        Returns:
            Whether a process had output or closed it.
        """
        if not self._selector.get_map():
            time.sleep(timeout)  # every process has closed its output, and one still runs
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
        if not write_line(line) and self._stage < 0 and not self._signals:  # the output was closed
            self._signals.append(signal.SIGTERM)
