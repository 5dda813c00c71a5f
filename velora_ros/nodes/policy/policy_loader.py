"""Another policy for a running node: loaded and warmed up off the control thread, from allowed folders only."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
from velora_ros.policy.foreign import why_no_policy
from velora_ros.utils import share_path

# How often the control thread looks whether a load is done [s]; it looks at all only while one is under way.
LOOK_S = 0.01
# How long Python lets the loading thread compute while the control thread waits for its turn [s]; usually 5 ms.
TURN_S = 1e-4
OVERTAKEN = 'another policy was asked for meanwhile.'


class PolicyFolders:
    """
    The folders below which policies may be.

    Args:
        folders: given by the user.
        start: the policy that the node was started with; its folder counts too, as does that of the shipped ones.
    """

    def __init__(self, folders: Iterable[str], start: str) -> None:
        shipped = share_path('policies')
        trusted = [*shipped.glob('*.safetensors'), *([policy_path(start)] if start else [])]
        found = [shipped, *map(_folder, folders), *(path.parent for path in trusted)]
        # An installation may consist of links; where those of trusted files lead, is trusted too.
        with _looking_up(start):
            found = [folder.resolve() for folder in found] + [path.resolve().parent for path in trusted]
        self._folders = list(dict.fromkeys(found))

    def check(self, given: str, *, exists: bool = False) -> Path:
        """
        Return the file of a policy.

        Raises:
            ConfigError: its real path, links followed, is below none of the folders; it cannot be looked up; or it is
                no file and has to be one (``exists``).
        """
        path = policy_path(given)
        with _looking_up(given):
            real, is_file = path.resolve(), path.is_file()
        if not any(real.is_relative_to(folder) for folder in self._folders):
            raise ConfigError(
                f"the policy '{given}' is below none of the folders from which policies are taken: "
                f"{', '.join(map(str, self._folders))}. Start the node with its folder in 'policy_dirs'."
            )
        if exists and (why := why_no_policy(path)):  # at once, before anything of the running policy changes
            raise ConfigError(f"the policy '{path}': {why}")
        if exists and not is_file:
            raise ConfigError(f"there is no policy file '{path}'; give one that exists.")
        return path


def policy_path(given: str) -> Path:
    """
    Return the file itself, or the shipped one of that name when there is no such file.

    Raises:
        ConfigError: the name is empty, or cannot be looked up.
    """
    if not given:
        raise ConfigError("the parameter 'policy' is empty; give the path of a policy file (.safetensors).")
    with _looking_up(given):
        path = Path(given).expanduser()
        shipped = share_path('policies', given if given.endswith('.safetensors') else f'{given}.safetensors')
        return shipped if not path.exists() and shipped.exists() else path


def _folder(given: str) -> Path:
    with _looking_up(given):
        return Path(given).expanduser().resolve()


@contextmanager
def _looking_up(given: str) -> Iterator[None]:
    """Tell what the system says of a path: too long, of an unknown user, below a closed folder, a link to itself."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"the path '{given}' cannot be looked up: {error}. Give one that this user can read."
        ) from error


def load(path: Path, engine: str) -> Policy:
    """
    Return a policy that is ready to run.

    Raises:
        VeloraError: the file or the engine cannot be used.
    """
    policy = Policy.load(path, engine=engine)
    policy.warm_up()
    return policy


def await_policy(node: Node, begin: Callable[[], None]) -> None:
    """
    Wait for the first policy that ``policy_update`` names, make it the parameter ``policy``, and begin.

    Args:
        node: policy_node, not yet configured.
        begin: called on the executor's thread when the parameter is set.
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
    path: Path
    engine: str
    finish: Callable[[Policy | None, str], None]


class Loader:
    """
    Loads policies one after the other in a thread of its own.

    Args:
        node: its executor's thread is told when one is ready.
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
        Load a policy and let a loop continue with it, between two ticks.

        Args:
            loop: what runs.
            path: the policy's file.
            engine: what shall step it.
            wanted: asked when it is loaded; a policy that nobody wants any more is dropped.
            done: called on the executor's thread with '' when it runs, or with why the old one goes on.
        """

        def finish(policy: Policy | None, why: str) -> None:
            try:
                if not wanted():
                    raise ConfigError(OVERTAKEN)
                if policy is None:
                    raise ConfigError(why)
                loop.swap(policy)
            except VeloraError as error:
                why = f'{error} The old policy stays.' if wanted() else str(error)
            done(why)

        self._begin(_Job(path, engine, finish))

    def _begin(self, job: _Job) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name='policy loader', daemon=True)
            self._thread.start()
        if self._timer is None:
            self._timer = self._node.create_timer(LOOK_S, self._look, clock=STEADY)
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
            except Exception as error:  # whatever it is, the running policy must go on and somebody must hear of it
                self._results.put((job, None, f'{job.path} cannot be loaded: {error!r}.'))

    def _look(self) -> None:
        while not self._results.empty():
            job, policy, why = self._results.get()
            self._under_way -= 1
            job.finish(policy, why)
        if not self._under_way:
            self._turns.end()
        if self._timer is not None and not self._under_way:
            self._node.destroy_timer(self._timer)
            self._timer = None
