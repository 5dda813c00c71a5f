"""The nearest range in sectors of a LaserScan, for any number of rays."""

import math
from array import array

import pytest

from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.decoding.reader_registry import make_reader
from velora_ros.nodes.ros.message_types import interface_class

pytestmark = pytest.mark.ros

FIELDS = ('nearest(-0.5, 0.0, 4.0)', 'nearest(0.0, 0.5, 4.0)')


def scan(ranges, first=-0.45, step=0.1, least=0.1, greatest=12.0):
    message = interface_class('sensor_msgs/msg/LaserScan')()
    message.angle_min, message.angle_increment = first, step
    message.range_min, message.range_max = least, greatest
    message.ranges = array('f', ranges)
    return message


def read(*arguments, fields=FIELDS, zero_is_far=False, **keywords):
    return make_reader('LaserScan', fields, zero_is_far=zero_is_far).read(scan(*arguments, **keywords)).tolist()


def test_each_sector_is_its_nearest_ray_and_no_farther_than_the_policy_saw():
    assert read([3, 2, 1, 2, 3, 9, 9, 9, 9, 9]) == [1.0, 4.0]


def test_the_number_of_rays_may_change_between_messages():
    reader = make_reader('LaserScan', FIELDS)
    assert reader.read(scan([1.0] * 5 + [2.0] * 5)).tolist() == [1.0, 2.0]
    assert reader.read(scan([1.0] * 50 + [2.0] * 50, first=-0.495, step=0.01)).tolist() == [1.0, 2.0]


def test_infinite_zero_and_invalid_ranges_have_the_meaning_of_rep_117():
    far = [math.inf] * 5
    assert read([math.nan, 0.05, 2, math.inf, math.inf, *far]) == [2.0, 4.0]
    assert read([-math.inf, 2, 2, 2, 2, *far])[0] == pytest.approx(0.1)
    assert read([0, 0, 0, 0, 0, *far], zero_is_far=True) == [4.0, 4.0]
    assert read([2] * 5 + far, greatest=0.0) == [2.0, 4.0], 'a driver that does not say its reach'


@pytest.mark.parametrize(
    ('ranges', 'keywords', 'message'),
    [
        ([math.nan] * 5 + [1] * 5, {}, r"sector 'nearest\(-0.5, 0.0, 4.0\)' measured anything"),
        ([0.0] * 5 + [1] * 5, {}, 'measured anything'),
        ([1.0] * 4, {'first': 0.05}, r'has no ray: the scan has 4 rays from 0.05 to 0.35 rad'),
        ([], {}, 'must have at least one range'),
        ([1.0] * 4, {'step': 0.0}, 'must have at least one range'),
        ([1.0] * 4, {'first': math.nan}, 'must have at least one range'),
    ],
)
def test_a_sector_that_was_not_measured_gives_no_observation(ranges, keywords, message):
    with pytest.raises(ObservationError, match=message):
        read(ranges, **keywords)


@pytest.mark.parametrize('field', ['nearest()', 'nearest(0.5, -0.5)', 'nearest(0, 9)', 'nearest(a, b)', 'nearest(0,1'])
def test_an_invalid_sector_is_refused(field):
    with pytest.raises(ConfigError, match='is not a sector; write nearest'):
        make_reader('LaserScan', [field])


def test_sectors_come_from_a_scan_and_a_source_of_their_own():
    with pytest.raises(ConfigError, match='need a LaserScan'):
        make_reader('Imu', FIELDS)
    with pytest.raises(ConfigError, match='a separate source'):
        make_reader('LaserScan', [*FIELDS, 'range_max'])
