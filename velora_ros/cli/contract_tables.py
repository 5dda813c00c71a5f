"""The contract of a policy file as lines of text: sources, the origin of each observation, and the command."""

from collections.abc import Sequence

from velora_ros.spec import RobotContract, Source


def variation(contract: RobotContract) -> str:
    """Return a phrase about what differed between the simulations in training, if the contract states it."""
    return f'varied in training: {", ".join(contract.varied)}' if contract.varied else 'no variation is stated'


def contract_lines(contract: RobotContract) -> list[str]:
    """Return the task of training, the sources and the command, as lines of text."""
    command = contract.command
    moves = ', which moves at the speed of the actions' if command.mode == 'increment' else ''
    lines = [
        f'  task         {contract.task or "unknown"}; {variation(contract)}',
        'sources',
    ]
    lines += table(['', 'topic', 'type', 'notes'], [_source(one, i) for i, one in enumerate(contract.sources)])
    lines.append(f'sent as {command.type}: {command.interface}{moves}')
    columns = {
        'low': command.low, 'high': command.high, 'start': command.start_pose, 'stiffness': command.stiffness,
        'damping': command.damping, 'effort': command.effort_limit,
    }  # fmt: skip
    shown = {name: values for name, values in columns.items() if values}
    numbers = zip(*shown.values(), strict=True) if shown else [()] * len(command.fields)
    rows = zip(command.fields, numbers, strict=True)
    return [*lines, *table(['', *shown], [[name, *(f'{value:g}' for value in values)] for name, values in rows])]


def read_from(contract: RobotContract) -> list[list[str]]:
    """Return the field, default, factor and transform of each observation, as cells of a table."""
    transforms = contract.transform or ('none',) * len(contract.fields)
    rows = zip(contract.fields, contract.default, contract.scale, transforms, strict=True)
    return [
        [field, f'{default:g}', f'{scale:g}', '' if kind == 'none' else kind] for field, default, scale, kind in rows
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table: a header and rows, with aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    return [
        '  ' + '  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]


def _source(source: Source, place: int) -> list[str]:
    notes = ['each message may trigger a step'] if not place else []
    if source.missing and source.max_age_s > 0:
        notes.append(f'{_numbers(source.missing)} after {source.max_age_s:g} s')
    if source.low or source.high:
        notes.append(f'clipped to {_numbers(source.low)} to {_numbers(source.high)}')
    if source.period_s:
        notes.append(f'stride {source.period_s:g} s, runs while {source.moves_with} is above {source.moves_above:g}')
    return [source.name, source.topic or '-', source.type, '; '.join(notes)]


def _numbers(values: Sequence[float]) -> str:
    return ', '.join(f'{value:g}' for value in values) or 'any'
