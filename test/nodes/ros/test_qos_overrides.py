"""``qos_overrides`` parameters given at the start: used, misspelt, and those of other nodes."""

import pytest

from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.ros.parameter_table import ParameterTable
from velora_ros.nodes.ros.qos_overrides import check_qos_overrides

pytestmark = pytest.mark.ros


def test_a_qos_override_that_matches_no_topic_is_refused(make_node):
    node = make_node('-p', 'qos_overrides./comand.publisher.depth:=5')
    ParameterTable(node, ())
    create_publisher(node, 'policy_node', 'command')
    with pytest.raises(ConfigError, match=r"Did you mean 'qos_overrides./command.publisher.depth'"):
        check_qos_overrides(node)


@pytest.mark.parametrize(
    'name', ['/tf.subscription.depth', '/command.subscription.depth', '/scan.publisher.reliability']
)
def test_a_qos_override_of_another_node_s_topic_is_only_a_warning(make_node, capfd, name):
    node = make_node('-p', f'qos_overrides.{name}:=5')
    ParameterTable(node, ())
    create_publisher(node, 'policy_node', 'command')
    check_qos_overrides(node)
    assert f'ignored start-up parameters of other nodes: qos_overrides.{name};' in capfd.readouterr().err


@pytest.mark.parametrize('name', ['/command.publisher.dept', '/comand.publisher.depth', '/command.publishr.depth'])
def test_a_misspelt_qos_override_is_refused(make_node, name):
    node = make_node('-p', f'qos_overrides.{name}:=5')
    ParameterTable(node, ())
    create_publisher(node, 'policy_node', 'command')
    with pytest.raises(ConfigError, match=r"Did you mean 'qos_overrides./command.publisher.depth'"):
        check_qos_overrides(node)


def test_a_qos_override_is_applied_and_an_invalid_one_refused(make_node):
    node = make_node('-p', 'qos_overrides./command.publisher.depth:=5')
    publisher = create_publisher(node, 'policy_node', 'command')
    assert publisher.qos_profile.depth == 5
    node = make_node('-p', 'qos_overrides./command.publisher.reliability:=certain', name='other')
    with pytest.raises(ConfigError, match='certain'):
        create_publisher(node, 'policy_node', 'command')
