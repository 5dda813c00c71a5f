"""
``velora_ros tasks``: list the included tasks; ``velora_ros tasks show NAME`` prints the contract of a task.

``velora_ros tasks write NAME FILE`` writes the contract into a policy that an earlier release trained on this task.
"""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from velora_ros.utils.output import write_line


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``tasks`` to the parser."""
    parser = commands.add_parser(
        'tasks', help="list tasks, or show a task's observations, actions and rewards", description=__doc__
    )
    parser.set_defaults(run=list_tasks)
    actions = parser.add_subparsers(metavar='ACTION')
    show = actions.add_parser('show', help='print the contract of a task')
    show.add_argument('task', metavar='TASK', help='quadruped, my_robot.py:WALK or my_package.my_robot:WALK')
    show.add_argument('--json', action='store_true', help='print one JSON object')
    show.set_defaults(run=show_task)
    write = actions.add_parser('write', help='write the contract of a task into a policy file that has none')
    write.add_argument('task', metavar='TASK', help='the task in which the policy was trained')
    write.add_argument('file', metavar='FILE', help='policy file')
    write.set_defaults(run=write_contract)


def list_tasks(arguments: argparse.Namespace) -> None:
    """Print a line for each included task."""
    from velora_ros.tasks.find_task import find, shipped  # noqa: PLC0415 - MuJoCo takes a moment to load

    rows = []
    for name in shipped():
        spec = find(name).policy_spec
        period = f'{1 / spec.control_period:g} Hz'
        rows.append((name, f'{spec.observation_dim} observations', f'{spec.action_dim} actions', period))
    for row in _aligned(rows):
        write_line(row)
    if not rows:
        write_line('no task ships with this version; give your own as my_robot.py:WALK.')


def show_task(arguments: argparse.Namespace) -> None:
    """
    Print the contract of a task.

    Raises:
        TaskError: there is no such task, or it is not valid.
    """
    from velora_ros.tasks.contract_table import contract  # noqa: PLC0415 - MuJoCo takes a moment to load
    from velora_ros.tasks.find_task import find  # noqa: PLC0415

    found = contract(find(arguments.task))
    write_line(json.dumps({'task': arguments.task, **found}) if arguments.json else text(arguments.task, found))


def write_contract(arguments: argparse.Namespace) -> None:
    """
    Write the contract of a task into a policy file, without changing the weights.

    Raises:
        VeloraError: the file is damaged, there is no such task, or the task does not fit the policy.
    """
    from velora_ros.policy import PolicyFile  # noqa: PLC0415
    from velora_ros.tasks.find_task import find  # noqa: PLC0415 - MuJoCo takes a moment to load
    from velora_ros.tasks.task_to_contract import with_contract  # noqa: PLC0415

    file = with_contract(PolicyFile.load(arguments.file), find(arguments.task))
    file.save(arguments.file)
    write_line(f'{arguments.file}: now has the contract of {arguments.task}, digest {file.digest[:12]}')


def text(name: str, found: dict[str, Any]) -> str:
    """Return the contract as tables."""
    head = f'{name}: {1 / found["period_s"]:g} Hz, episodes of {found["episode_s"]:g} s'
    columns = ('name', 'unit', 'scale', 'noise', 'bias', 'from')
    parts = [head, *_table('the policy reads', columns, found['observations'])]
    parts += _table(
        'only the critic sees (it also gets the above without noise, and what was drawn)', columns, found['critic']
    )
    parts += _table('the policy commands', ('name', 'unit', 'scale', 'offset', 'to'), found['actions'])
    for one in found['commands']:
        every = 'once' if one['every_s'] is None else 'every {:g} to {:g} s'.format(*one['every_s'])
        title = f'command {one["name"]}, drawn {every}, still in {100 * one["still"]:g} %, from {one["from"]}'
        parts += _table(title, ('name', 'unit', 'range'), one['entries'])
    parts += _table('rewards in each step', ('name', 'weight', 'unit'), found['rewards'])
    if found['reward_floor'] is not None:
        parts.append(f'  at least {found["reward_floor"]:g}; a failure gives {found["reward_floor"]:g}')
    parts.append(f'ends with: {", ".join(found["failures"]) or "the time limit only"}')
    parts += _table('varies from episode to episode', ('name', 'what'), found['variations']) or ['varies: nothing']
    return '\n'.join(parts)


def _table(title: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    cells = [tuple(columns), *(tuple(_cell(row[column]) for column in columns) for row in rows)]
    return [f'{title} ({len(rows)}):', *(f'  {line}' for line in _aligned(cells))]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ' to '.join(f'{one:g}' for one in value)
    return f'{value:.4g}' if isinstance(value, float) else str('' if value is None else value)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return ['  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
