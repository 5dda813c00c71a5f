"""The process of ``velora_ros replay FILE --policy FILE``."""

import argparse
import json
import sys
from typing import Any

from velora_ros.errors import ConfigError, VeloraError
from velora_ros.nodes.policy.policy_folders import policy_path
from velora_ros.nodes.replay.recorded_robot import RecordedRobot
from velora_ros.nodes.replay.what_if import WhatIf, what_if
from velora_ros.policy import Policy
from velora_ros.recordings.mcap_reader import read_recording
from velora_ros.recordings.repair import write_recording
from velora_ros.recordings.replay_options import add_arguments
from velora_ros.utils.output import write_line
from velora_ros.utils.text_table import text_table


def main() -> None:
    """Compare the commands that the policy would have sent with the recorded ones, and print the result."""
    parser = argparse.ArgumentParser('velora_ros replay')
    add_arguments(parser)
    arguments = parser.parse_args()
    try:
        run(arguments)
    except VeloraError as error:
        write_line(f'velora_ros: error: {" ".join(str(error).split())}', error=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)


def run(arguments: argparse.Namespace) -> None:
    """
    Replay the recording, print tables and one JSON object, and draw the requested picture.

    Raises:
        VeloraError: a file cannot be read or written, or the files do not fit together.
    """
    policy = Policy.load(policy_path(arguments.policy))
    recording = read_recording(arguments.file)
    robot = RecordedRobot(recording, policy, params=arguments.params or '', namespace=arguments.namespace)
    result = what_if(recording, robot, policy, command_topic=arguments.command_topic)
    if arguments.picture:
        _draw(arguments, result)
    if arguments.out:
        write_recording(recording, arguments.out)
    for line in lines(arguments, robot, result):
        write_line(line)
    write_line(json.dumps(summary(arguments, policy, robot, result)))


def lines(arguments: argparse.Namespace, robot: RecordedRobot, result: WhatIf) -> list[str]:
    """Return the lines to print: counts, a table of the actions, and the moments with the largest differences."""
    comparison = result.comparison
    text = [
        f'{arguments.file} with {arguments.policy}: {len(result.commands)} states answered, {robot.rejected} not'
        f'{f" ({robot.reason})" if robot.rejected else ""}; {len(comparison.times)} of {result.recorded} recorded '
        'commands compared'
    ]
    if result.same_policy:
        text.append(f'  this policy ran in the recording; its hidden state was corrected {result.corrections} times')
    head = ['action', 'unit', 'recorded (rms)', 'policy (rms)', 'difference (rms)', 'largest', 'of range', 'at [s]']
    keys = ('recorded_rms', 'other_rms', 'difference_rms', 'largest', 'share_of_range', 'at_s')
    text += text_table(
        head, [[row['action'], row['unit'] or '-', *(_shown(row[key]) for key in keys)] for row in comparison.rows()]
    )
    moments = comparison.largest_moments(max(arguments.rows, 0))
    if moments:
        text.append('  where they differ most:')
        rows = [
            [f'{time:.3f}', comparison.names[action], _shown(recorded), _shown(other), _shown(other - recorded)]
            for time, action, recorded, other in moments
        ]
        text += text_table(['at [s]', 'action', 'recorded', 'policy', 'difference'], rows, indent='    ')
    return text


def summary(arguments: argparse.Namespace, policy: Policy, robot: RecordedRobot, result: WhatIf) -> dict[str, Any]:
    """Return the result as a dictionary for JSON."""
    rows = result.comparison.rows()
    return {
        'event': 'replay',
        'file': arguments.file,
        'policy': arguments.policy,
        'digest': policy.digest,
        'same_policy': result.same_policy,
        'corrections': result.corrections,
        'states': len(result.commands),
        'rejected': robot.rejected,
        'recorded_commands': result.recorded,
        'compared': len(result.comparison.times),
        'largest_difference': max((row['largest'] for row in rows if row['largest'] is not None), default=None),
        'actions': rows,
    }


def _draw(arguments: argparse.Namespace, result: WhatIf) -> None:
    from velora_ros.pictures.draw_commands import draw_commands  # noqa: PLC0415 - matplotlib
    from velora_ros.pictures.style import picture_path, save  # noqa: PLC0415

    path = picture_path(arguments.picture, '--picture')
    one = result.comparison
    times = (result.commands.times - result.commands.times[0]) * 1e-9
    labels = [f'{name} [{unit}]' if unit else name for name, unit in zip(one.names, one.units, strict=True)]
    figure = draw_commands(labels, (one.times, one.recorded), (times, result.commands.values), arguments.policy)
    save(figure, path)


def _shown(value: float | None) -> str:
    return '-' if value is None else f'{value:.4g}'


if __name__ == '__main__':
    main()
