"""
The path of a message in policy_node: from the robot's state to the command.

:meth:`StateToCommand._answer` is the path: four calls, the last one in ``_publish``. It ends early for a state that is
incomplete, cannot be used, lies between two steps of the policy or is superseded. For a joint state and a vector of
commands, the calls are:

1. decode: ``JointStateDecoder`` (``serialised_messages.py``) reads the stamp and the values of the message;
2. observe: ``JointValues`` (``control/joint_values.py``) merges them by name into an observation; if there are other
   sources, transforms or position commands, ``Observation`` (``control/observation.py``) does so;
3. decide: ``Controller.decide`` (``control/controller.py``) steps the policy by ``Policy.step`` (``policy/policy.py``)
   and its engine (``policy/numba_engine.py``), and limits the action by ``Safety.bounded`` and, if a ramp or a slew
   rate is set, by ``RampAndSlew`` (``control/command_limits.py``);
4. encode: ``VectorEncoder`` (``serialised_messages.py``) makes the message of the command.

At a fixed rate (``rate_hz``), the path is split: a state is kept, and the next tick of the timer answers it.
"""

import time
from collections import deque
from functools import partial
from typing import Any

from rclpy.publisher import Publisher
from rclpy.subscription import Subscription

from velora_ros.control import Command, Controller, Status
from velora_ros.control.command_limits import Array
from velora_ros.control.loop_timing import LoopTiming
from velora_ros.control.observation import Observation
from velora_ros.control.step_schedule import StepSchedule
from velora_ros.errors import ObservationError
from velora_ros.nodes.policy.debug_topics import DebugTopics
from velora_ros.nodes.policy.encoders import Encoder, encode_last
from velora_ros.nodes.policy.observation_topics import ObservationTopic, ObservationTopics
from velora_ros.nodes.policy.status_and_diagnostics import Diagnostics
from velora_ros.nodes.policy.topic_factory import TopicFactory
from velora_ros.nodes.policy.writer_registry import WriterError
from velora_ros.nodes.ros.clocks import RobotClock
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.rclpy_compat import taker
from velora_ros.nodes.ros.timers import Timers

INACTIVE = Status('ok', 'inactive', '')
NO_CLOCK = (
    'use_sim_time is set, but nothing has arrived on /clock; start the node that publishes /clock, or omit use_sim_time'
)


class StateToCommand:
    """
    Answers the robot's states with commands, while it is active.

    Args:
        sources: the topics of the observation.
        controller: decides what may be commanded.
        encoder: makes the messages of commands.
        publisher: publishes these messages.
        clock: the robot's clock.
        timers: postpones interpolated commands.
        diagnostics: publishes the status.
        debug_topics: the topics for debugging.
        values: the node's parameters.
    """

    def __init__(
        self,
        sources: ObservationTopics,
        controller: Controller,
        encoder: Encoder,
        publisher: Publisher,
        *,
        clock: RobotClock,
        timers: Timers,
        diagnostics: Diagnostics,
        debug_topics: DebugTopics,
        values: Values,
    ) -> None:
        self.active = False
        """Whether states are read."""
        self.timing = LoopTiming()
        self.debug = False
        """Whether a debugging topic has subscribers."""
        self._sources, self._controller, self._encoder, self._command = sources, controller, encoder, publisher
        self._clock, self._timers, self._diagnostics, self._debug_topics = clock, timers, diagnostics, debug_topics
        self._period: float = controller.policy.spec.control_period
        self._schedule: StepSchedule | None = None
        self.apply(values)
        self._trigger = sources.trigger
        self._observation = sources.observation(controller.begins, controller.last_action)
        observed = self._observation
        self._measured = observed if sources.measures_joints and isinstance(observed, Observation) else None
        self._late = round(self._period * 1e9)  # a state older than this is not answered if a newer one waits [ns]
        self._queue: deque[Any] = deque()  # messages that were received behind a late state
        self._kept: tuple[int, float] | None = None  # the newest state at a fixed rate: its stamp, when it was received
        self._answered = 0.0  # when the last state with a command was received, on the steady clock [s]
        self._status_is_known = False

    def apply(self, values: Values) -> None:
        """Apply new values of the node's parameters."""
        self._fallback: str = values['fallback']
        self.rate: float = values['rate_hz']
        """The fixed rate of commands [Hz]; 0: one for each state; below 0: one step in each control period."""
        if (self.rate < 0) != (self._schedule is not None):
            self._schedule = StepSchedule(self._period) if self.rate < 0 else None
        rate = values['command.interpolate']
        self.between = 1 / rate if rate else 0.0
        """Time between two interpolated commands [s]; 0 without interpolation."""

    def subscribe(self, topics: TopicFactory) -> list[tuple[ObservationTopic, Subscription]]:
        """Subscribe to the topics of the observation; return each with its subscription, the trigger first."""
        found = [(self._trigger, self._trigger.subscribe(topics.subscription, self.on_state))]
        self._take = taker(found[0][1])
        for topic in self._sources.others:
            callback = partial(self._on_other_source, topic)
            found.append((topic, topic.subscribe(topics.subscription, callback)))
        return found

    # --- the path --------------------------------------------------------------------------------------------------

    def on_state(self, message: Any) -> None:
        """Handle a message of the trigger, then the messages that were queued behind a late one."""
        if not self.active:
            return
        handle = self._keep if self.rate > 0 else self._answer
        handle(message)
        while self._queue and self.active:
            handle(self._queue.popleft())

    def _answer(self, message: Any) -> None:
        """Answer a message of the robot's state with a command: decode, observe, decide, encode."""
        received, now = time.monotonic(), self._clock.now()
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
        command = self._controller.decide(observation, stamp, now, received, measured)
        if command is not None:
            self._publish(command)
            self.timing.add(received, time.monotonic(), (now - stamp) * 1e-9)
            self._answered = received
        if self._schedule is not None and self._controller.policy_action is not None:
            self._schedule.note_step(stamp)
        if command is None or self.debug or self._controller.fault or not self._status_is_known:
            self._report(command, observation)

    def _publish(self, command: Command) -> None:
        """Encode a command and publish it."""
        try:
            if self._controller.is_commanding:
                self._command.publish(self._encoder.encode(command))
            else:
                self._command.publish(encode_last(self._encoder, command, self._fallback))
        except WriterError as error:
            self._controller.stop(str(error))

    def _on_other_source(self, topic: ObservationTopic, message: Any) -> None:
        """Store the values of a topic that triggers no command."""
        if self.active:
            try:
                topic.store(message, self._clock.now())
            except ObservationError as error:
                self._reject(error)

    def _is_superseded(self, age: int) -> bool:
        """Return whether a newer complete state is queued behind a state of this age [ns]; if so, count this one."""
        if age <= self._late and not self._queue:
            return False
        while (message := self._take()) is not None:
            self._queue.append(message)
        superseded = len(self._queue) >= self._trigger.values.parts_of_a_state
        self._controller.counts['superseded'] += superseded
        return superseded

    # --- commands at other times -----------------------------------------------------------------------------------

    def _keep(self, message: Any) -> None:
        """Keep the state of a message for the next tick of the fixed rate."""
        received, now = time.monotonic(), self._clock.now()
        try:
            if not now:
                raise ObservationError(NO_CLOCK)
            stamp = self._trigger.store(message, now)
        except ObservationError as error:
            self._reject(error)
            return
        if stamp is not None and not self._is_superseded(now - stamp):
            self._controller.counts['superseded'] += self._kept is not None
            self._kept = (stamp, received)

    def on_rate(self) -> None:
        """Answer the newest state once; if there is no new state, repeat the last command while its state is fresh."""
        now, steady = self._clock.now(), time.monotonic()
        if self._kept is None:
            self.send(self._controller.repeat(now, steady))
            return
        (stamp, received), self._kept = self._kept, None
        try:
            observation = self._observation.read(stamp)
        except ObservationError as error:
            self._reject(error)
            return
        measured = None if self._measured is None else self._measured.joint_positions
        command = self._controller.decide(observation, stamp, now, steady, measured)
        if command is not None:
            self._publish(command)
            self.timing.add(received, time.monotonic(), (now - stamp) * 1e-9)
        self._report(command, observation)

    def on_interpolate(self) -> None:
        """Publish the next interpolated command, unless the newest command of the policy was just sent."""
        steady = time.monotonic()
        early = self._answered + self.between - steady
        # Here, not when the state is answered: see Timers.postpone.
        self._timers.postpone(self.on_interpolate, early if early > 0 else self.between)
        if early > 0:
            return
        command = self._controller.interpolate(self._clock.now(), steady)
        if command is not None:
            self._publish(command)

    def send(self, command: Command | None) -> bool:
        """Publish a command, unless it is None, and the controller's status; return whether a command was published."""
        if command is not None:
            self._publish(command)
        self._status_is_known = False
        self.publish_status()
        return command is not None

    # --- start, reset and status -----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start to read states; earlier states are dropped."""
        self._observation.forget()
        self._queue.clear()
        self.restart()
        self.active = True

    def forget(self) -> None:
        """Drop the values of all sources except goals."""
        self._sources.forget_states()
        self.restart()

    def restart(self) -> None:
        """Make the next state due, whatever the time since the last step; a state that was kept is dropped."""
        self._kept = None
        if self._schedule is not None:
            self._schedule.restart()

    @property
    def status(self) -> Status:
        """The controller's state and its reason; inactive while no states are read."""
        return self._controller.status if self.active or self._controller.fault else INACTIVE

    def _reject(self, error: ObservationError) -> None:
        """Count a message that cannot be used, and publish the reason as the status."""
        self._controller.reject('incomplete', str(error))
        self._status_is_known = False
        self.publish_status()

    def publish_status(self) -> None:
        """Publish the status if its level or state has changed."""
        self._diagnostics.publish_status(self.status)

    def _report(self, command: Command | None, observation: Array) -> None:
        """Publish the status, if it has changed, and the debugging topics."""
        self.publish_status()
        self._status_is_known = command is not None and not self._controller.fault
        if self.debug and self._controller.policy_action is not None:
            action = self._controller.policy_action
            self._debug_topics.publish(
                observation=lambda: observation,
                hidden=lambda: self._controller.policy.hidden,
                raw_action=lambda: self._controller.safety.in_si(action),
            )
