"""
The control loop of policy_node: the path of a message from the robot's state to the command.

:meth:`PolicyLoop._answer` is the path, four calls (the last one in ``_publish``). It ends early for a state that is
incomplete, cannot be used, lies between two steps of the policy or has been superseded. For a joint state and a vector
of commands it goes through:

1. decode: ``JointStateDecoder`` (``serialised_messages.py``) reads the stamp and the values of the message;
2. observe: ``JointValues`` (``control/joint_values.py``) merges them by name into an observation, by itself or, with
   other sources, transforms or position commands, for ``Observation`` (``control/observation.py``);
3. decide: ``Controller.decide`` (``control/controller.py``) steps the policy, ``Policy.step`` (``policy/policy.py``)
   with its engine (``policy/numba_engine.py``), and limits the action, ``RampAndSlew`` (``control/command_limits.py``);
4. encode: ``VectorEncoder`` (``serialised_messages.py``) makes the message of the command.

The rest of this file handles topics and timers, start and stop, changed settings, a fixed rate, the watchdog and the
diagnostics.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.node import Node

from velora_ros.contract.actions import commanded_joints
from velora_ros.control import Command, Controller, Status
from velora_ros.control.command_limits import Array
from velora_ros.control.controller import WAITING
from velora_ros.control.loop_timing import LoopTiming
from velora_ros.control.observation import Observation
from velora_ros.control.step_schedule import StepSchedule
from velora_ros.control.tilt_and_speed_latches import Normalisation
from velora_ros.errors import ObservationError, SpecError
from velora_ros.nodes.policy.command_layout import DAMP, BlockEncoder
from velora_ros.nodes.policy.connection_checks import ConnectionChecks, SourceConnection
from velora_ros.nodes.policy.debug_topics import DebugTopics
from velora_ros.nodes.policy.encoders import Encoder, make_encoder
from velora_ros.nodes.policy.frame_listener import listen_to_frames
from velora_ros.nodes.policy.moving_trajectory import MovingTrajectoryEncoder
from velora_ros.nodes.policy.observation_topics import ObservationTopic, ObservationTopics
from velora_ros.nodes.policy.parameters import check_times, observation_of, open_confirmations, settings_of
from velora_ros.nodes.policy.parameters_with_contract import with_contract
from velora_ros.nodes.policy.policy_folders import check_same_spec
from velora_ros.nodes.policy.startup_summary import startup_summary
from velora_ros.nodes.policy.status_and_diagnostics import Diagnostics
from velora_ros.nodes.policy.topic_factory import TopicFactory
from velora_ros.nodes.policy.writer_registry import WriterError, full_type
from velora_ros.nodes.ros.clocks import ClockStep
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.process_settings import FrozenGarbageCollector, NoOverflowWarnings
from velora_ros.nodes.ros.qos_overrides import check_qos_overrides
from velora_ros.nodes.ros.rclpy_compat import taker
from velora_ros.nodes.ros.timers import Timers
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.foreign.onnx_file import is_foreign
from velora_ros.spec import PolicySpec

INACTIVE = Status('ok', 'inactive', '')
NO_CLOCK = (
    'use_sim_time is set, and no message has arrived on /clock; start the node that publishes it, or omit use_sim_time'
)
# Longest wait for subscribers to acknowledge the last command [s].
ACKNOWLEDGE_S = 0.5
# A silence is confirmed after this share of the watchdog's timeout, by which the fault is latched later.
SECOND_LOOK = 0.05
DIAGNOSTICS_STEPS = 4


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
        ConfigError: parameters do not fit the policy, or a quality of service is invalid; nothing is left behind.
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
        settings, joints = settings_of(values), commanded_joints(policy.spec)
        self._sources = ObservationTopics(policy.spec.observation_names, observation_of(values), joints)
        self._trigger = self._sources.trigger
        topic = node.resolve_topic_name(self._trigger.source.topic)
        waiting = f"{WAITING} on '{topic}' ({self._trigger.full_type})"
        measures_joints = self._sources.measures_joints
        self.controller = Controller(
            policy,
            settings,
            fault,
            waiting=waiting,
            measures_joints=measures_joints,
            normalisation=_normalisation(policy),
        )
        check_times(values, self.controller.safety)
        self._observation = self._sources.observation(self.controller.begins, self.controller.last_action)
        self._measured = self._observation if measures_joints and isinstance(self._observation, Observation) else None
        self._schedule = StepSchedule(policy.spec.control_period) if values['rate_hz'] < 0 else None
        self.policy = policy
        self.active = False
        """Whether the loop reads states."""
        self._node = node
        self._clock = cast(ROSClock, node.get_clock())
        self._simulated_time = self._clock.ros_time_is_active  # checked again once a second
        self._diagnostics = diagnostics
        self._encoder = self._make_encoder(policy.spec, values, settings.interface)
        self._values = values
        self._late = round(policy.spec.control_period * 1e9)  # an older state is not answered if a newer one waits [ns]
        self._queue: deque[Any] = deque()  # messages that were received behind a late state
        self._kept: tuple[int, float] | None = None  # the newest state at a fixed rate: its stamp, when it was received
        self._debug = False
        self._timing = LoopTiming()
        self._between = 1 / settings.interpolate if settings.interpolate else 0.0  # time between two commands [s]
        self._diagnosis, self._path = self._diagnose(), ''
        self._topics = TopicFactory(node, diagnostics)
        self._frozen, self._quiet = FrozenGarbageCollector(), NoOverflowWarnings()
        self._timers = Timers(node)
        self._status_is_known = self._was_silent = False
        self._clock_step = ClockStep(self._clock, self.controller.set_clock_step)
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

    # --- the path of a message -------------------------------------------------------------------------------------

    def _on_state(self, message: Any) -> None:
        """Handle a message of the triggering topic, then those that were queued after a late one."""
        if not self.active:
            return
        handle = self._keep if self._values['rate_hz'] > 0 else self._answer
        handle(message)
        while self._queue and self.active:
            handle(self._queue.popleft())

    def _answer(self, message: Any) -> None:
        """Answer a message of the robot's state with a command: decode, observe, decide, encode."""
        received, now = time.monotonic(), self._now()
        try:
            if not now:
                raise ObservationError(NO_CLOCK)
            stamp, values = self._trigger.decoder.decode(message, now)
            if self._schedule is not None and not self._schedule.is_due(stamp):
                self._trigger.values.update(values, stamp)
                return
            observation = self._observation.observe(values, stamp)
        except ObservationError as error:
            self._reject(error)
            return
        if observation is None or self._is_superseded(now - stamp):
            return
        measured = None if self._measured is None else self._measured.joint_positions
        command = self.controller.decide(observation, stamp, now, received, measured)
        if self._schedule is not None and self.controller.policy_action is not None:
            self._schedule.note_step(stamp)
        if command is not None:
            self._publish(command)
            self._timing.add(received, time.monotonic(), (now - stamp) * 1e-9)
            if self._between:
                self._timers.postpone(self._on_interpolate, self._between)
        if command is None or self._debug or self.controller.fault or not self._status_is_known:
            self._report(command, observation)

    def _keep(self, message: Any) -> None:
        """Keep the state of a message for the next tick of the fixed rate."""
        received, now = time.monotonic(), self._now()
        try:
            if not now:
                raise ObservationError(NO_CLOCK)
            stamp = self._trigger.store(message, now)
        except ObservationError as error:
            self._reject(error)
            return
        if stamp is not None and not self._is_superseded(now - stamp):
            self.controller.counts['superseded'] += self._kept is not None
            self._kept = (stamp, received)

    def _on_rate(self) -> None:
        """Answer the newest state once; without a new one, repeat the command while its state is fresh."""
        now, steady = self._now(), time.monotonic()
        if self._kept is None:
            self.send(self.controller.repeat(now, steady))
            return
        (stamp, received), self._kept = self._kept, None
        try:
            observation = self._observation.read(stamp)
        except ObservationError as error:
            self._reject(error)
            return
        measured = None if self._measured is None else self._measured.joint_positions
        command = self.controller.decide(observation, stamp, now, steady, measured)
        if command is not None:
            self._publish(command)
            self._timing.add(received, time.monotonic(), (now - stamp) * 1e-9)
        self._report(command, observation)

    def _on_interpolate(self) -> None:
        """Send the next command on the way to that of the newest state."""
        command = self.controller.interpolate(self._now(), time.monotonic())
        if command is not None:
            self._publish(command)

    def _on_other_source(self, topic: ObservationTopic, message: Any) -> None:
        """Store the values of a topic that triggers no command."""
        if self.active:
            try:
                topic.store(message, self._now())
            except ObservationError as error:
                self._reject(error)

    def _is_superseded(self, age: int) -> bool:
        """Return whether a newer complete state was queued after a state of this age [ns]; if so, count it."""
        if age <= self._late and not self._queue:
            return False
        take = taker(self._subscription)
        while (message := take()) is not None:
            self._queue.append(message)
        superseded = len(self._queue) >= self._trigger.values.parts_of_a_state
        self.controller.counts['superseded'] += superseded
        return superseded

    def _reject(self, error: ObservationError) -> None:
        """Count a message that cannot be used, and publish why; the status is updated at the next command."""
        self.controller.reject('incomplete', str(error))
        self._status_is_known = False
        self._diagnostics.publish_status(self.status)

    def _report(self, command: Command | None, observation: Array) -> None:
        """Publish the status, if it is new, and the debugging topics."""
        self._diagnostics.publish_status(self.status)
        self._status_is_known = command is not None and not self.controller.fault
        if self._debug and self.controller.policy_action is not None:
            action = self.controller.policy_action
            self._debug_topics.publish(
                observation=lambda: observation,
                hidden=lambda: self.policy.hidden,
                raw_action=lambda: self.controller.safety.in_si(action),
            )

    def send(self, command: Command | None) -> bool:
        """Publish a command if there is one, and the controller's status; return whether there was one."""
        if command is not None:
            self._publish(command)
        self._status_is_known = False
        self._diagnostics.publish_status(self.status)
        return command is not None

    def _publish(self, command: Command) -> None:
        """Publish a command."""
        ends = self.controller.fault or not self.controller.armed
        try:
            self._command.publish(self._encode_last(command) if ends else self._encoder.encode(command))
        except WriterError as error:
            self.controller.stop(str(error))

    def _encode_last(self, command: Command) -> Any:
        """Return the message of the last command: without stiffness or speed, if the message has them."""
        if self._values['fallback'] == DAMP and isinstance(self._encoder, BlockEncoder):
            return self._encoder.damp(command)
        if isinstance(self._encoder, MovingTrajectoryEncoder):
            return self._encoder.end(command)
        return self._encoder.encode(command)

    def _make_encoder(self, spec: PolicySpec, values: Values, interface: str) -> Encoder:
        if (layout := values['command.layout']) and not values['command.velocities']:
            return BlockEncoder(spec, layout, interface or 'position', kind=values['command.type'])
        return make_encoder(
            values['command.type'],
            spec,
            interface=interface,
            fields=values['command.fields'],
            frame_id=values['command.frame_id'],
            now=self._now,
            stops_within=self.controller.safety.bounds if values['command.velocities'] else (),
        )

    def _now(self) -> int:
        """Return the time of the robot's clock [ns]; asking the system directly takes a tenth of the time."""
        return self._clock.now().nanoseconds if self._simulated_time else time.time_ns()

    # --- start, stop, settings -------------------------------------------------------------------------------------

    def start(self, *, arm: bool) -> None:
        """Start to read states; with ``arm``, also send commands."""
        self._observation.forget()
        self._restart_schedule()
        self._kept = None
        self._queue.clear()
        self.controller.activate(arm=arm)
        self._simulated_time = self._clock.ros_time_is_active
        self._frozen.begin()
        self._quiet.begin()
        self.active = True
        self._set_timers()
        self._diagnostics.publish_status(self.status)

    def stop(self) -> None:
        """Send the fallback if the robot was commanded, wait until it was received, and stop reading states."""
        if self.send(self.controller.disarm()):
            self._command.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_S))
        self.active = False
        self._frozen.end()
        self._quiet.end()
        self._set_timers()
        self._diagnostics.publish_status(self.status)

    def destroy(self) -> None:
        """Destroy topics and timers."""
        self.active = False
        self._frozen.end()
        self._quiet.end()
        self._set_timers()
        self._topics.destroy()
        if not self._destroyed:
            self._clock_step.close()
        self._destroyed = True

    @property
    def status(self) -> Status:
        """State and reason."""
        return self.controller.status if self.active or self.controller.fault else INACTIVE

    def summary(self, path: str) -> str:
        """Return the line logged when the policy of this file is configured."""
        resolve, waits = self._node.resolve_topic_name, len(self.controller.refusals)
        return startup_summary(path, self.policy.spec, self._sources.plans, self._values, resolve, waits=waits)

    def apply(self, values: Values) -> None:
        """Change all settings at once."""
        values = with_contract(values, self.policy.spec)
        self.controller.settings = settings_of(values)
        self.controller.refusals = self._open_confirmations(values)
        self._sources.limit_ages(values, self.controller.safety.max_state_age)
        self._values = values
        self._set_timers()
        self._diagnostics.publish_status(self.status)

    def forget(self, cause: str) -> None:
        """Reset the hidden state and drop the states of the sources."""
        self._sources.forget_states()
        self._restart_schedule()
        self._kept = None
        self.controller.reset(cause)

    def _restart_schedule(self) -> None:
        """Answer the next state."""
        if self._schedule is not None:
            self._schedule.restart()

    def _open_confirmations(self, values: Values) -> list[str]:
        topic = self._node.resolve_topic_name('command')
        return open_confirmations(values, self.policy.content, self.controller.safety, topic)

    def _warn_of_refusals(self) -> None:
        for sentence in self.controller.refusals:
            self._node.get_logger().warning(f'{sentence}.')

    # --- another policy --------------------------------------------------------------------------------------------

    def swap(self, policy: Policy) -> None:
        """
        Continue with another policy, from a fresh hidden state; the same policy continues without a change.

        Raises:
            SpecError: its specification differs, or the node was cleaned up.
        """
        if self._destroyed:
            raise SpecError('the node was cleaned up in the meantime.')
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

    # --- topics and timers -----------------------------------------------------------------------------------------

    def _create_topics(self) -> None:
        kind = full_type(self._values['command.type'])
        self._command = self._topics.publisher('command', kind)
        self._debug_topics = DebugTopics(self._topics)
        self._topics.subscription('reset', lambda _: self.forget('request'))
        self._subscription = self._trigger.subscribe(self._topics.subscription, self._on_state)
        subscriptions = [(self._trigger, self._subscription)]
        for topic in self._sources.others:
            callback = partial(self._on_other_source, topic)
            subscriptions.append((topic, topic.subscribe(self._topics.subscription, callback)))
        if (tree := self._sources.frames.tree) is not None and self._sources.frames.may_convert:
            listen_to_frames(tree, self._topics.subscription, self._node.get_logger().warning)
        sources = [
            SourceConnection(t.source.name, t.source.topic, t.full_type, subscription, t.values.contradictions)
            for t, subscription in subscriptions
        ]
        self._connections = ConnectionChecks(self._node, self._command, kind, known=COMMAND_TYPES, sources=sources)

    def _set_timers(self) -> None:
        """Start the watchdog and the fixed rate, each unless it is switched off or the loop is inactive."""
        timeout, rate = self.controller.safety.watchdog_timeout, self._values['rate_hz']
        self._timers.set(self._on_watchdog, timeout if self.active and timeout != float('inf') else 0.0)
        self._timers.set(self._on_rate, 1.0 / rate if self.active and rate > 0 else 0.0)
        self._timers.set(self._on_interpolate, self._between if self.active else 0.0)
        self._timers.set(self._on_stale, self._first_look if self.active else 0.0)

    def _on_watchdog(self) -> None:
        """
        Check for silence, then again when the newest state could next be too old; these are few checks, all in time.

        A fault needs two checks in a row that find silence: between them, a process that was blocked itself reads the
        queued states.
        """
        left = self.controller.until_watchdog(time.monotonic())
        self._was_silent = left <= 0 and not self._was_silent
        if left <= 0 and not self._was_silent:
            self.send(self.controller.watchdog(time.monotonic()))
        else:
            self._diagnostics.publish_status(self.status)
        second = SECOND_LOOK * self.controller.safety.watchdog_timeout
        self._timers.postpone(self._on_watchdog, left if left > 0 else second)

    @property
    def _first_look(self) -> float:
        """Time until the age of the input is first checked [s]; 0 if velocities and efforts may outlive it."""
        safety = self.controller.safety
        return safety.max_state_age if safety.zeroes_at_once and safety.max_state_age != float('inf') else 0.0

    def _on_stale(self) -> None:
        """Zero velocities and efforts as soon as their input is too old, and check again when that can next happen."""
        left = self.controller.until_zero(time.monotonic())
        if left <= 0:
            self.send(self.controller.zero(time.monotonic()))
        self._timers.postpone(self._on_stale, left if 0 < left < float('inf') else self._first_look)

    # --- diagnostics -----------------------------------------------------------------------------------------------

    def diagnose(self, path: str) -> None:
        """Take one of the steps to the next diagnostics; ``path`` is the file of the running policy."""
        self._path = path
        next(self._diagnosis)

    def _diagnose(self) -> Iterator[None]:
        """Publish diagnostics in DIAGNOSTICS_STEPS steps; all at once would delay a command by milliseconds."""
        while True:
            self._simulated_time = self._clock.ros_time_is_active
            self._debug = self._debug_topics.look_for_subscribers()
            self._diagnostics.look_for_conflicts()
            yield
            armed = self.active and self.controller.armed and not self.controller.fault
            waiting = self.active and self.controller.is_waiting
            self._diagnostics.connections = self._connections.check(armed=armed, waiting=waiting) if self.active else []
            self._diagnostics.remark = self._connections.remark
            yield
            timing = self._timing.report()
            self._diagnostics.report_limits(self.controller.changed.report() if self.active else '')
            yield
            for name, count in self._sources.lost().items():
                self.controller.counts[f'lost.{name}'] = count
            self._diagnostics.publish(self.status, self.controller, self.policy, self._path, timing)
            yield


def _normalisation(policy: Policy) -> Normalisation | None:
    """Return mean and inverse deviation of each observation in training; a policy of another library has none."""
    tensors = getattr(policy.content, 'tensors', None)
    return (tensors['normalisation.offset'], tensors['normalisation.scale']) if tensors else None
