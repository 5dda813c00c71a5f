"""Runs the checks on a robot's messages, live or recorded, against the expectations of its policy."""

from collections.abc import Sequence

import numpy as np

from velora_ros.doctor.check_gravity import check_gravity
from velora_ros.doctor.check_joints import check_names, check_positions, check_signals, check_velocities
from velora_ros.doctor.check_response import Response, check_response
from velora_ros.doctor.check_times import check_times
from velora_ros.doctor.expected_robot import ExpectedRobot, ExpectedSource
from velora_ros.doctor.findings import Finding
from velora_ros.doctor.samples import JointSamples
from velora_ros.errors import ConfigError
from velora_ros.nodes.doctor.decode import decode, imu_samples, joint_samples, resampled, times_of
from velora_ros.nodes.policy.decoding.reader_registry import message_class
from velora_ros.recordings.mcap_reader import Recording

STATES, IMUS = 'sensor_msgs/msg/JointState', 'sensor_msgs/msg/Imu'
VECTOR = 'std_msgs/msg/Float64MultiArray'
AGE_PERIODS = 3.0
FEWEST_AT_REST = 5


class Examination:
    """
    The checks of one robot.

    Args:
        recording: the received or recorded messages.
        robot: the policy's expectations; None without a policy.
        namespace: the robot's namespace, such as ``/robot``; ``/`` is the root.
        anywhere: whether the robot may be in any pose; otherwise it must be upright in its start pose.
        command_topic: the topic of the robot's commands.
    """

    def __init__(
        self,
        recording: Recording,
        robot: ExpectedRobot | None,
        *,
        namespace: str = '/',
        anywhere: bool = False,
        command_topic: str = 'command',
    ) -> None:
        self.findings: list[Finding] = []
        self._recording, self._robot, self._anywhere = recording, robot, anywhere
        self._namespace, self._command_topic = namespace.rstrip('/'), command_topic
        self._begin = min((message.received for message in recording.messages), default=0)
        self._joints: JointSamples | None = None
        commands = recording.of(self._full(command_topic))
        self._armed = (commands[0].received - self._begin) * 1e-9 if commands else np.inf  # [s]

    def run(self) -> list[Finding]:
        """Run all checks and return their findings."""
        if self._robot is None:
            for topic, channel in self._recording.channels.items():
                if channel.type in (STATES, IMUS):
                    self._check_topic(topic, channel.type, None)
        else:
            for source in self._robot.sources:
                self._check_source(source, self._robot)
            self._check_commanded(self._robot)
            self._check_response(self._robot)
        if not self.findings:
            self.findings.append(
                Finding('mend', 'topics', 'robot', 'no message arrived; start the driver, or check ROS_DOMAIN_ID.')
            )
        return self.findings

    def _full(self, topic: str) -> str:
        return topic if topic.startswith('/') else f'{self._namespace}/{topic}'

    # --- topics ----------------------------------------------------------------------------------------------------

    def _check_source(self, source: ExpectedSource, robot: ExpectedRobot) -> None:
        topic, kind = self._full(source.source.topic), _full_type(source.source.type)
        channel = self._recording.channels.get(topic)
        messages = self._recording.of(topic)
        if channel is not None and channel.type not in (kind, f'{kind}Stamped', kind.removesuffix('Stamped')):
            option = f"'observation.{source.source.name}.type'"
            text = f'its type is {channel.type}, but the policy reads {kind}; set {option}.'
            self._add('mend', 'type', topic, text)
        elif messages:
            self._check_topic(topic, channel.type if channel else kind, source)
        elif source.may_be_silent:
            self._add('note', 'topic', topic, f'no {kind} arrived, because no node publishes commands.')
        else:
            others = [name for name, one in self._recording.channels.items() if one.type == kind]
            hint = f", or set 'observation.{source.source.name}.topic' to '{others[0]}'" if others else ''
            self._add('mend', 'topic', topic, f'no {kind} arrived, but the policy reads it; start its driver{hint}.')
            if kind == STATES and others:
                self._check_names(others[0], source, robot)

    def _check_topic(self, topic: str, kind: str, source: ExpectedSource | None) -> None:
        messages = self._recording.of(topic)
        decoded = decode(messages, kind)
        period = self._robot.period if self._robot is not None else None
        reads_all = source is not None and source.is_trigger
        if source is None or not source.may_be_silent:
            self.findings += check_times(
                topic,
                times_of(messages, decoded, self._begin),
                period=period if reads_all else None,
                max_age=AGE_PERIODS * period if period is not None and source is not None else None,
                steps_at_period=self._robot is not None and self._robot.steps_at_period,
            )
        if kind == STATES:
            self._joints = joint_samples(messages, decoded, self._begin)
            self._check_joints(topic, source)
        elif kind == VECTOR and source is not None:
            self._check_length(topic, [len(one.data) for one in decoded], source)
        elif kind == IMUS:
            reads = source is not None and source.reads_orientation
            samples = imu_samples(messages, decoded, self._begin)
            self.findings += check_gravity(topic, samples, needs_orientation=reads, upright=not self._anywhere)

    def _check_length(self, topic: str, lengths: Sequence[int], source: ExpectedSource) -> None:
        """Check the length of a topic's vectors, if the policy reads them by index."""
        if not all(text.isdecimal() for text in source.fields):
            return
        places = [int(text) for text in source.fields]
        is_whole = places == list(range(len(places)))
        wrong = [n for n in lengths if n < max(places) + 1 or (is_whole and n != len(places))]
        if wrong:
            text = f'its vectors have {wrong[0]} numbers, but the policy reads {len(places)}: it is a different robot.'
            self._add(
                'mend', 'names', topic, f"{text} Use that robot's policy, or choose numbers with 'observation.fields'."
            )
        else:
            self._add('ok', 'names', topic, f'{len(places)} numbers')

    # --- joints ----------------------------------------------------------------------------------------------------

    def _check_joints(self, topic: str, source: ExpectedSource | None) -> None:
        samples = self._joints
        assert samples is not None
        if self._robot is None or source is None:
            self.findings += check_velocities(samples.names, samples)
            return
        self.findings += check_names(topic, source.joints, samples.names)
        self.findings += check_signals(topic, source.fields, samples)
        at_rest = samples.before(self._armed)
        anywhere = self._anywhere or len(at_rest.times) < FEWEST_AT_REST or at_rest.moves
        if anywhere and not self._anywhere:
            text = 'the robot moves, so its pose is compared only with the positions in training.'
            self._add('note', 'pose', topic, text)
        self.findings += check_positions(self._robot.joints, samples if anywhere else at_rest, anywhere=anywhere)
        self.findings += check_velocities([name for name in source.joints if name in samples.names], samples)

    def _check_names(self, topic: str, source: ExpectedSource, robot: ExpectedRobot) -> None:
        """Compare the joint names on another topic, which may be the robot's own, with the names of the policy."""
        messages = self._recording.of(topic)
        if messages:
            samples = joint_samples(messages, decode(messages, STATES), self._begin)
            self.findings += check_names(topic, source.joints, samples.names)

    def _check_commanded(self, robot: ExpectedRobot) -> None:
        """Check that the commanded joints exist, if the robot's joint states are known."""
        if self._joints is not None and (missing := [n for n in robot.commanded if n not in self._joints.names]):
            shown = ', '.join(missing[:3]) + (f', ... ({len(missing)})' if len(missing) > 3 else '')
            text = f'the policy commands {shown}, but the joint states do not have this; set command.fields.'
            self._add('mend', 'names', self._full(self._command_topic), text)

    # --- responses to commands ---------------------------------------------------------------------------------------

    def _check_response(self, robot: ExpectedRobot) -> None:
        topic, samples = self._full(self._command_topic), self._joints
        channel = self._recording.channels.get(topic)
        if samples is None or channel is None or robot.interface not in ('position', 'velocity'):
            return
        if channel.type not in (VECTOR, STATES) or any(name not in samples.names for name in robot.commanded):
            return
        messages = self._recording.of(topic)
        rows = [_commands(one, robot) for one in decode(messages, channel.type)]
        used = [(message, row) for message, row in zip(messages, rows, strict=True) if row is not None]
        if len(used) >= 2 and len(samples.times) >= 2:
            self.findings += check_response(self._response(robot, samples, used))

    def _response(self, robot: ExpectedRobot, samples: JointSamples, used: Sequence[tuple]) -> Response:  # type: ignore[type-arg]
        at = np.array([(message.received - self._begin) * 1e-9 for message, _ in used])
        states = samples.times.received
        step = robot.period / 2
        grid = np.arange(max(at[0], states[0]), min(at[-1], states[-1]), step)
        places = [list(samples.names).index(name) for name in robot.commanded]
        values = samples.position if robot.interface == 'position' else samples.velocity
        return Response(
            grid,
            robot.commanded,
            resampled(at, np.array([row for _, row in used]), grid),
            resampled(states, values[:, places], grid),
            robot.interface == 'position',
        )

    def _add(self, level: str, check: str, about: str, text: str) -> None:
        self.findings.append(Finding(level, check, about, text))  # type: ignore[arg-type]


def _commands(message: object, robot: ExpectedRobot) -> list[float] | None:
    """Return the commands in a message, in the order of the policy's actions; None if they are for other joints."""
    if hasattr(message, 'data'):
        values = list(message.data)
        return values if len(values) == len(robot.commanded) else None
    names, values = list(getattr(message, 'name', [])), list(getattr(message, robot.interface, []))
    if len(values) != len(names) or any(name not in names for name in robot.commanded):
        return None
    return [values[names.index(name)] for name in robot.commanded]


def _full_type(kind: str) -> str:
    """Return the full name of a type, ``package/msg/Name``; ``kind`` itself if the type is not installed."""
    try:
        message = message_class(kind)
    except ConfigError:
        return kind
    return f'{message.__module__.partition(".")[0]}/msg/{message.__name__}'
