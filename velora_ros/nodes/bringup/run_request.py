"""The request for a run: its launch arguments, the user's parameter file, and the settings of an outer launch file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from velora_ros.nodes.bringup.argument_checks import whole_number
from velora_ros.nodes.bringup.launch_arguments import DEFAULT_ENV
from velora_ros.nodes.ros.parameter_files import sections_of, value_in


@dataclass(frozen=True)
class EnclosingLaunch:
    """
    Settings of an outer launch file, which includes the run: they apply to all nodes in it.

    Args:
        namespace: the pushed namespace, absolute; relative namespaces are below it.
        parameters: parameters for all nodes: (name, value) pairs and paths of parameter files, in their order.
        has_clock: whether a simulator of the same launch already publishes ``/clock``.
    """

    namespace: str = '/'
    parameters: tuple[tuple[str, Any] | str, ...] = ()
    has_clock: bool = False


@dataclass(frozen=True)
class RunRequest:
    """
    The request for a run.

    Args:
        arguments: every argument of the run by name, after the checks.
        enclosing: the settings of the enclosing launch file.
    """

    arguments: Mapping[str, str]
    enclosing: EnclosingLaunch = field(default_factory=EnclosingLaunch)

    def __getitem__(self, name: str) -> str:
        return self.arguments.get(name, '')

    def true(self, name: str) -> bool:
        """Return whether the boolean argument ``name`` is true."""
        return self[name] == 'true'

    @property
    def namespace(self) -> str:
        """The absolute namespace of the nodes."""
        given = self['namespace']
        outer = '/' if given.startswith('/') else self.enclosing.namespace
        return f'/{"/".join(part for part in f"{outer}/{given}".split("/") if part)}'

    def env(self, node: str) -> str:
        """The environment of a node: from the argument, else from the parameter files, else the default."""
        return self['env'] or str(self.file_value(node, 'env') or DEFAULT_ENV)

    @property
    def robot(self) -> str:
        """The task whose robot runs: from the argument or, without ``env``, from the parameter files; '' for none."""
        return self['robot'] or ('' if self['env'] else str(self.file_value('sim_node', 'task') or ''))

    def seed(self, node: str) -> int:
        """The seed of a node: from the argument, else from the parameter files, else 0."""
        value = self.file_value(node, 'seed')
        return whole_number('seed', self['seed']) if self['seed'] else value if isinstance(value, int) else 0

    def file_value(self, node: str, parameter: str) -> Any:
        """Return a node's parameter from the outer launch file and the user's file; None if neither sets it."""
        name, value = self._full_name(node), None
        for source in (*self.enclosing.parameters, self['params']):
            if isinstance(source, tuple):
                given = source[1] if source[0] == parameter else None
            else:
                given = value_in(source, name, parameter)
            value = value if given is None else given
        return value

    def sections(self, node: str) -> tuple[str, ...]:
        """
        Return the parameters that the outer launch file and the user's file set for a node.

        Each is the text of a parameter file keyed by the node's full name, so that it overrides the shipped files.
        """
        name, outer = self._full_name(node), self.enclosing.parameters
        texts = []
        for source in outer:
            if isinstance(source, tuple):
                texts.append(yaml.safe_dump({name: {'ros__parameters': {source[0]: source[1]}}}))
            else:
                texts += sections_of(source, name)
        return (*texts, *sections_of(self['params'], name, bare_only=not outer))

    def _full_name(self, node: str) -> str:
        return f'{self.namespace.rstrip("/")}/{node}'
