"""The words in which ``bringup.py`` describes a run: launch arguments, nodes with their settings, discovery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Value = bool | int | float | str | list[str]

BOOLEAN = ('true', 'false')
"""The choices of an argument that is either; True, False, 1 and 0 are read as well, as everywhere in ROS."""

RESPAWN_DELAY_S = 2.0
"""How long after its end a node is started again, where that is wanted."""

SUMMARY = '{"event": "control_summary"'
"""How the line begins with which a simulator says that its run is over."""

DISCOVERY = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
DISCOVERY_DEFAULT = 'LOCALHOST'
"""Nothing leaves this machine unless the variable above says otherwise, e.g. SUBNET."""


@dataclass(frozen=True)
class Argument:
    """One launch argument: ``name:=value``; ``choices`` are its only valid values, when there are few."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """
    What a launch file around a run has set for everything in it.

    Args:
        namespace: absolute namespace below which relative ones are.
        parameters: for all nodes: (name, value) pairs and paths of parameter files, in the order in which they came.
        has_clock: a simulator of the same launch publishes ``/clock`` already.
    """

    namespace: str = '/'
    parameters: tuple[tuple[str, Any] | str, ...] = ()
    has_clock: bool = False


@dataclass(frozen=True)
class Entry:
    """
    One node of a run.

    Args:
        executable: its executable, which is also its module in ``velora_ros.nodes``.
        name: the node's name.
        namespace: absolute namespace.
        files: parameter files; later ones override earlier ones.
        sections: texts of further parameter files, which override those.
        parameters: what the launch arguments set; it overrides all files.
        remaps: (from, to) pairs.
        required: the rest stops when this process ends.
        ends_run: it ends by itself when the run is over, and its exit status says whether the run passed.
        linger_s: how long the rest goes on after a signal killed this required process [s].
        respawn: start it again when it ends before the run is over.
        log_level: the least severe messages that it logs; '' is ROS's default.
    """

    executable: str
    name: str
    namespace: str
    files: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    parameters: Mapping[str, Value] = field(default_factory=dict)
    remaps: tuple[tuple[str, str], ...] = ()
    required: bool = True
    ends_run: bool = False
    linger_s: float = 0.0
    respawn: bool = False
    log_level: str = ''
    package: str = 'velora_ros'

    def linger(self, status: int) -> float:
        """Return how long the rest goes on after this process ended with that status; negative, a signal did it [s]."""
        return self.linger_s if status < 0 else 0.0

    @property
    def full_name(self) -> str:
        """The node's name with its namespace."""
        return f'{self.namespace.rstrip("/")}/{self.name}'

    @property
    def log_arguments(self) -> list[str]:
        """The ROS arguments that set the log level."""
        return ['--log-level', self.log_level] if self.log_level else []

    def ros_arguments(self, written: Sequence[str] = ()) -> list[str]:
        """
        Return the process's arguments, in the order in which launch_ros 0.26 passes them.

        Args:
            written: the parameter files into which :attr:`sections` and :attr:`parameters` were written.
        """
        return [
            *(['--ros-args', *self.log_arguments] if self.log_level else []),
            '--ros-args',
            *('-r', f'__node:={self.name}'),
            *('-r', f'__ns:={self.namespace}'),
            *(word for file in (*self.files, *written) for word in ('--params-file', file)),
            *(word for source, target in self.remaps for word in ('-r', f'{source}:={target}')),
        ]
