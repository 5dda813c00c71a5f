"""Turns the recorded messages of a robot into observations, with policy_node's own decoders."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rclpy.serialization import deserialize_message

from velora_ros.contract.actions import commanded_joints
from velora_ros.control import Controller
from velora_ros.control.command_limits import Safety
from velora_ros.control.controller_settings import Settings
from velora_ros.control.observation import Observation
from velora_ros.control.step_schedule import StepSchedule
from velora_ros.errors import ObservationError, RecordingError
from velora_ros.nodes.policy.observation_topics import ObservationTopic, ObservationTopics
from velora_ros.nodes.policy.parameters import parameters
from velora_ros.nodes.policy.parameters_with_contract import with_contract
from velora_ros.nodes.policy.settings_of_parameters import observation_of, settings_of
from velora_ros.nodes.replay.recorded_topics import controller_of, find_topic
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.parameter_files import value_in
from velora_ros.policy import Policy
from velora_ros.recordings.mcap_reader import Recording
from velora_ros.recordings.messages import RawMessage
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]


class Step(NamedTuple):
    """
    What a policy reads at a state.

    Args:
        published: when the state was published [ns].
        stamp: when the state was measured [ns].
        observation: the observation, shape (observation,).
        measured: the positions of the commanded joints [rad or m]; None if they are not read.
    """

    published: int
    stamp: int
    observation: Array
    measured: list[float] | None = None


class RecordedRobot:
    """
    A recorded robot, which gives the observations of a policy.

    Args:
        recording: the recording.
        policy: the policy, which :attr:`controller` steps.
        params: a parameter file of policy_node; ``''`` for none.
        namespace: the robot's namespace; None for the namespace of the recorded controller.

    Raises:
        ConfigError: the parameters do not fit the policy.
        RecordingError: a topic that the policy reads was not recorded.
    """

    def __init__(self, recording: Recording, policy: Policy, *, params: str = '', namespace: str | None = None) -> None:
        self.node = node = controller_of(recording) or '/policy_node'
        """The full name of the recorded controller."""
        self.namespace = node.rpartition('/')[0] or '/' if namespace is None else f'/{namespace.strip("/")}'
        full_name = f'{self.namespace.rstrip("/")}/{node.rpartition("/")[2]}'
        self.values = parameter_values(params, full_name, policy.spec)
        settings = settings_of(self.values)
        joints = commanded_joints(policy.spec)
        self._sources = ObservationTopics(policy.spec.observation_names, observation_of(self.values), joints)
        measures = self._sources.measures_joints
        self.controller = Controller(policy, _without_time_limits(settings), measures_joints=measures)
        self.rejected = 0
        """Number of messages that the policy could not use."""
        self.reason = ''
        """Why the policy could not use the last one of them."""
        self._recording = recording
        self._sources.limit_ages(self.values, Safety(policy.spec, settings).max_state_age)
        self._observation = self._sources.observation(self.controller.begins, self.controller.last_action)
        self._topics = {name: topic for topic in self._sources.all if (name := self._find(topic))}
        self._schedule = StepSchedule(policy.spec.control_period) if self.values['rate_hz'] < 0 else None
        self._reset = next((name for name in recording.channels if name == f'{self.namespace.rstrip("/")}/reset'), '')

    def steps(self) -> Iterator[Step]:
        """Yield what the policy reads at each state; a recorded message on ``reset`` resets the policy."""
        wanted = {*self._topics, self._reset}
        messages = [message for message in self._recording.messages if message.topic in wanted]
        for message in sorted(messages, key=lambda one: one.published):
            if message.topic == self._reset:
                self._forget()
            elif (step := self._read(message)) is not None:
                yield step

    @np.errstate(all='ignore')  # numbers that overflow are rejected
    def _read(self, message: RawMessage) -> Step | None:
        topic = self._topics[message.topic]
        content = message.data if topic.is_raw else deserialize_message(message.data, topic.kind)
        try:
            if topic is not self._sources.trigger:
                topic.store(content, message.published)
                return None
            stamp, values = topic.decoder.decode(content, message.published)
            if self._schedule is not None and not self._schedule.is_due(stamp):
                topic.values.update(values, stamp)
                return None
            observation = self._observation.observe(values, stamp)
        except ObservationError as error:
            self.rejected, self.reason = self.rejected + 1, str(error)
            return None
        if observation is None:
            return None
        if self._schedule is not None:
            self._schedule.note_step(stamp)
        merged = self._observation
        measured = merged.joint_positions if isinstance(merged, Observation) else None
        return Step(message.published, stamp, observation, measured)

    def _forget(self) -> None:
        self._sources.forget_states()
        if self._schedule is not None:
            self._schedule.restart()
        self.controller.reset('message')

    def _find(self, topic: ObservationTopic) -> str:
        """Return the name of the recorded topic; '' if it was not recorded and the policy does not need it."""
        option = f"give a parameter file (--params) with 'observation.{topic.source.name}.topic'"
        try:
            found = find_topic(self._recording, topic.source.topic, topic.full_type, self.namespace, option=option)
        except RecordingError:
            if topic.source.missing:
                return ''
            raise
        if not self._recording.of(found) and not topic.source.missing:
            raise RecordingError(f"the recording has no message on the topic '{found}'; record while the robot runs.")
        return found


def parameter_values(file: str, node: str, spec: PolicySpec | None = None) -> Values:
    """
    Return policy_node's parameters: the values that a file sets for the node, otherwise their defaults.

    Args:
        file: the parameter file; '' for none.
        node: the node's full name.
        spec: the policy's specification, whose contract fills in unset parameters; None for no policy.
    """
    own = [source.name for source in spec.contract.sources] if spec is not None and spec.contract is not None else []
    rows = parameters([*own, *(value_in(file, node, 'observation.sources') or [])])
    given = {row.name: value_in(file, node, row.name) for row in rows}
    values = {row.name: row.check(given[row.name]) if given[row.name] is not None else row.default for row in rows}
    return values if spec is None else with_contract(values, spec)


def _without_time_limits(settings: Settings) -> Settings:
    """Return settings for a replay, in which the states follow each other as fast as possible and nothing stops."""
    return replace(
        settings, max_state_age_s=0.0, watchdog_timeout_s=0.0, fallback='none', start_pose_speed=0.0, interpolate=0.0,
        max_tilt=0.0, max_joint_speed=0.0, max_deviation=0.0,
    )  # fmt: skip
