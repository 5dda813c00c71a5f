"""The layouts for PlotJuggler and Foxglove name only what the nodes publish."""

import dataclasses
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.topics_services_qos import TOPICS
from velora_ros.training import EpisodeRecord

CONFIG = Path(__file__).parents[3] / 'config'
PLOTJUGGLER = ElementTree.parse(CONFIG / 'plotjuggler.xml').getroot()
FOXGLOVE = json.loads((CONFIG / 'foxglove.json').read_text(encoding='utf-8'))

# Published topics without a namespace, and their types.
PUBLISHED = {
    row.name.replace('~', f'/{row.node}') if row.name[0] in '~/' else f'/{row.name}': row.type
    for row in TOPICS
    if row.direction == 'out'
}
MUST_HAVE = {
    '/joint_states', '/command', '/policy_node/debug/observation', '/policy_node/debug/hidden', '/diagnostics',
    '/policy_node/debug/raw_action', '/policy_node/status', '/trainer_node/episode_return', '/trainer_node/metrics',
}  # fmt: skip


def foxglove_paths(panel):
    """Every message path of a panel: those of plots, and the topics of others."""
    named = [panel[key] for key in ('topicPath', 'topicToRender') if key in panel]
    return named + [path['value'] for path in panel.get('paths', ())]


CURVES = [curve.get('name') for curve in PLOTJUGGLER.iter('curve')]
PATHS = [path for panel in FOXGLOVE['configById'].values() for path in foxglove_paths(panel)]


def topic_of(name, separator):
    """The published topic that a curve or a path begins with; None if there is none."""
    return next((topic for topic in PUBLISHED if name == topic or name.startswith(topic + separator)), None)


def test_every_curve_of_plotjuggler_is_of_a_topic_that_is_subscribed_and_published():
    selected = PLOTJUGGLER.find(".//plugin[@ID='ROS2 Topic Subscriber']/selected_topics").get('value').split(';')
    assert set(selected) <= PUBLISHED.keys()
    assert {topic_of(curve, '/') for curve in CURVES} == set(selected) >= MUST_HAVE


def test_plotjuggler_finds_its_plots_and_starts_the_right_plugin():
    assert PLOTJUGGLER.tag == 'root'
    assert PLOTJUGGLER.find('previouslyLoaded_Streamer').get('name') == 'ROS2 Topic Subscriber'
    for splitter in PLOTJUGGLER.iter('DockSplitter'):
        count = int(splitter.get('count'))
        assert count == len(splitter.findall('DockArea')) == len(splitter.get('sizes').split(';'))
    assert all(area.find('plot/curve') is not None for area in PLOTJUGGLER.iter('DockArea'))


def test_every_path_of_foxglove_is_of_a_topic_that_is_published():
    topics = {topic_of(path, '.') for path in PATHS}
    assert None not in topics
    assert topics >= MUST_HAVE


def test_foxglove_shows_every_panel_once():
    def panels(node):
        if isinstance(node, str):
            tabs = FOXGLOVE['configById'][node].get('tabs', ())
            return [node, *(panel for tab in tabs for panel in panels(tab['layout']))]
        return panels(node['first']) + panels(node['second'])

    assert sorted(panels(FOXGLOVE['layout'])) == sorted(FOXGLOVE['configById'])


@pytest.mark.parametrize('name', sorted({*CURVES, *PATHS}))
def test_fields_are_those_of_the_message(name):
    separator = '/' if name in CURVES else '.'
    topic = topic_of(name, separator)
    field = re.split(r'[\[/.]', name.removeprefix(topic).lstrip(separator))[0]
    kind = PUBLISHED[topic]
    fields = interface_class(kind).get_fields_and_field_types()
    if separator == '/' and kind == 'sensor_msgs/msg/JointState':  # PlotJuggler sorts these by joint
        field = name.split('/')[-1]
    if separator == '/' and kind == 'diagnostic_msgs/msg/DiagnosticArray':  # and these by the status' name
        field = 'status'
    assert not field or field in fields


def test_the_metrics_are_those_that_training_has():
    metrics = {field.name for field in dataclasses.fields(EpisodeRecord)}
    keys = {curve.split('/')[-1] for curve in CURVES if curve.startswith('/trainer_node/metrics/')}
    keys |= {key for path in PATHS if 'metrics' in path for key in re.findall(r'key=="(\w+)"', path)}
    assert {'critic_loss', 'actor_loss', 'steps_per_s'} <= keys <= metrics
