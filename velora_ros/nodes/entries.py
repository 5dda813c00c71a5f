"""The words in which ``bringup.py`` describes a run: launch arguments, nodes with their settings, discovery."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = bool | int | float | str | list[str]

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
class Entry:
    """
    One node of a run.

    Args:
        executable: its executable, which is also its module in ``velora_ros.nodes``.
        name: the node's name.
        namespace: absolute namespace.
        files: parameter files; later ones override earlier ones.
        parameters: what the launch arguments set; it overrides the files.
        remaps: (from, to) pairs.
        required: the rest stops when this process ends.
        ends_run: it ends by itself when the run is over, and its exit status says whether the run passed.
        linger_s: how long the rest goes on after a signal killed this required process [s].
    """

    executable: str
    name: str
    namespace: str
    files: tuple[str, ...] = ()
    parameters: Mapping[str, Value] = field(default_factory=dict)
    remaps: tuple[tuple[str, str], ...] = ()
    required: bool = True
    ends_run: bool = False
    linger_s: float = 0.0
    package: str = 'velora_ros'

    def linger(self, status: int) -> float:
        """Return how long the rest goes on after this process ended with that status; negative, a signal did it [s]."""
        return self.linger_s if status < 0 else 0.0

    @property
    def full_name(self) -> str:
        """The node's name with its namespace."""
        return f'{self.namespace.rstrip("/")}/{self.name}'

    def ros_arguments(self, parameter_file: str | None) -> list[str]:
        """
        Return the process's arguments, in the order in which launch_ros 0.26 passes them.

        Args:
            parameter_file: where :attr:`parameters` were written, None without any.
        """
        files = [*self.files, *([parameter_file] if parameter_file else [])]
        return [
            '--ros-args',
            *('-r', f'__node:={self.name}'),
            *('-r', f'__ns:={self.namespace}'),
            *(word for file in files for word in ('--params-file', file)),
            *(word for source, target in self.remaps for word in ('-r', f'{source}:={target}')),
        ]
