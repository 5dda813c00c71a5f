"""The loop of a configured policy_node: its topics, its timers and the way from a message to a command."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.subscription import Subscription

from velora_ros.control import Command, Controller, Status
from velora_ros.control.controller import WAITING
from velora_ros.control.loop_timing import LoopTiming
from velora_ros.errors import ObservationError, SpecError
from velora_ros.nodes.policy import encoders
from velora_ros.nodes.policy.connection_checks import Peers
from velora_ros.nodes.policy.diagnostics import Report
from velora_ros.nodes.policy.observation_topics import Inputs
from velora_ros.nodes.policy.parameters import check_times, observation_of, open_confirmations, settings_of
from velora_ros.nodes.policy.startup_summary import start_line
from velora_ros.nodes.ros import conversions, endpoints
from velora_ros.nodes.ros.clocks import ClockStep
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.parameters import Values
from velora_ros.nodes.ros.process_settings import FrozenGarbageCollector
from velora_ros.nodes.ros.qos_overrides import check_qos_overrides
from velora_ros.nodes.ros.timers import Timers
from velora_ros.policy import Policy, PolicyFile
from velora_ros.spec import PolicySpec

OWNER = 'policy_node'
INACTIVE = Status('ok', 'inactive', '')
ACKNOWLEDGE_S = 0.5
# When the watchdog looks for the second time, in its timeouts: it fires so much late.
SECOND_LOOK = 0.05
DIAGNOSTICS_STEPS = 4


class PolicyLoop:
    """
    Everything that exists while policy_node is configured.

    Args:
        node: where topics and timers live.
        policy: the policy, warmed up.
        values: the node's parameters.
        report: where status and diagnostics go.
        fault: a fault latched before.
        follow: called with the path of a better policy, when ``follow_trainer`` is set.

    Raises:
        ConfigError: parameters do not fit the policy, or a quality of service is wrong; nothing is left behind.
    """

    def __init__(
        self,
        node: Node,
        policy: Policy,
        values: Values,
        *,
        report: Report,
        fault: str,
        follow: Callable[[str], None],
    ) -> None:
        settings = settings_of(values)
        self._inputs = Inputs(
            policy.spec.observation_names,
            observation_of(values),
            listener=self,
            now=self._now,
            late=round(policy.spec.control_period * 1e9),
        )
        topic, kind = self._inputs.trigger
        waiting = f"{WAITING} on '{node.resolve_topic_name(topic)}' ({kind})"
        self.controller = Controller(policy, settings, fault, waiting=waiting)
        check_times(values, self.controller.safety)
        self.policy = policy
        self.active = False
        """Whether states are taken in."""
        self._node = node
        self._clock = cast(ROSClock, node.get_clock())
        self._simulated_time = self._clock.ros_time_is_active  # looked at again once a second
        self._report = report
        self._write = encoders.make_writer(
            values['command.type'],
            policy.spec,
            interface=settings.interface,
            fields=values['command.fields'],
            frame_id=values['command.frame_id'],
            now=self._now,
        )
        self._values = values
        self._debug = False
        self._timing = LoopTiming()
        self._diagnosis, self._path = self._diagnose(), ''
        self._undo: list[Callable[[], Any]] = []
        self._frozen = FrozenGarbageCollector()
        self._timers = Timers(node)
        self._newest: tuple[int, float] | None = None
        self._usual = self._silent = False
        clock_step = ClockStep(self._clock, self._on_clock_step)
        self._undo.append(clock_step.close)
        try:
            self._create_topics()
            if values['follow_trainer']:
                self._subscribe('policy_update', lambda message: follow(message.data))
            check_qos_overrides(node)
        except Exception:
            self.destroy()
            raise
        self.apply(values)
        self._warn_of_refusals()

    def start(self, *, arm: bool) -> None:
        """Begin to take states in; command them too if ``arm``."""
        self._inputs.forget()
        self._newest = None
        self.controller.activate(arm=arm)
        self._simulated_time = self._clock.ros_time_is_active
        self._frozen.begin()
        self.active = True
        self._set_timers()
        self._report.status(self.status)

    def _warn_of_refusals(self) -> None:
        for sentence in self.controller.refusals:
            self._node.get_logger().warning(f'{sentence}.')

    def stop(self) -> None:
        """Send the fallback if the robot was commanded, wait until it arrived, and fall silent."""
        if self.send(self.controller.disarm()):
            self._command.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))
        self.active = False
        self._frozen.end()
        self._set_timers()
        self._report.status(self.status)

    def words(self, path: str) -> str:
        """Return what people are told at the start of the policy in this file."""
        resolve, waits = self._node.resolve_topic_name, len(self.controller.refusals)
        return start_line(path, self.policy.spec, self._inputs.parts, self._values, resolve, waits=waits)

    def destroy(self) -> None:
        """Take topics and timers away."""
        self.active = False
        self._frozen.end()
        self._set_timers()
        while self._undo:
            self._undo.pop()()

    @property
    def status(self) -> Status:
        """State and reason, for people."""
        return self.controller.status if self.active or self.controller.fault else INACTIVE

    def apply(self, values: Values) -> None:
        """Change the limits as one unit."""
        self.controller.settings = settings_of(values)
        self.controller.refusals = self._open_confirmations(values)
        self._inputs.limit_ages(values, self.controller.safety.max_state_age)
        self._values = values
        self._set_timers()
        self._report.status(self.status)

    def _open_confirmations(self, values: Values) -> list[str]:
        topic = self._node.resolve_topic_name('command')
        return open_confirmations(values, self.policy.file, self.controller.safety, topic)

    def swap(self, policy: Policy) -> None:
        """
        Continue with another policy, from a fresh hidden state; the same one goes on as it is.

        Raises:
            SpecError: its specification is another, or nothing runs any more.
        """
        if not self._undo:
            raise SpecError('the node was cleaned up meanwhile.')
        if policy.spec != self.policy.spec:
            raise SpecError(_difference(policy.spec, self.policy.spec))
        old, new = self.policy.file, policy.file
        if (old.digest, old.converted_units) == (new.digest, new.converted_units):
            return  # a file of version 1 and one of version 2 may have the same content, but not the same refusals
        self.controller.swap(policy)
        self.policy = policy
        self.controller.refusals = self._open_confirmations(self._values)
        self._warn_of_refusals()

    def check_fits(self, path: Path) -> None:
        """
        Check that another policy could go on for the running one; the file's header is enough for that.

        Raises:
            VeloraError: the file is missing or damaged, or its specification is another.
        """
        if (spec := PolicyFile.read_spec(path)) != self.policy.spec:
            raise SpecError(_difference(spec, self.policy.spec))

    def forget(self, cause: str) -> None:
        """Forget the hidden state and what the sources said."""
        self._inputs.forget_states()
        self._newest = None
        self.controller.reset(cause)

    def send(self, command: Command | None) -> bool:
        """Publish a command if there is one, and report what the controller says now."""
        if command is not None:
            self._command.publish(self._write(command))
        self._usual = False
        self._report.status(self.status)
        return command is not None

    def diagnose(self, path: str) -> None:
        """Take the next step to the next diagnostics, in which the running policy is called ``path``."""
        self._path = path
        next(self._diagnosis)

    def _diagnose(self) -> Iterator[None]:
        """Publish diagnostics in DIAGNOSTICS_STEPS steps: all at once would hold up a command for milliseconds."""
        while True:
            self._simulated_time = self._clock.ros_time_is_active
            self._debug = any(publisher.get_subscription_count() for publisher in self._debug_publishers)
            self._report.look_for_conflicts()
            yield
            armed = self.active and self.controller.armed and not self.controller.fault
            silent = self.active and self.controller.waits
            self._report.peers = self._peers.look(armed=armed, silent=silent) if self.active else []
            self._report.remark = self._peers.remark
            yield
            timing = self._timing.report()
            yield
            for name, count in self._inputs.lost().items():
                self.controller.counts[f'lost.{name}'] = count
            self._report.diagnostics(self.status, self.controller, self.policy, self._path, timing)
            yield

    def _create_topics(self) -> None:
        self._command = self._publisher('command', COMMAND_TYPES[self._values['command.type']])
        self._debug_publishers = [
            self._publisher(f'~/debug/{what}') for what in ('observation', 'hidden', 'raw_action')
        ]
        self._subscribe('reset', lambda _: self.forget('request'))
        self._inputs.subscribe(self._subscribe)
        kind = COMMAND_TYPES[self._values['command.type']]
        self._peers = Peers(self._node, self._command, kind, known=COMMAND_TYPES, sources=self._inputs.peers)

    def _publisher(self, name: str, kind: str = '') -> Any:
        events = PublisherEventCallbacks(
            incompatible_qos=self._report.incompatible_qos(name, 'subscriber', 'publisher')
        )
        publisher = endpoints.create_publisher(self._node, OWNER, name, kind=kind, events=events)
        self._undo.append(lambda: self._node.destroy_publisher(publisher))
        return publisher

    def _subscribe(
        self, name: str, callback: Callable[[Any], None], *, topic_name: str = '', kind: Any = None, raw: bool = False
    ) -> Subscription:
        events = SubscriptionEventCallbacks(
            incompatible_qos=self._report.incompatible_qos(topic_name or name, 'publisher', 'subscription')
        )
        subscription = endpoints.create_subscription(
            self._node, OWNER, name, callback, topic_name=topic_name, kind=kind, raw=raw, events=events
        )
        self._undo.append(lambda: self._node.destroy_subscription(subscription))
        return subscription

    def _on_clock_step(self, step: float) -> None:
        self.controller.clock_step = step

    def _now(self) -> int:
        """Return the time of the robot's clock [ns]; asking the system directly takes a tenth of the time."""
        return self._clock.now().nanoseconds if self._simulated_time else time.time_ns()

    def begins(self, stamp: int) -> bool:
        """Whether a state of this stamp [ns] is the first one after a reset of the hidden state."""
        return self.controller.begins(stamp)

    def on_trigger(self, stamp: int, now: int, received: float) -> None:
        """Answer a state, or keep it for the next tick of the fixed rate."""
        if not self._values['rate_hz']:
            self._tick(stamp, now, received, received)
            return
        self.controller.counts['superseded'] += self._newest is not None
        self._newest = (stamp, received)

    def on_superseded(self) -> None:
        """Count a state that was not answered because a newer one waits."""
        self.controller.counts['superseded'] += 1

    def on_unusable(self, error: ObservationError) -> None:
        """Count a message that could not be taken in."""
        self.controller.reject('incomplete', str(error))
        self._report.status(self.status)

    def _tick(self, stamp: int, now: int, steady: float, received: float) -> None:
        """Answer a state that was received earlier; ``now`` and ``steady`` are the two clocks' time of the answer."""
        try:
            observation = self._inputs.read(stamp)
        except ObservationError as error:
            self.on_unusable(error)
            return
        self._answer(self.controller.tick(observation, stamp, now, steady), received, (now - stamp) * 1e-9)
        if self._debug and self.controller.raw_action is not None:
            wanted = np.array(self.controller.safety.in_si(self.controller.raw_action.tolist()))
            values = (observation, self.policy.hidden, wanted)
            for publisher, value in zip(self._debug_publishers, values, strict=True):
                publisher.publish(conversions.to_vector(value))

    def _answer(self, command: Command | None, received: float, age: float) -> None:
        if command is None or self.controller.fault or not self._usual:
            sent = self.send(command)
            self._usual = sent and not self.controller.fault
        else:  # one command after the other: nothing to report
            self._command.publish(self._write(command))
            sent = True
        if sent:
            self._timing.add(received, time.monotonic(), age)

    def _on_rate(self) -> None:
        """Take the newest state once; without a new one repeat the command that the last one got."""
        now, steady = self._now(), time.monotonic()
        if self._newest is None:
            self.send(self.controller.repeat(now, steady))
            return
        (stamp, received), self._newest = self._newest, None
        self._tick(stamp, now, steady, received)

    def _on_watchdog(self) -> None:
        """
        Look for silence, and again when the state that was last by now will be too old: seldom, and in time.

        Silence counts at the second look at it. A process that was held up itself finds states that have queued up.
        """
        left = self.controller.until_watchdog(time.monotonic())
        self._silent = left <= 0 and not self._silent
        if left <= 0 and not self._silent:
            self.send(self.controller.watchdog(time.monotonic()))
        else:
            self._report.status(self.status)
        second = SECOND_LOOK * self.controller.safety.watchdog_timeout
        self._timers.postpone(self._on_watchdog, left if left > 0 else second)

    def _set_timers(self) -> None:
        """Look for silence in time, and tick at the fixed rate; neither while inactive or switched off."""
        timeout, rate = self.controller.safety.watchdog_timeout, self._values['rate_hz']
        self._timers.set(self._on_watchdog, timeout if self.active and timeout != float('inf') else 0.0)
        self._timers.set(self._on_rate, 1.0 / rate if self.active and rate else 0.0)


def _difference(new: PolicySpec, old: PolicySpec) -> str:
    changes = [f'{name} is {_shown(now)} instead of {_shown(was)}' for name, was, now in old.differences(new)]
    return f'the new policy does not fit the running one: {"; ".join(changes)}.'


def _shown(value: Any) -> str:
    return f'[{", ".join(map(str, value))}]' if isinstance(value, tuple) else str(value)
