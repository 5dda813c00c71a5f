"""The page of a run: what it shows, its port, and what is refused."""

import importlib.util

import pytest

from velora_ros.errors import ConfigError
from velora_ros.nodes.bringup.which_nodes_start import build


def test_a_page_shows_what_is_simulated_and_the_run_does_not_need_it(policy):
    *_, page = build('control', {'policy': policy, 'env': 'Hopper-v5', 'view': 'true', 'command_topic': 'effort'})
    assert (page.name, page.module, page.required) == ('view_node', 'velora_ros.nodes.view', False)
    assert page.parameters == {'model': 'Hopper-v5'}
    assert page.remaps == (('command', 'effort'),)
    *_, page = build('control', {'policy': policy, 'robot': 'quadruped', 'view': 'true', 'view_port': '8090'})
    assert page.parameters == {'model': 'quadruped', 'port': 8090}
    assert 'view_node' not in [node.name for node in build('control', {'policy': policy})]


def test_the_page_of_a_real_robot_waits_for_its_description(policy):
    given = {'policy': policy, 'sim': 'false', 'view': 'true'}
    *_, page = build('control', given)
    assert page.parameters == {}
    *_, page = build('control', given | {'env': 'arm.xml'})
    assert page.parameters == {'model': 'arm.xml'}


def test_each_of_several_robots_has_a_page_of_its_own(policy, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text('/**/view_node:\n  ros__parameters: {port: 9000}\n')
    for given, first in (({}, 8080), ({'params': str(own)}, 9000), ({'view_port': '7000'}, 7000)):
        nodes = build('control', {'policy': policy, 'robots': '2', 'view': 'true', **given})
        pages = [node for node in nodes if node.name == 'view_node']
        assert [page.parameters['port'] for page in pages] == [first, first + 1]


def test_a_port_without_a_page_is_refused():
    with pytest.raises(ConfigError, match='no page is served; add view:=true'):
        build('control', {'view_port': '8081'})


def test_without_its_packages_a_page_is_refused_before_anything_starts(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None if name == 'viser' else find(name))
    with pytest.raises(ConfigError, match=r'needs viser, which is not installed here\. .*pip install viser mjviser'):
        build('control', {'view': 'true'})
