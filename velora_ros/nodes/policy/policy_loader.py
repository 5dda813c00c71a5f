"""Loads policies; while the node runs, in a thread beside the control thread."""

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from rclpy.timer import Timer

from velora_ros.errors import ConfigError, VeloraError
from velora_ros.nodes.policy.loop import PolicyLoop
from velora_ros.nodes.ros.clocks import STEADY
from velora_ros.nodes.ros.endpoints import create_subscription
from velora_ros.nodes.ros.process_settings import ShortSwitchInterval
from velora_ros.policy import Policy

# While a policy is being loaded, the control thread checks with this period whether it is ready [s].
CHECK_PERIOD_S = 0.01
# How long the loading thread may hold the interpreter while the control thread waits [s]; Python's default is 5 ms.
TURN_S = 1e-4
OVERTAKEN = 'another policy was requested while this one was loading.'


def load(path: Path, engine: str) -> Policy:
    """
    Load a policy file and return the policy, warmed up so that its first step is fast.

    Raises:
        VeloraError: the file or the engine cannot be used.
    """
    policy = Policy.load(path, engine=engine)
    policy.warm_up()
    return policy


def await_policy(node: Node, begin: Callable[[], None]) -> None:
    """
    Wait for the first policy on ``policy_update``, set the parameter ``policy`` to it, and call ``begin``.

    Args:
        node: policy_node, not yet configured.
        begin: called on the executor's thread after the parameter was set.
    """

    def take(message: Any) -> None:
        node.destroy_subscription(subscription)
        [result] = node.set_parameters([RosParameter('policy', value=message.data)])
        if not result.successful:
            raise ConfigError(result.reason)
        begin()

    subscription = create_subscription(node, 'policy_node', 'policy_update', take)
    node.get_logger().info(f'waiting for the first policy on {subscription.topic_name}')


class _Job(NamedTuple):
    """A request to load a policy, with the arguments of :meth:`Loader.swap`."""

    loop: PolicyLoop
    path: Path
    engine: str
    wanted: Callable[[], bool]
    done: Callable[[str], None]

    def finish(self, policy: Policy | None, why: str) -> None:
        """Change to the loaded policy, or report why that failed; ``why`` is the reason if it was not loaded."""
        try:
            if not self.wanted():
                raise ConfigError(OVERTAKEN)
            if policy is None:
                raise ConfigError(why)
            self.loop.swap(policy)
        except VeloraError as error:
            why = f'{error} The old policy stays in use.' if self.wanted() else str(error)
        self.done(why)


class Loader:
    """
    Loads policies one after the other in a separate thread.

    Args:
        node: policy_node, on whose executor's thread the loop changes to a loaded policy.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[_Job, Policy | None, str]] = queue.SimpleQueue()
        self._under_way, self._turns = 0, ShortSwitchInterval(TURN_S)
        self._thread: threading.Thread | None = None
        self._timer: Timer | None = None

    def swap(
        self, loop: PolicyLoop, path: Path, engine: str, *, wanted: Callable[[], bool], done: Callable[[str], None]
    ) -> None:
        """
        Load a policy; the loop then changes to it, between two states.

        Args:
            loop: the running loop.
            path: the policy file.
            engine: the engine that steps the policy.
            wanted: called when the policy is loaded; if it returns False, the policy is dropped.
            done: called on the executor's thread, with '' when the policy runs, or with the reason why the old policy
                stays in use.
        """
        job = _Job(loop, path, engine, wanted, done)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name='policy loader', daemon=True)
            self._thread.start()
        if self._timer is None:
            self._timer = self._node.create_timer(CHECK_PERIOD_S, self._on_check, clock=STEADY)
        self._turns.begin()
        self._under_way += 1
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                self._results.put((job, load(job.path, job.engine), ''))
            except VeloraError as error:
                self._results.put((job, None, str(error)))
            except Exception as error:  # the running policy must continue, and the error must be reported
                self._results.put((job, None, f"the policy '{job.path}' cannot be loaded: {error!r}."))

    def _on_check(self) -> None:
        while not self._results.empty():
            job, policy, why = self._results.get()
            self._under_way -= 1
            job.finish(policy, why)
        if not self._under_way:
            self._turns.end()
        if self._timer is not None and not self._under_way:
            self._node.destroy_timer(self._timer)
            self._timer = None
