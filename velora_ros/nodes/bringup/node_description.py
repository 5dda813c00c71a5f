"""The description of one node of a run, from which ``ros2 launch`` and ``process_runner.py`` start the node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ParameterValue = bool | int | float | str | list[str]

PACKAGE = 'velora_ros'

RESPAWN_DELAY_S = 2.0
"""Time between the end of a node with ``respawn`` and its next start [s]."""

SUMMARY = '{"event": "control_summary"'
"""Start of the line that a simulator prints when its run is over."""

DISCOVERY = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
DISCOVERY_DEFAULT = 'LOCALHOST'
"""Messages stay on this machine unless the environment variable is set to another value, such as SUBNET."""


@dataclass(frozen=True)
class NodeDescription:
    """
    One node of a run.

    Args:
        name: the node's name, which is also the name of its executable.
        module: the Python module that runs the node with ``python -m``.
        namespace: absolute namespace.
        files: parameter files; later ones override earlier ones.
        sections: the texts of additional parameter files, which override ``files``.
        parameters: parameters set by launch arguments; they override all files.
        remaps: (from, to) pairs.
        required: whether the other nodes of the run stop when this process ends.
        ends_run: whether the process ends by itself when the run is over; its exit status shows whether the run passed.
        linger_s: time for which the other nodes continue after a signal killed this required process [s].
        respawn: whether the node is restarted if it ends before the run is over.
        publishes_clock: whether the node publishes ``/clock``.
        log_level: lowest severity that the node logs; '' is ROS's default.
    """

    name: str
    module: str
    namespace: str
    files: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    remaps: tuple[tuple[str, str], ...] = ()
    required: bool = True
    ends_run: bool = False
    linger_s: float = 0.0
    respawn: bool = False
    publishes_clock: bool = False
    log_level: str = ''

    def linger(self, status: int) -> float:
        """Return how long the other nodes continue after this process ended [s]; a negative status is a signal."""
        return self.linger_s if status < 0 else 0.0

    @property
    def full_name(self) -> str:
        """The node's name with its namespace."""
        return f'{self.namespace.rstrip("/")}/{self.name}'

    @property
    def log_arguments(self) -> list[str]:
        """The ROS arguments that set the log level; empty for ROS's default."""
        return ['--log-level', self.log_level] if self.log_level else []

    def ros_arguments(self, written: Sequence[str] = ()) -> list[str]:
        """
        Return the node's command-line arguments, in the order in which launch_ros 0.26 passes them.

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
