import numpy as np
import pytest

from velora_ros.contract.ways import Way, Ways, parse_way
from velora_ros.errors import ConfigError


def test_steps_of_a_field_are_read_in_any_order():
    way = parse_way('position.relative_to(tool).turned_by(pan).within(0.1).y')
    assert (
        way == Way('tool', False, 'pan', 0.1, 1) == parse_way('position.within(0.1).turned_by(pan).relative_to(tool).y')
    )
    assert parse_way('position.in_frame_of(odom).x') == Way('odom', True)
    assert parse_way('position.x') is None


@pytest.mark.parametrize('distance', ['-1', '0', 'nan', 'inf', 'near', ''])
def test_a_distance_that_is_none_is_refused(distance):
    with pytest.raises(ConfigError, match=r'give a distance above 0, in m'):
        parse_way(f'position.within({distance}).x')


def test_a_way_is_clipped_after_it_was_turned():
    values = np.array([[1.0, 0.0, 0.5, 0.0, 0.04, 0.0, np.pi / 2, 0.0, 0.0, 0.0]])
    ways = Ways([0, 1, 2], origin=[3, 4, 5], orientation=[], joint=[6], within=0.1, axes=[0, 1, 2], entries=[7, 8, 9])
    ways(values)
    np.testing.assert_allclose(values[0, 7:], [-0.04, -0.1, 0.1])
