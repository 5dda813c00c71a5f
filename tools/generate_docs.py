"""
Write docs/parameters.md, docs/interface.md and docs/hyperparameters.md from the tables in the code.

With --check nothing is written; the exit status is 1 if a page is out of date.
"""

import argparse
import dataclasses
import importlib
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from velora_ros.nodes.ros.parameter import Parameter
from velora_ros.nodes.ros.topics_services_qos import SERVICES, TOPICS
from velora_ros.training.hyperparameters import fields

DOCS = Path(__file__).resolve().parents[1] / 'docs'
NODES = tuple(dict.fromkeys(row.node for row in TOPICS))
LARGEST_BOUND = 2**40  # a larger bound only reflects the type
NOTE = '<!-- Written by `make docs` from the tables in velora_ros/nodes; change those. -->\n'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; bars in the cells are escaped."""
    lines = [head, ['---'] * len(head), *rows]
    return ''.join('| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |\n' for line in lines)


def code(text: str) -> str:
    """Return the text as code; an empty text as two quotes."""
    return f'`{text}`' if text else "`''`"


def prose(text: str) -> str:
    """Return the text with <placeholders> escaped, so that they are not read as HTML."""
    return text.replace('<', '\\<')


def value(item: object) -> str:
    """Return a default as it is written in YAML."""
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, list):
        return f'[{", ".join(map(value, item))}]'
    return str(item)


def valid(row: Parameter) -> str:
    """Return the values that a parameter may take, besides its type."""
    if row.choices:
        return ', '.join(map(code, row.choices))
    if row.range is None:
        return ''
    low, high = (f'{bound:.12g}' for bound in row.range)
    return f'at least {low}' if row.range[1] > LARGEST_BOUND else f'{low} to {high}'


def parameter_page() -> str:
    """Return docs/parameters.md."""
    page = [
        '# Parameters\n',
        NOTE,
        "In parameter files, use keys such as `/**/policy_node:`, which also apply in a namespace. T is the policy's "
        'nominal control period [s]. A contract is the part of a policy file that describes how a policy that was '
        'trained on a task is connected to a robot ([plug-in-your-robot.md](plug-in-your-robot.md)). A parameter that '
        'is unknown, has the wrong type or is out of range is refused, and the error says why.\n',
    ]
    for node in NODES:
        module = importlib.import_module(f'velora_ros.nodes.{node.removesuffix("_node")}.parameters')
        rows = [
            (
                code(row.name),
                row.type.replace('_', ' '),
                code(value(row.default)),
                row.unit,
                valid(row),
                prose(f'{row.description} Read only: {row.read_only}' if row.read_only else row.description),
            )
            for row in getattr(module, 'DOCUMENTED', module.PARAMETERS)
        ]
        page += [f'## {node}\n', table(('name', 'type', 'default', 'unit', 'valid values', 'meaning'), rows)]
    return '\n'.join(page)


def interface_page() -> str:
    """Return docs/interface.md."""
    page = [
        '# Topics and services\n',
        NOTE,
        "Names are relative, so namespaces and remappings apply; `~` stands for the node's name. You can change the "
        'quality of service of every topic with `qos_overrides` parameters. A condition in brackets (when ...) says '
        'when the node has a topic.\n',
    ]
    for node in NODES:
        topics = [
            (
                row.direction,
                code(row.name),
                code(row.type),
                row.qos.name,
                prose(f'{row.description} (when {row.condition})' if row.condition else row.description),
            )
            for row in TOPICS
            if row.node == node
        ]
        services = [(code(row.name), code(row.type), row.description) for row in SERVICES if row.node == node]
        page += [f'## {node}\n', table(('direction', 'topic', 'type', 'quality of service', 'content'), topics)]
        page += [table(('service', 'type', 'what it does'), services)] if services else []
    return '\n'.join(page)


GROUPS = {
    'agent': ('Agent', 'These are arguments of `LiquidDDPG(...)`.'),
    'train': ('Training', 'These are arguments of `LiquidDDPG.train(...)`.'),
    'env': ('Environment', 'These are arguments of `velora_ros.gym.Disturbances`, for training and its evaluations.'),
}


def hyperparameter_page() -> str:
    """Return docs/hyperparameters.md."""
    page = [
        '# Hyperparameters\n',
        NOTE.replace('the tables in velora_ros/nodes', 'velora_ros/training/hyperparameters.py'),
        'You can set each hyperparameter as a flag of `velora_ros train`, as an argument in Python, as a line of a'
        ' preset or of a `--config` file (`actor_lr: 0.001`), or as a parameter of `trainer_node`:\n',
        '```bash\nvelora_ros train --env InvertedPendulum-v5 --actor-lr 0.001\n```\n',
        'Hyperparameters marked *live* can change between two episodes, from a callback or as a parameter of'
        ' `trainer_node`.\n',
    ]
    for group, (title, text) in GROUPS.items():
        rows = [
            (
                code(item.name),
                code(value(list(item.default) if isinstance(item.default, tuple) else item.default)),
                item.metadata['unit'],
                valid_hyperparameter(item),
                prose(item.metadata['help'] + ('; *live*' if item.metadata['live'] else '')),
            )
            for item in fields(group)
        ]
        page += [f'## {title}\n', f'{text}\n', table(('name', 'default', 'unit', 'valid values', 'meaning'), rows)]
    return '\n'.join(page)


def valid_hyperparameter(item: 'dataclasses.Field[object]') -> str:
    """Return which values a hyperparameter may take."""
    limits = item.metadata
    if limits['choices']:
        return ', '.join(map(code, limits['choices']))
    if item.type is bool:
        return '`true`, `false`'
    low = f'above {limits["low"]}' if limits['above'] else f'at least {limits["low"]}'
    return low if limits['high'] == math.inf else f'{low}, at most {limits["high"]}'


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--check', action='store_true', help='write nothing; exit 1 when a page is out of date')
    check = parser.parse_args().check
    stale = []
    pages = {
        'parameters.md': parameter_page(),
        'interface.md': interface_page(),
        'hyperparameters.md': hyperparameter_page(),
    }
    for name, text in pages.items():
        path = DOCS / name
        if not path.is_file() or path.read_text(encoding='utf-8') != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding='utf-8')
    if check and stale:
        print(f'docs: {", ".join(stale)} no longer match the code; run `make docs` and commit the result.')
    return 1 if check and stale else 0


if __name__ == '__main__':
    sys.exit(main())
