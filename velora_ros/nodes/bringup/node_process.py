"""
One node of a run as a process, started without ``ros2 launch``.

Each process has its own process group, so that Ctrl-C reaches only the runner. All processes share one session, because
kernels that divide processor time among sessions would ignore the niceness of the training process.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from velora_ros.nodes.bringup.node_description import DISCOVERY, DISCOVERY_DEFAULT, NodeDescription

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class NodeProcess:
    """
    The process of one node.

    Args:
        node: the description of the node.
        folder: the folder for its parameter files.
    """

    def __init__(self, node: NodeDescription, folder: Path) -> None:
        self.node = node
        self.label = f'[{node.full_name.strip("/")}] '.encode()
        self.summary = b''
        """The summary of the run, once this process has printed it; b'' before."""
        self._unfinished = b''
        self._popen = subprocess.Popen(
            [sys.executable, '-m', node.module, *node.ros_arguments(write_parameter_files(node, folder))],
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
        """Exit status, or minus the number of the signal that ended the process, or None while it runs."""
        return self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process; it has no effect if the process has ended."""
        self._popen.send_signal(number)

    def read(self) -> tuple[list[bytes], bool]:
        """Return the lines printed since the last call, and whether more lines may follow."""
        chunk = os.read(self.output.fileno(), 1 << 16)
        *lines, self._unfinished = (self._unfinished + chunk).split(b'\n')
        if not chunk and self._unfinished:
            lines.append(self._unfinished)
        return lines, bool(chunk)


def write_parameter_files(node: NodeDescription, folder: Path) -> list[str]:
    """Write the parameter files of a node's sections and parameters, as ``launch`` does; return their paths."""
    texts = list(node.sections)
    if node.parameters:
        own = {node.full_name: {'ros__parameters': dict(node.parameters)}}
        texts.append(yaml.safe_dump(own, default_flow_style=None))
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f'{node.full_name.strip("/").replace("/", ".")}.{number}.yaml')
        paths[-1].write_text(text, encoding='utf-8')
    return [str(path) for path in paths]


def _end_with_parent() -> None:
    """Make the kernel end this process when its parent is killed."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
