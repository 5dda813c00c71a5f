"""Parameter tables on a node in this process, and the shipped parameter files."""

import importlib
import math
import re
from pathlib import Path

import pytest
import yaml
from rclpy.parameter import Parameter as RosParameter

from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.parameter import Parameter
from velora_ros.nodes.ros.parameter_table import ParameterTable
from velora_ros.nodes.ros.rclpy_compat import Refused, start_values

pytestmark = pytest.mark.ros

CONFIG = Path(__file__).resolve().parents[3] / 'config'
FOREIGN = CONFIG / 'joystick.yaml'  # parameters of joy_teleop, which is not ours; test_joystick_file.py reads it
ROWS = (
    Parameter('limit_s', 'double', 1.0, 'A limit.', unit='s', range=(0, math.inf)),
    Parameter('count', 'integer', 3, 'A count.', range=(1, 10)),
    Parameter('mode', 'string', 'slow', 'A mode.', choices=('slow', 'fast')),
    Parameter('gains', 'double_array', [], 'Gains.'),
    Parameter('folders', 'string_array', [], 'Folders.', read_only='they are opened at the start.'),
    Parameter('name', 'string', 'robot', 'A name.', read_only='it is used at the start.'),
)


def change(node, **values):
    return node.set_parameters_atomically([RosParameter(name, value=value) for name, value in values.items()])


def test_defaults_and_descriptors_come_from_the_table(make_node):
    node = make_node()
    table = ParameterTable(node, ROWS)
    assert table.values == {row.name: row.default for row in ROWS}
    assert [node.get_parameter(row.name).value for row in ROWS] == [row.default for row in ROWS]
    limit, mode, folders = (node.describe_parameter(name) for name in ('limit_s', 'mode', 'folders'))
    assert limit.description == 'A limit. [s]'
    assert limit.floating_point_range[0].from_value == 0.0
    assert mode.additional_constraints == 'one of: slow, fast'
    assert folders.read_only
    assert 'they are opened at the start' in folders.additional_constraints
    assert node.get_parameter('folders').type_ == RosParameter.Type.STRING_ARRAY


def test_start_up_values_are_applied_and_integers_are_valid_doubles(make_node):
    arguments = ['-p', 'limit_s:=25', '-p', 'gains:=[1, 2]', '-p', 'mode:=fast', '-p', 'folders:=[a]']
    table = ParameterTable(make_node(*arguments), ROWS)
    assert table['limit_s'] == 25.0 and isinstance(table['limit_s'], float)
    assert table['gains'] == [1.0, 2.0]
    assert table['mode'] == 'fast'
    assert table['folders'] == ['a']


def test_one_number_is_a_list_of_one(make_node):
    assert ParameterTable(make_node('-p', 'gains:=2'), ROWS)['gains'] == [2.0]


def test_an_empty_list_in_a_file_means_unset(make_node, tmp_path):
    file = tmp_path / 'node.yaml'
    file.write_text('/**/node:\n  ros__parameters:\n    gains: []\n')
    assert ParameterTable(make_node('--params-file', file), ROWS)['gains'] == []


@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        ('limit:=3.0', "there is no parameter 'limit'. Did you mean 'limit_s'?"),
        ('limit_s:=-3.0', "parameter 'limit_s' is -3.0 s; it must be at least 0 s. A limit."),
        ('limit_s:=.nan', "parameter 'limit_s' is nan; it must be a finite number."),
        ('limit_s:=true', "parameter 'limit_s' is True; it must be a finite number."),
        ('count:=11', "parameter 'count' is 11; it must be from 1 to 10."),
        ('count:=1.5', "parameter 'count' is 1.5; it must be an integer."),
        ('mode:=fats', "parameter 'mode' is 'fats'. Did you mean 'fast'?"),
        ('gains:=true', "parameter 'gains' is True; it must be a list of finite numbers."),
        ('gains:=[a]', "parameter 'gains' is ['a']; it must be a list of finite numbers."),
    ],
)
def test_a_wrong_start_value_is_refused_in_one_sentence(make_node, argument, message):
    with pytest.raises(ConfigError) as refusal:
        ParameterTable(make_node('-p', argument), ROWS)
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize('name', ['robot_description', 'controller.frequency', 'update_rate', 'use_gui', 'limits.x'])
def test_a_start_up_parameter_of_another_node_is_only_a_warning(make_node, tmp_path, capfd, name):
    file = tmp_path / 'everybody.yaml'
    file.write_text(f'/**:\n  ros__parameters:\n    {name}: 5\n    count: 4\n')
    rows = [*ROWS, Parameter('update_ratio', 'double', 1.0, 'A ratio.')]
    assert ParameterTable(make_node('--params-file', file), rows)['count'] == 4
    logged = capfd.readouterr().err
    assert logged.count(f'[node]: ignored start-up parameters of other nodes: {name};') == 1
    assert logged.startswith('[WARN]')


@pytest.mark.parametrize(
    ('name', 'nearest'),
    [('limit_S', 'limit_s'), ('mdoe', 'mode'), ('counts', 'count'), ('arm.reech', 'arm.reach'), ('arm.x', 'arm.reach'),
     ('amr.reach', 'arm.reach')],
)  # fmt: skip
def test_a_start_up_parameter_that_is_meant_for_this_node_is_refused(make_node, tmp_path, name, nearest):
    file = tmp_path / 'everybody.yaml'
    file.write_text(f'/**:\n  ros__parameters:\n    {name}: 5\n')
    with pytest.raises(ConfigError, match=f"there is no parameter '{re.escape(name)}'.*{re.escape(nearest)}"):
        ParameterTable(make_node('--params-file', file), [*ROWS, Parameter('arm.reach', 'double', 1.0, 'A length.')])


def test_the_range_of_a_list_is_in_its_constraints(make_node):
    node = make_node()
    rows = (
        Parameter('rates', 'double_array', [], 'Rates.', 'N/s', (0, math.inf)),
        Parameter('shares', 'double_array', [0.5], 'Shares.', '', (0, 1), read_only='they are used at the start.'),
    )
    ParameterTable(node, rows)
    assert node.describe_parameter('rates').additional_constraints == 'each value must be at least 0 N/s'
    assert node.describe_parameter('rates').description == 'Rates. [N/s]'
    constraints = node.describe_parameter('shares').additional_constraints
    assert constraints == 'each value must be from 0 to 1; read only: they are used at the start.'


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('limits', 1.0, "there is no parameter 'limits'. Did you mean 'limit_s'?"),
        ('limit_s', -1.0, 'it must be at least 0 s'),
        ('limit_s', None, 'it must be a finite number'),
        ('name', 'other', "parameter 'name' cannot change while the node runs: it is used at the start."),
    ],
)
def test_a_wrong_change_is_refused_with_the_reason_and_nothing_changes(make_node, name, value, message):
    node = make_node()
    table = ParameterTable(node, ROWS)
    with pytest.raises(Refused) as refusal:
        change(node, **{name: value, 'count': 5})
    assert message in str(refusal.value)
    assert table['count'] == 3


def test_several_changes_are_checked_together_and_applied_once(make_node):
    def fast_needs_a_high_limit(values):
        if values['mode'] == 'fast' and values['limit_s'] < 5:
            raise ConfigError('fast needs a limit of 5 s or more.')

    node, applied = make_node(), []
    table = ParameterTable(node, ROWS, validate=fast_needs_a_high_limit, apply=applied.append)
    assert change(node, mode='fast').reason == 'fast needs a limit of 5 s or more.'
    assert applied == [] and table['mode'] == 'slow'
    assert change(node, mode='fast', limit_s=6).successful
    assert len(applied) == 1
    assert applied[0]['mode'] == 'fast' and applied[0]['limit_s'] == 6.0
    assert node.get_parameter('limit_s').value == 6.0


def test_a_list_can_become_empty_again(make_node):
    node = make_node()
    table = ParameterTable(node, ROWS)
    assert change(node, gains=[1, 2]).successful
    assert change(node, gains=[]).successful
    assert table['gains'] == []


def test_start_up_values_that_contradict_each_other_are_refused(make_node):
    def refuse(values):
        raise ConfigError('these do not go together.')

    with pytest.raises(ConfigError, match='go together'):
        ParameterTable(make_node(), ROWS, validate=refuse)


@pytest.mark.parametrize('namespace', ['', '/robot1'])
@pytest.mark.parametrize('file', sorted(set(CONFIG.glob('*.yaml')) - {FOREIGN}), ids=lambda file: file.stem)
def test_every_shipped_file_sets_its_node_s_parameters_in_any_namespace(make_node, file, namespace):
    for key, content in yaml.safe_load(file.read_text()).items():
        name = key.removeprefix('/**/')
        module = importlib.import_module(f'velora_ros.nodes.{name.removesuffix("_node")}.parameters')
        sources = content['ros__parameters'].get('observation.sources')
        rows = module.parameters(sources) if name == 'policy_node' else module.PARAMETERS
        node = make_node('--params-file', file, name=name, namespace=namespace)
        ParameterTable(node, rows)
        assert set(start_values(node)) == set(content['ros__parameters'])


@pytest.mark.parametrize(
    ('given', 'taken'),
    [('range_max', ['range_max']), (3.5, ['3.5']), ([3.5, 0.0], ['3.5', '0.0']), (['refuse', '2'], ['refuse', '2'])],
)
def test_a_lenient_list_of_strings_accepts_a_single_string_and_numbers(given, taken):
    assert Parameter('fill', 'string_array', [], 'What stands for it.', lenient=True).check(given) == taken
