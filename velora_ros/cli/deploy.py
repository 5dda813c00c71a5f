"""
``velora_ros deploy FILE --out robot.yaml``: write what a policy reads and commands as parameters to edit.

For an ONNX model of another library without a description, the command drafts the description.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from velora_ros.cli.contract_tables import variation
from velora_ros.cli.draft_description import needs_description, write_description
from velora_ros.contract.contract_to_parameters import as_parameters
from velora_ros.errors import ConfigError, SpecError
from velora_ros.policy.foreign.foreign_policy_file import is_foreign
from velora_ros.policy.policy import Policy, load_file
from velora_ros.spec import PolicySpec, RobotContract
from velora_ros.utils.atomic_files import atomic_write
from velora_ros.utils.output import write_line

_WIDTH = 120
HEAD = """\
# policy_node on your robot: what the policy file {file} says, as parameters to edit.
#   ros2 launch velora_ros control.launch.py sim:=false policy:={file} params:=THIS_FILE
# Parameters that are omitted have the value in the policy file. docs/parameters.md explains each of them.
#
# task: {task}; {variation}.
# An observation is scale * value + offset, in the policy's order. {ranges}
"""
GAINS = """\
# The servos of training, joint by joint: name, stiffness, damping, largest effort, start pose, limits.
{rows}
"""


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``deploy`` to the parser."""
    parser = commands.add_parser(
        'deploy', help='write what a policy reads and commands as a parameter file', description=__doc__
    )
    parser.add_argument('file', metavar='FILE', help='policy file, or an ONNX model (docs/bring-your-policy.md)')
    parser.add_argument(
        '--out', metavar='FILE', help='the YAML file to write (default: print it; a draft goes beside the model)'
    )
    parser.add_argument(
        '--robot', metavar='FILE', help="URDF or MJCF file with the joints' limits, for the draft of a description"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Write the parameter file, or draft a description.

    Raises:
        VeloraError: the policy file is damaged, does not fit its description or has no contract, or the parameter file
            cannot be written.
    """
    if needs_description(arguments.file):
        write_line(write_description(arguments.file, arguments.out, arguments.robot))
        return
    if arguments.robot is not None:
        raise ConfigError(
            '--robot is for the draft of a description, but this policy has one; omit --robot, or remove the '
            'description.'
        )
    written = text(arguments.file, _checked_spec(arguments.file))
    if arguments.out is None:
        write_line(written.rstrip())
        return
    with atomic_write(Path(arguments.out)) as file:
        file.write(written.encode())
    write_line(f'{arguments.out}: edit it, then pass it with params:={arguments.out}')


def _checked_spec(file: str) -> PolicySpec:
    """Return the specification of a policy; one step of an ONNX model shows whether the description fits it."""
    return Policy.load(file).spec if is_foreign(file) else load_file(file).spec


def text(file: str, spec: PolicySpec) -> str:
    """
    Return the content of the parameter file.

    Raises:
        SpecError: the policy has no contract.
    """
    contract = spec.contract
    if contract is None:
        raise SpecError(
            f"the policy '{file}' has no contract: it was not trained on a task, or was trained by an earlier release. "
            f"'velora_ros "
            "tasks write TASK FILE' adds it; for other policies see docs/plug-in-your-robot.md."
        )
    lines = [_head(file, contract), '/**/policy_node:', '  ros__parameters:']
    confirmations = {'gains_confirmed': False} if contract.command.stiffness else {}
    for name, value in {**as_parameters(contract), **confirmations, 'start_pose_speed': 0.5}.items():
        if not _is_unset(name, value):
            lines += _entry(name, value, spec.observation_names)
    return '\n'.join(lines) + '\n'


def _head(file: str, contract: RobotContract) -> str:
    ranges = '; '.join(
        f'{source.name}: {_numbers(source.low)} to {_numbers(source.high)}' for source in contract.sources if source.low
    )
    head = HEAD.format(
        file=file, task=contract.task or 'unknown', variation=variation(contract),
        ranges=f'Trained ranges: {ranges}.' if ranges else '',
    )  # fmt: skip
    command = contract.command
    if command.stiffness:
        columns = (command.fields, command.stiffness, command.damping, command.effort_limit, command.start_pose)
        limits = [f'{low:g} to {high:g}' for low, high in zip(command.low, command.high, strict=False)]
        rows = zip(*(column or ('-',) * len(command.fields) for column in (*columns, limits)), strict=True)
        head += GAINS.format(rows='\n'.join(f'#   {"  ".join(_cell(cell) for cell in row)}' for row in rows))
    return '\n'.join(line.rstrip() for line in head.splitlines())


def _is_unset(name: str, value: Any) -> bool:
    """Return whether a parameter has its default value, so that it can be omitted."""
    if name.endswith('.max_age_s'):
        return bool(value == -1)
    return value in ([], '') or (name.startswith('observation.') and value == 0.0)


def _entry(name: str, value: Any, observations: Sequence[str]) -> list[str]:
    """Return the lines of a parameter; a long list has one line for each entry, with the name of the observation."""
    if not isinstance(value, list):
        return [f'    {name}: {_scalar(value)}']
    line = f'    {name}: [{", ".join(map(_scalar, value))}]'
    if len(line) <= _WIDTH:
        return [line]
    names = observations if len(value) == len(observations) else [''] * len(value)
    rows = (f'      - {_scalar(one)}{f"  # {of}" if of else ""}' for one, of in zip(value, names, strict=True))
    return [f'    {name}:', *rows]


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(float(value)) if isinstance(value, int | float) else f"'{value}'"


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else f'{value:g}'


def _numbers(values: Sequence[float]) -> str:
    return f'[{", ".join(f"{value:g}" for value in values)}]'
