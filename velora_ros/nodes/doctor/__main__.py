"""The executable ``doctor``; ``velora_ros doctor`` starts it."""

import argparse
import json
import sys
from pathlib import Path

from velora_ros.contract.source_plan import JOINTS
from velora_ros.doctor.check_policy import check_policy
from velora_ros.doctor.expected_robot import ExpectedRobot, expected_robot
from velora_ros.doctor.findings import Finding, as_json, is_ready, report
from velora_ros.doctor.joint_axes import joint_directions
from velora_ros.doctor.options import add_arguments
from velora_ros.errors import ConfigError, VeloraError
from velora_ros.nodes.doctor.ask import ask_to_move
from velora_ros.nodes.doctor.decode import decode
from velora_ros.nodes.doctor.examine import Examination
from velora_ros.nodes.doctor.listen import Listener
from velora_ros.nodes.policy.policy_folders import policy_path
from velora_ros.nodes.policy.settings_of_parameters import observation_of
from velora_ros.nodes.replay.recorded_robot import parameter_values
from velora_ros.policy import Policy
from velora_ros.policy.golden_trace import with_golden_trace
from velora_ros.recordings.mcap_reader import Recording, read_recording
from velora_ros.utils.output import write_line

NO_POLICY = 'no problem was found; to check whether the robot is ready for a policy, give the policy'
READY, NOT_READY, USAGE, INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Examine a robot; the exit status is 0 if it is ready, and 1 if something must be corrected."""
    parser = argparse.ArgumentParser('velora_ros doctor')
    add_arguments(parser)
    try:
        sys.exit(run(parser.parse_args()))
    except VeloraError as error:
        write_line(f'velora_ros: error: {" ".join(str(error).split())}', error=True)
        sys.exit(USAGE if isinstance(error, ConfigError) else NOT_READY)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def run(arguments: argparse.Namespace) -> int:
    """
    Examine a robot, print the report, and return the exit status.

    Raises:
        VeloraError: a file cannot be read, or the parameters do not fit the policy.
    """
    policy = Policy.load(policy_path(arguments.policy)) if arguments.policy else None
    if arguments.add_trace:
        return _add_trace(arguments, policy)
    namespace = f'/{arguments.namespace.strip("/")}'
    spec = policy.spec if policy is not None else None
    values = parameter_values(arguments.params or '', f'{namespace.rstrip("/")}/policy_node', spec)
    robot = None
    findings = []
    if policy is not None:
        robot = expected_robot(
            policy.content, observation_of(values), command_fields=values['command.fields'], rate_hz=values['rate_hz']
        )
        findings.append(check_policy(arguments.policy, policy))
    else:
        text = 'without a policy, the expected names, pose and period are unknown.'
        findings.append(Finding('note', 'policy', 'robot', text))
    if arguments.recording:
        findings += _examine(arguments, read_recording(arguments.recording), robot, namespace)
    else:
        findings += _examine_live(arguments, robot, namespace)
    for line in report(findings, 'ready' if policy is not None else NO_POLICY):
        write_line(line)
    if arguments.json:
        about = {'policy': arguments.policy or None, 'digest': policy.digest if policy else None}
        write_line(json.dumps(as_json(findings, **about)))
    return READY if is_ready(findings) else NOT_READY


def _examine(
    arguments: argparse.Namespace, recording: Recording, robot: ExpectedRobot | None, namespace: str
) -> list[Finding]:
    return Examination(
        recording,
        robot,
        namespace=namespace,
        anywhere=arguments.anywhere,
        command_topic=arguments.command_topic,
    ).run()


def _examine_live(arguments: argparse.Namespace, robot: ExpectedRobot | None, namespace: str) -> list[Finding]:
    sources = robot.sources if robot is not None else []
    named = [source.source.topic for source in sources] + [arguments.command_topic]
    listener = Listener(namespace, named)
    try:
        write_line(f'listening for {arguments.seconds:g} s; nothing is published')
        recording = listener.collect(arguments.seconds)
        findings = _examine(arguments, recording, robot, namespace)
        findings += [
            Finding('note', 'publishers', topic, f'it has {count} publishers; check that no old driver still runs.')
            for topic, count in listener.publishers.items()
            if count > 1 and recording.channels[topic].type == 'sensor_msgs/msg/JointState'
        ]
        return findings + _ask(arguments, listener, recording, robot, namespace)
    finally:
        listener.close()


def _ask(
    arguments: argparse.Namespace, listener: Listener, recording: Recording, robot: ExpectedRobot | None, namespace: str
) -> list[Finding]:
    if robot is None or not robot.joints:
        return []
    if arguments.move is None:
        text = 'not checked; with --move, you are asked to move each joint.'
        return [Finding('note', 'order', 'joints', text)]
    known = {joint.name: joint for joint in robot.joints}
    unknown = [name for name in arguments.move if name not in known]
    if unknown:
        raise ConfigError(
            f"--move names the joint '{unknown[0]}', but the policy reads the positions of {', '.join(known)}; name "
            'some of these.'
        )
    topic = next(source.source.topic for source in robot.sources if source.source.type == JOINTS)
    full = topic if topic.startswith('/') else f'{namespace.rstrip("/")}/{topic}'
    names = [name for name in known if any(name in one for one in _names(recording, full))]
    wanted = [known[name] for name in (arguments.move or names) if name in names]
    return ask_to_move(
        listener, full, wanted, patience=arguments.patience, names=names, directions=_directions(recording, namespace)
    )


def _names(recording: Recording, topic: str) -> list[list[str]]:
    return [list(one.name) for one in decode(recording.of(topic)[:20], 'sensor_msgs/msg/JointState')]


def _directions(recording: Recording, namespace: str) -> dict[str, str]:
    """Return the positive directions of joints, if the robot's description was received."""
    messages = recording.of(f'{namespace.rstrip("/")}/robot_description')
    return joint_directions(decode(messages[-1:], 'std_msgs/msg/String')[0].data) if messages else {}


def _add_trace(arguments: argparse.Namespace, policy: Policy | None) -> int:
    if policy is None:
        raise ConfigError('--add-trace is given without a policy; add the path of a policy file.')
    with_golden_trace(policy.file).save(Path(arguments.add_trace))
    write_line(f'{arguments.add_trace} was written: the policy with a golden trace')
    return READY


if __name__ == '__main__':
    main()
