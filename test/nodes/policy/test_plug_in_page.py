"""Every YAML block of docs/plug-in-your-robot.md is what the nodes take, as it stands there."""

import itertools
import textwrap

import pytest
import yaml
from ros_bench import SOURCE

from velora_ros.contract.fields import width_of
from velora_ros.nodes.policy import parameters as policy
from velora_ros.nodes.policy.encoders import make_encoder
from velora_ros.nodes.policy.observation_topics import ObservationTopics
from velora_ros.nodes.policy.settings_of_parameters import observation_of, settings_of
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.sim import parameters as sim
from velora_ros.nodes.sim.command_decoders import make_command_decoder
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros

PAGE = SOURCE / 'docs' / 'plug-in-your-robot.md'


def blocks():
    """The page's YAML blocks; those that begin indented go on with the parameters of policy_node."""
    for number, part in enumerate(PAGE.read_text(encoding='utf-8').split('```yaml\n')[1:]):
        text = part.split('```')[0]
        if text.startswith(' '):
            text = '/**/policy_node:\n  ros__parameters:\n' + textwrap.indent(textwrap.dedent(text), '    ')
        yield number, yaml.safe_load(text)


BLOCKS = dict(blocks())
OF_POLICY_NODE = {
    number: content['ros__parameters']
    for number, block in BLOCKS.items()
    for key, content in block.items()
    if key in ('/**/policy_node', '/**')
}


def values_of(given):
    rows = {row.name: row for row in policy.parameters(given.get('observation.sources'))}
    assert given.keys() <= rows.keys(), 'a parameter that there is not'
    return {name: row.check(given[name]) if name in given else row.default for name, row in rows.items()}


def spec_for(values):
    """A policy that reads and commands as many values as the block says."""
    fields = [field.partition(':')[2] for field in values['observation.fields']]
    size = sum(width_of(field) or 1 for field in fields) if fields else 1
    actions = values['command.fields'] or ['action_0'] * max(1, len(values['command.scale']))
    n = len(actions)
    return PolicySpec(
        tuple(f'obs_{i}' for i in range(size)), ('',) * size, tuple(f'action_{i}' for i in range(n)), ('',) * n,
        (-1.0,) * n, (1.0,) * n, 0.04,
    )  # fmt: skip


@pytest.mark.parametrize('number', OF_POLICY_NODE)
def test_a_block_for_policy_node_configures_it(number):
    values = values_of(OF_POLICY_NODE[number])
    spec, settings = spec_for(values), settings_of(values)
    if values['observation.fields']:
        observed = observation_of(values)
        observed = ObservationTopics(spec.observation_names, observed)
        observed.limit_ages(values, 0.1)
        topics = [topic.source.topic for topic in (observed.trigger, *observed.others)]
        assert len(topics) == len({field.partition(':')[0] for field in values['observation.fields']})
    if values['command.fields']:
        encoder = make_encoder(
            values['command.type'], spec, interface=settings.interface, fields=values['command.fields'],
            frame_id=values['command.frame_id'], now=lambda: 0,
        )  # fmt: skip
        assert encoder.encode([0.5] * spec.action_dim)


def test_a_block_for_all_nodes_configures_the_simulator_too():
    shared = [block['/**']['ros__parameters'] for block in BLOCKS.values() if '/**' in block]
    assert shared
    rows = {row.name: row for row in sim.PARAMETERS}
    for given in shared:
        values = {name: rows[name].check(value) for name, value in given.items() if name not in sim.SHARED}
        fields = values['command.fields']
        spec = spec_for({'observation.fields': [], 'command.fields': fields, 'command.scale': []})
        assert make_command_decoder(values['command.type'], spec, interface=values['command.interface'], fields=fields)


def test_the_page_shows_each_kind_of_source_and_each_kind_of_command():
    given = list(itertools.chain(*(block.items() for block in OF_POLICY_NODE.values())))
    text = ' '.join(f'{name} {value}' for name, value in given)
    for words in ('ranges[', 'min(ranges', 'goal:', 'cmd_vel:', 'unwrap', 'missing', 'max_age_s 0.0', 'nonfinite'):
        assert words in text, words
    assert {value for name, value in given if name == 'command.type'} <= COMMAND_TYPES.keys()


def test_a_lifecycle_manager_waits_for_no_bond():
    (manager,) = (block['lifecycle_manager'] for block in BLOCKS.values() if 'lifecycle_manager' in block)
    assert manager['ros__parameters']['bond_timeout'] == 0.0
    assert manager['ros__parameters']['node_names'] == ['policy_node']
