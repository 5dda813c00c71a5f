import math

import pytest
from builtin_interfaces.msg import Time

from velora_ros.errors import ConfigError
from velora_ros.nodes.ros.topics_services_qos import SERVICES
from velora_ros.nodes.view.parameters import DEFAULT_RANGES, PARAMETERS, slider_ranges
from velora_ros.nodes.view.requests_from_page import (
    BUTTONS,
    POINT,
    POSE,
    TWIST,
    TWIST_STAMPED,
    Drive,
    Goal,
    goal_of,
    to_goal,
    to_velocity,
    velocity_of,
    within,
)

RANGES = ((-0.5, 1.0), (-0.4, 0.4), (-1.0, 1.0))
NOW = Time(sec=5)
VALUES = {row.name: row.default for row in PARAMETERS}


@pytest.mark.parametrize('kind', [TWIST, TWIST_STAMPED])
def test_a_drive_becomes_a_twist_of_the_type_that_is_taken(kind):
    message = to_velocity(Drive(0.5, -0.25, 1.0), kind, NOW, 'base_link')
    assert velocity_of(message) == (0.5, -0.25, 1.0)
    if kind == TWIST_STAMPED:
        assert (message.header.stamp.sec, message.header.frame_id) == (5, 'base_link')


@pytest.mark.parametrize('kind', [POSE, POINT])
def test_a_goal_becomes_a_message_of_the_type_that_is_taken(kind):
    message = to_goal(Goal(1.0, 2.0, 3.0), kind, NOW, 'odom')
    assert goal_of(message) == (1.0, 2.0, 3.0)
    assert (message.header.stamp.sec, message.header.frame_id) == (5, 'odom')
    if kind == POSE:
        assert message.pose.orientation.w == 1.0


def test_speeds_stay_within_the_sliders_whatever_a_browser_sends():
    assert within(Drive(9.0, -9.0, 0.5), RANGES) == Drive(1.0, -0.4, 0.5)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_a_speed_that_is_not_finite_is_no_order(bad):
    assert within(Drive(0.0, bad, 0.0), RANGES) is None


def test_every_button_calls_a_service_that_a_node_offers_to_everybody():
    offered = {(row.node, row.name.removeprefix('~/'), row.type) for row in SERVICES}
    nodes = {'controller': 'policy_node', 'simulator': 'sim_node'}
    for button in BUTTONS:
        key = nodes[button.node], button.service, button.type
        assert key in offered, button.label


def test_the_sliders_have_the_ranges_of_the_parameters_else_of_the_task_else_the_defaults():
    assert slider_ranges(VALUES, None) == DEFAULT_RANGES
    assert slider_ranges(VALUES, RANGES) == RANGES
    assert slider_ranges(VALUES | {'cmd_vel.y': [0.0, 0.0]}, RANGES) == (RANGES[0], (0.0, 0.0), RANGES[2])


@pytest.mark.parametrize('bad', [[0.5], [0.1, 0.5], [-0.5, -0.1], [0.5, -0.5], [0.0, 0.1, 0.2]])
def test_a_range_without_standing_still_is_refused(bad):
    with pytest.raises(ConfigError, match=r'cmd_vel\.x'):
        slider_ranges(VALUES | {'cmd_vel.x': bad}, None)
