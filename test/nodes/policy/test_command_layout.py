"""Commands with gains in blocks of one vector, and the fallback that takes the stiffness away."""

import dataclasses

import pytest
from rclpy.serialization import deserialize_message
from std_msgs.msg import Float64MultiArray
from toy_tasks import walker

from velora_ros.errors import ConfigError
from velora_ros.nodes.policy.command_layout import BlockEncoder
from velora_ros.nodes.policy.parameters import parameters
from velora_ros.nodes.policy.parameters_with_contract import with_contract
from velora_ros.nodes.policy.settings_of_parameters import settings_of

pytestmark = pytest.mark.ros

LAYOUT = ('position', 'velocity', 'effort', 'stiffness', 'damping')


@pytest.fixture(scope='module')
def spec():
    return walker().policy_spec


def numbers(data):
    return list(deserialize_message(data, Float64MultiArray).data)


def test_each_block_has_a_number_for_each_action_in_the_order_that_is_asked_for(spec):
    encoder = BlockEncoder(spec, LAYOUT, 'position')
    assert numbers(encoder.encode([0.1, -0.2])) == [0.1, -0.2, 0, 0, 0, 0, 20, 20, 0.5, 0.5]
    assert numbers(BlockEncoder(spec, ('damping', 'position'), 'position').encode([1.0, 2.0])) == [0.5, 0.5, 1.0, 2.0]


def test_damping_takes_the_stiffness_away_and_the_next_command_has_it_again(spec):
    encoder = BlockEncoder(spec, LAYOUT, 'position')
    assert numbers(encoder.damp([0.1, -0.2]))[6:] == [0, 0, 0.5, 0.5]
    assert numbers(encoder.encode([0.3, 0.4])) == [0.3, 0.4, 0, 0, 0, 0, 20, 20, 0.5, 0.5]


@pytest.mark.parametrize(
    ('layout', 'message'),
    [
        (('position', 'stifness'), "Did you mean 'stiffness'"),
        (('position', 'position'), 'each block at most once'),
        (('velocity', 'damping'), "include 'position', the block of the command itself"),
    ],
)
def test_an_invalid_layout_is_refused(spec, layout, message):
    with pytest.raises(ConfigError, match=message):
        BlockEncoder(spec, layout, 'position')


def test_gains_that_are_not_known_and_other_message_types_are_refused(spec):
    with pytest.raises(ConfigError, match='which is not in the policy file'):
        BlockEncoder(dataclasses.replace(spec, contract=None), LAYOUT, 'position')
    with pytest.raises(ConfigError, match='is JointState; omit one'):
        BlockEncoder(spec, LAYOUT, 'position', kind='JointState')


def test_the_fallback_damp_needs_a_layout_that_carries_gains(spec):
    values = with_contract({row.name: row.default for row in parameters(None)} | {'fallback': 'damp'}, spec)
    with pytest.raises(ConfigError, match='with stiffness and damping in'):
        settings_of(values)
    assert settings_of({**values, 'command.layout': list(LAYOUT)}).fallback == 'damp'


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'command.type': 'JointTrajectory'}, 'is not for a JointTrajectory, whose controller interpolates itself'),
        ({'rate_hz': 100.0}, "'command.interpolate' is 200 Hz and 'rate_hz' is 100 Hz; both set the rate of commands"),
    ],
)
def test_interpolation_is_refused_where_the_controller_does_it_or_the_rate_is_fixed(spec, changes, words):
    own = {row.name: row.default for row in parameters(None)} | {'command.interpolate': 200.0}
    assert settings_of(with_contract(own, spec)).interpolate == 200.0
    with pytest.raises(ConfigError, match=words):
        settings_of(with_contract({**own, **changes}, spec))
