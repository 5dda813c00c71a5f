"""
Everything that exists only while policy_node is configured: the policy, its topics, timers and settings.

The path of a message, from the robot's state to the command, is in ``state_to_command.py``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.node import Node

from velora_ros.contract.actions import commanded_joints
from velora_ros.control import Command, Controller, Status
from velora_ros.control.status import WAITING
from velora_ros.control.tilt_and_speed_latches import Normalisation
from velora_ros.errors import SpecError
from velora_ros.nodes.policy.connection_checks import ConnectionChecks, SourceConnection
from velora_ros.nodes.policy.debug_topics import DebugTopics
from velora_ros.nodes.policy.encoders import encoder_of
from velora_ros.nodes.policy.frame_listener import listen_to_frames
from velora_ros.nodes.policy.loop_timers import LoopTimers
from velora_ros.nodes.policy.observation_topics import ObservationTopics
from velora_ros.nodes.policy.parameters_with_contract import with_contract
from velora_ros.nodes.policy.periodic_diagnostics import PeriodicDiagnostics
from velora_ros.nodes.policy.policy_folders import check_same_spec
from velora_ros.nodes.policy.settings_of_parameters import check_times, observation_of, open_confirmations, settings_of
from velora_ros.nodes.policy.startup_summary import startup_summary
from velora_ros.nodes.policy.state_to_command import StateToCommand
from velora_ros.nodes.policy.status_and_diagnostics import Diagnostics
from velora_ros.nodes.policy.topic_factory import TopicFactory
from velora_ros.nodes.policy.writer_registry import full_type
from velora_ros.nodes.ros.clocks import ClockStep, RobotClock
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.endpoints import full_topic_name
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.process_settings import FrozenGarbageCollector, NoOverflowWarnings
from velora_ros.nodes.ros.qos_overrides import check_qos_overrides
from velora_ros.nodes.ros.timers import Timers
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.foreign.foreign_policy_file import is_foreign

# Longest wait for subscribers to acknowledge the last command [s].
ACKNOWLEDGE_S = 0.5


class PolicyLoop:
    """
    Owns everything that exists only while policy_node is configured.

    Args:
        node: the node that owns the topics and timers.
        policy: the policy, warmed up.
        values: the node's parameters.
        diagnostics: publishes status and diagnostics.
        fault: a fault that was latched earlier.
        follow: called with the path of a better policy, when ``follow_trainer`` is set.

    Raises:
        ConfigError: parameters do not fit the policy, or a ``qos_overrides`` parameter is invalid; all topics are
            destroyed again.
    """

    def __init__(
        self,
        node: Node,
        policy: Policy,
        values: Values,
        *,
        diagnostics: Diagnostics,
        fault: str,
        follow: Callable[[str], None],
    ) -> None:
        values = with_contract(values, policy.spec)
        self.policy = policy
        self._node, self._values, self._diagnostics = node, values, diagnostics
        self._sources = ObservationTopics(
            policy.spec.observation_names, observation_of(values), commanded_joints(policy.spec)
        )
        self.controller = self._make_controller(fault)
        check_times(values, self.controller.safety)
        self._topics, self._timers = TopicFactory(node, diagnostics), Timers(node)
        self._frozen, self._quiet = FrozenGarbageCollector(), NoOverflowWarnings()
        clock = cast(ROSClock, node.get_clock())
        self._clock, self._clock_step = RobotClock(clock), ClockStep(clock, self.controller.set_clock_step)
        self._destroyed = False
        try:
            self._create_topics()
            if values['follow_trainer']:
                self._topics.subscription('policy_update', lambda message: follow(message.data))
            check_qos_overrides(node)
        except Exception:
            self.destroy()
            raise
        self.apply(values)
        self._warn_of_refusals()

    def _make_controller(self, fault: str) -> Controller:
        trigger = self._sources.trigger
        topic = full_topic_name(self._node, trigger.source.topic)
        return Controller(
            self.policy,
            settings_of(self._values),
            fault,
            waiting=f"{WAITING} on '{topic}' ({trigger.full_type})",
            measures_joints=self._sources.measures_joints,
            normalisation=_normalisation(self.policy),
        )

    def _create_topics(self) -> None:
        """Create the path from states to commands with its topics, and the checks of the connections."""
        controller, values, safety = self.controller, self._values, self.controller.safety
        encoder = encoder_of(self.policy.spec, values, safety.settings.interface, self._clock.now, safety.bounds)
        kind = full_type(values['command.type'])
        self._command = self._topics.publisher('command', kind)
        debug_topics = DebugTopics(self._topics)
        self._topics.subscription('reset', lambda _: self.forget('request'))
        self._path = StateToCommand(
            self._sources,
            controller,
            encoder,
            self._command,
            clock=self._clock,
            timers=self._timers,
            diagnostics=self._diagnostics,
            debug_topics=debug_topics,
            values=values,
        )
        self._loop_timers = LoopTimers(self._timers, controller, self._path)
        sources = [
            SourceConnection(t.source.name, t.source.topic, t.full_type, subscription, t.values.contradictions)
            for t, subscription in self._path.subscribe(self._topics)
        ]
        if (tree := self._sources.frames.tree) is not None and self._sources.frames.may_convert:
            listen_to_frames(tree, self._topics.subscription, self._node.get_logger().warning)
        connections = ConnectionChecks(self._node, self._command, kind, known=COMMAND_TYPES, sources=sources)
        self._periodic = PeriodicDiagnostics(
            self._diagnostics,
            self._path,
            controller,
            sources=self._sources,
            connections=connections,
            debug_topics=debug_topics,
            clock=self._clock,
        )

    # --- start, stop, settings -------------------------------------------------------------------------------------

    @property
    def active(self) -> bool:
        """Whether states are read."""
        return self._path.active

    def start(self, *, arm: bool) -> None:
        """Start to read states; with ``arm``, also send commands."""
        self.controller.activate(arm=arm)
        self._clock.look()
        self._frozen.begin()
        self._quiet.begin()
        self._path.begin()
        self._loop_timers.set()
        self._path.publish_status()

    def stop(self) -> None:
        """Send the fallback if the robot was commanded, wait until it was received, and stop reading states."""
        if self.send(self.controller.disarm()):
            self._command.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))
        self._path.active = False
        self._frozen.end()
        self._quiet.end()
        self._loop_timers.set()
        self._path.publish_status()

    def destroy(self) -> None:
        """Destroy topics and timers."""
        self._frozen.end()
        self._quiet.end()
        self._timers.destroy()
        self._topics.destroy()
        if not self._destroyed:
            self._clock_step.close()
        self._destroyed = True

    @property
    def status(self) -> Status:
        """The controller's state and its reason."""
        return self._path.status

    def summary(self, path: str) -> str:
        """Return the line that is logged when the policy from the file ``path`` is configured."""
        resolve, waits = self._node.resolve_topic_name, len(self.controller.refusals)
        return startup_summary(path, self.policy.spec, self._sources.plans, self._values, resolve, waits=waits)

    def apply(self, values: Values) -> None:
        """Apply all parameters of the node at once."""
        values = with_contract(values, self.policy.spec)
        self.controller.settings = settings_of(values)
        self.controller.refusals = self._open_confirmations(values)
        self._sources.limit_ages(values, self.controller.safety.max_state_age)
        self._values = values
        self._path.apply(values)
        self._loop_timers.set()
        self._path.publish_status()

    def send(self, command: Command | None) -> bool:
        """Publish a command, unless it is None, and the controller's status; return whether a command was published."""
        return self._path.send(command)

    def forget(self, cause: str) -> None:
        """Reset the hidden state and drop the states of the sources."""
        self._path.forget()
        self.controller.reset(cause)

    def diagnose(self, path: str) -> None:
        """Do the next part of the work for the diagnostics; ``path`` is the file of the running policy."""
        self._periodic.step(self.policy, path)

    def _open_confirmations(self, values: Values) -> list[str]:
        topic = self._node.resolve_topic_name('command')
        return open_confirmations(values, self.policy.content, self.controller.safety, topic)

    def _warn_of_refusals(self) -> None:
        for sentence in self.controller.refusals:
            self._node.get_logger().warning(f'{sentence}.')

    # --- another policy --------------------------------------------------------------------------------------------

    def swap(self, policy: Policy) -> None:
        """
        Replace the policy and reset the hidden state; do nothing if it is the same policy.

        Raises:
            SpecError: the policy's specification differs, or the node was cleaned up.
        """
        if self._destroyed:
            raise SpecError('the node was cleaned up while the policy was loading; configure it again.')
        check_same_spec(policy.spec, self.policy.spec)
        old, new = self.policy.content, policy.content
        if (old.digest, old.converted_units) == (new.digest, new.converted_units):
            return  # files of version 1 and 2 can have the same content but different refusals
        self.controller.swap(policy, _normalisation(policy))
        self.policy = policy
        self.controller.refusals = self._open_confirmations(self._values)
        self._warn_of_refusals()

    def check_fits(self, path: Path) -> None:
        """
        Check from a policy file's header that its policy can replace the running one.

        Raises:
            VeloraError: the file is missing or damaged, or its specification differs.
        """
        if is_foreign(path):
            return  # reading one takes long enough to delay commands; it is checked when it is loaded
        check_same_spec(PolicyFile.read_spec(path), self.policy.spec)


def _normalisation(policy: Policy) -> Normalisation | None:
    """Return each observation's mean and inverse deviation in training; None for a policy of another library."""
    tensors = getattr(policy.content, 'tensors', None)
    return (tensors['normalisation.offset'], tensors['normalisation.scale']) if tensors else None
