"""Changes the policy of a configured policy_node, at the request of the parameter, a message or a service."""

from collections.abc import Callable

from rclpy.node import Node
from rclpy.parameter import Parameter

from velora_ros.errors import ConfigError, VeloraError
from velora_ros.nodes.policy.loop import PolicyLoop
from velora_ros.nodes.policy.policy_folders import PolicyFolders
from velora_ros.nodes.policy.policy_loader import Loader
from velora_ros.nodes.policy.status_and_diagnostics import Diagnostics
from velora_ros.nodes.ros.parameter_table import ParameterTable


class PolicyChanges:
    """
    Changes the policy, and sets the parameter ``policy`` to the running policy.

    Args:
        node: policy_node.
        table: its parameters.
        folders: the folders from which policies may be loaded.
        diagnostics: reports a change, or why it failed.
        loop: returns the loop of the configured policy, or None.
        not_there: returns the reason why there is no loop.
    """

    def __init__(
        self,
        node: Node,
        table: ParameterTable,
        folders: PolicyFolders,
        diagnostics: Diagnostics,
        *,
        loop: Callable[[], PolicyLoop | None],
        not_there: Callable[[], str],
    ) -> None:
        self.running = ''
        """Path or name of the running policy."""
        self._node, self._table, self._folders, self._diagnostics = node, table, folders, diagnostics
        self._loop, self._not_there = loop, not_there
        self._loader = Loader(node)
        self._requested = ''  # the last handled value of the parameter
        self._requests = 0

    def begin(self, policy: str) -> None:
        """Record the policy with which the node was configured."""
        self.running = self._requested = policy

    def follow_parameter(self, policy: str) -> None:
        """Change to ``policy``, the new value of the parameter, unless this was already requested."""
        if policy != self._requested:
            self._requested = policy
            self.change_or_stay(policy)

    def change_or_stay(self, policy: str) -> None:
        """Change to a policy, or report why the old one stays in use."""
        try:
            self._change(policy)
        except VeloraError as error:
            self._settle(f'{error} The old policy stays in use.')

    def reload(self, answer: Callable[[str], None]) -> None:
        """
        Read the policy file again.

        Args:
            answer: called with '' when the policy runs, or with the reason why it cannot.

        Raises:
            VeloraError: the node is not configured, or the policy does not fit.
        """
        self._change(self._table['policy'], answer)

    def _change(self, policy: str, answer: Callable[[str], None] = lambda why: None) -> None:
        """Change to another policy as soon as it is loaded; a later request replaces an earlier one."""
        loop, path = self._configured, self._folders.check(policy)
        loop.check_fits(path)
        self._requests += 1
        request = self._requests

        def wanted() -> bool:
            return request == self._requests

        def done(why: str) -> None:
            if not why:
                self.running = policy
            # After a cleanup, the next start reads the parameter; a later request sets it itself.
            if loop is self._loop() and wanted():
                self._settle(why)
            answer(why)

        self._loader.swap(loop, path, self._table['engine'], wanted=wanted, done=done)

    def _settle(self, why: str) -> None:
        """Report a change or its failure, and set the parameter to the policy that runs."""
        self._diagnostics.policy_swapped(self._configured.controller, self.running, why)
        self._requested = self.running
        if self._table['policy'] != self.running:
            self._node.set_parameters([Parameter('policy', value=self.running)])

    @property
    def _configured(self) -> PolicyLoop:
        if (loop := self._loop()) is None:
            raise ConfigError(self._not_there())
        return loop
