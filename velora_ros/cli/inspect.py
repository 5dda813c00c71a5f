"""``velora_ros inspect FILE``: show the content of a policy file, as text and as pictures."""

import argparse
import json
from typing import Any

import numpy as np

from velora_ros.cli.arguments import whole_number
from velora_ros.cli.contract_tables import contract_lines, read_from, table
from velora_ros.cli.policy_pictures import draw
from velora_ros.liquid.cell_registry import CELLS
from velora_ros.policy import PolicyFile
from velora_ros.policy.golden_trace import for_reading


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``inspect`` to the parser."""
    parser = commands.add_parser('inspect', help='show the content of a policy file', description=__doc__)
    parser.add_argument('file', metavar='FILE', help='policy file')
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    pictures = parser.add_argument_group('pictures, .png or .svg')
    pictures.add_argument('--wiring', metavar='FILE', help='draw neurons and synapses')
    pictures.add_argument('--hidden', metavar='FILE', help='draw hidden state, observations, actions and rewards')
    pictures.add_argument('--env', metavar='ID', help='environment for --hidden (default: as in training)')
    pictures.add_argument(
        '--steps', metavar='N', type=whole_number(2), default=200, help='steps for --hidden (default: 200)'
    )
    pictures.add_argument('--seed', metavar='S', type=whole_number(0), default=0, help='seed of the reset (default: 0)')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Print a description of the file, and draw the requested pictures.

    Raises:
        VeloraError: the file is missing or damaged, or a picture cannot be made.
    """
    file = PolicyFile.load(arguments.file)
    wanted = {flag: path for flag in ('wiring', 'hidden') if (path := getattr(arguments, flag))}
    if wanted:  # before the text, so that an error comes first
        draw(file, wanted, env_id=arguments.env, steps=arguments.steps, seed=arguments.seed)
    print(json.dumps(summary(file)) if arguments.json else text(arguments.file, file))
    if not arguments.json:
        print(*(f'{flag}: {path}' for flag, path in wanted.items()), sep='\n', end='\n' if wanted else '')


def summary(file: PolicyFile) -> dict[str, Any]:
    """Return everything in the file except the weights, as JSON-ready values."""
    return {
        'digest': file.digest,
        'environment': file.environment,
        'dt_range': list(file.dt_range),
        'spec': file.spec.to_dict(),
        'cell': file.cell,
        'wiring': dict(file.wiring),
        'synapses': {layer: _synapses(file, layer) for layer in ('inter', 'command', 'motor')},
        'parameters': parameters(file),
        'provenance': dict(file.provenance),
    }


def parameters(file: PolicyFile) -> int:
    """Return the number of weights with a synapse plus the number of biases."""
    gates = {'inter': 1, 'command': CELLS[file.cell].gates, 'motor': 1}
    synapses = sum(repeats * _synapses(file, layer)['present'] for layer, repeats in gates.items())
    return synapses + sum(tensor.size for name, tensor in file.tensors.items() if name.endswith('.bias'))


def text(path: str, file: PolicyFile) -> str:
    """Return the description of a policy file as text."""
    spec, wiring = file.spec, file.wiring
    shortest, longest = file.dt_range
    assumed = ' (assumed, because the environment does not state it)' if spec.control_period_assumed else ''
    lines = [
        f'{path}',
        f'  digest       {file.digest}',
        f'  environment  {file.environment or "unknown"}',
        f'  period       {spec.control_period:g} s{assumed}, elapsed time clamped to {shortest:g} to {longest:g} s',
        f'  neurons      {file.n_neurons}: {wiring["inter"]} inter, {wiring["command"]} command (hidden state, '
        f'{file.cell}), {wiring["motor"]} motor; {parameters(file)} parameters',
    ]
    for layer in ('inter', 'command', 'motor'):
        count = _synapses(file, layer)
        lines.append(f'  {layer + " wiring":<14} {count["present"]} of {count["possible"]} synapses')
    contract = spec.contract
    lines += contract_lines(contract) if contract else []
    said = ['from', 'default', 'factor', 'transform'] if contract else []
    lines += ['observations', *table(['', 'name', 'unit', *said, 'offset', 'scale'], _observations(file))]
    head = ['', 'name', 'unit', 'low', 'high', 'scale', 'offset']
    lines += ["actions, in SI units: scale x the policy's own value + offset", *table(head, _actions(file))]
    if file.converted_units:
        lines.append(
            f'  converted from version 1, whose units were {", ".join(file.converted_units)}; policy_node arms it '
            'only with command.si_confirmed'
        )
    lines += ['provenance', *(f'  {key}: {_shown(value)}' for key, value in for_reading(file.provenance).items())]
    return '\n'.join(lines)


def _synapses(file: PolicyFile, layer: str) -> dict[str, int]:
    mask = file.tensors[f'wiring.{layer}']
    return {'present': int(np.count_nonzero(mask)), 'possible': int(mask.size)}


def _observations(file: PolicyFile) -> list[list[str]]:
    offset, scale = file.tensors['normalisation.offset'], file.tensors['normalisation.scale']
    rows = zip(file.spec.observation_names, file.spec.observation_units, offset, scale, strict=True)
    said = read_from(file.spec.contract) if file.spec.contract else [[]] * file.spec.observation_dim
    return [[str(i), name, unit or '-', *said[i], f'{o:.4g}', f'{s:.4g}'] for i, (name, unit, o, s) in enumerate(rows)]


def _actions(file: PolicyFile) -> list[list[str]]:
    spec = file.spec
    numbers = zip(spec.si_low, spec.si_high, spec.scale, spec.offset, strict=True)
    rows = zip(spec.action_names, spec.action_units, numbers, strict=True)
    return [[str(i), name, unit or '-', *(f'{x:g}' for x in values)] for i, (name, unit, values) in enumerate(rows)]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
