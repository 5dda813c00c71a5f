"""Steps a policy with the states of a recording, and compares its commands with the recorded ones."""

from dataclasses import dataclass

import numpy as np
from rclpy.serialization import deserialize_message

from velora_ros.control import Command
from velora_ros.errors import RecordingError, SpecError
from velora_ros.nodes.policy.decoding.reader_registry import message_class
from velora_ros.nodes.replay.recorded_robot import RecordedRobot
from velora_ros.nodes.replay.recorded_run import RecordedRun, armed_at
from velora_ros.nodes.replay.recorded_topics import find_topic
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.sim.command_decoders import make_command_decoder
from velora_ros.policy import Policy
from velora_ros.recordings.compare_commands import Commands, Comparison, pair_with_states
from velora_ros.recordings.mcap_reader import Recording
from velora_ros.recordings.messages import POLICY_NOTE


@dataclass(frozen=True)
class WhatIf:
    """
    The result of a replay.

    Args:
        commands: the policy's commands, one for each state that it could use.
        comparison: these commands and the recorded ones, for the states that have both.
        recorded: the number of recorded commands.
        same_policy: whether the policy is the one that ran in the recording.
        corrections: how often the policy's hidden state was set to the recorded one, because they differed; these
            states are not compared.
    """

    commands: Commands
    comparison: Comparison
    recorded: int
    same_policy: bool
    corrections: int


def what_if(recording: Recording, robot: RecordedRobot, policy: Policy, *, command_topic: str = '') -> WhatIf:
    """
    Return what a policy would have commanded in a recording.

    The policy reads the recorded states, although its own commands would have led to other states.

    Args:
        recording: the recording.
        robot: the recorded robot, which gives the observations of the policy.
        policy: the policy.
        command_topic: the topic of the recorded commands; if ``''``, it is found by its name or type.

    Raises:
        RecordingError: no state can be used; the message says why.
    """
    digests = {note.values.get('digest') for note in recording.notes if note.name == POLICY_NOTE}
    run = RecordedRun(recording, robot, policy, is_same=digests == {policy.digest})
    robot.controller.activate(arm=True)
    published: list[int] = []
    values: list[Command] = []
    for step in robot.steps():
        now = step.published
        run.correct(published, now)
        command = robot.controller.decide(run.observation(step), step.stamp, now, now * 1e-9, step.measured)
        if command is None:
            robot.rejected, robot.reason = robot.rejected + 1, robot.controller.status.reason
            continue
        published.append(now)
        values.append(command)
    if not values:
        why = robot.reason.rstrip('.') or 'no states were recorded'
        raise RecordingError(f'the policy could use none of the recorded states: {why}.')
    commands = Commands(np.array(published, dtype=np.int64), np.array(values, dtype=np.float64))
    recorded = _recorded_commands(recording, robot, policy, command_topic)
    compared = _compare(recording, robot, recorded, commands, run.corrected)
    return WhatIf(commands, compared, len(recorded), run.is_same, len(run.corrected))


def _compare(
    recording: Recording, robot: RecordedRobot, recorded: Commands, other: Commands, corrected: set[int]
) -> Comparison:
    """Compare the steps at which the recorded policy commanded, except steps whose hidden state was corrected."""
    spec = robot.controller.policy.spec
    states, answers = pair_with_states(other.times, recorded)
    is_armed = armed_at(recording, robot.node, other.times[states])
    kept = np.array([armed and place not in corrected for armed, place in zip(is_armed, states, strict=True)], bool)
    states, answers = states[kept], answers[kept]
    low, high = np.array(robot.controller.safety.bounds).T
    return Comparison(
        spec.action_names,
        spec.action_units,
        high - low,
        (other.times[states] - (other.times[0] if len(other) else 0)) * 1e-9,
        recorded.values[answers],
        other.values[states],
    )


def _recorded_commands(recording: Recording, robot: RecordedRobot, policy: Policy, topic: str) -> Commands:
    """Return the recorded commands in the order of the policy's actions; empty if none were recorded."""
    kind = robot.values['command.type']
    size = policy.spec.action_dim
    if kind not in COMMAND_TYPES:  # a type with a writer, whose messages cannot be decoded
        return Commands(np.zeros(0, np.int64), np.zeros((0, size)))
    option = 'give another topic (--command-topic), or its type in a parameter file (--params)'
    try:
        found = find_topic(recording, topic or 'command', COMMAND_TYPES[kind], robot.namespace, option=option)
    except RecordingError:
        if topic:
            raise
        return Commands(np.zeros(0, np.int64), np.zeros((0, size)))
    decoder = make_command_decoder(
        kind,
        policy.spec,
        interface=robot.controller.settings.interface,
        fields=robot.values['command.fields'],
        layout=robot.values['command.layout'],
    )
    message = message_class(COMMAND_TYPES[kind])
    messages = sorted(recording.of(found), key=lambda one: one.published)
    rows = []
    for one in messages:
        try:
            row = decoder.decode(deserialize_message(one.data, message))
        except SpecError as error:
            raise RecordingError(f"the commands on '{found}' do not fit this policy: {error}") from error
        if len(row) != size:
            raise RecordingError(
                f"the commands on '{found}' have {len(row)} values, but the number of actions is {size}: "
                f'{", ".join(policy.spec.action_names)}; {option}.'
            )
        rows.append(row)
    times = np.array([one.published for one in messages], dtype=np.int64)
    return Commands(times, np.array(rows, dtype=np.float64).reshape(-1, size))
