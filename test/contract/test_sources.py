"""The parameters ``observation.*`` made definite, and what is refused."""

import math

import numpy as np
import pytest

from velora_ros.contract.sources import ObservationSettings, plan
from velora_ros.errors import ConfigError
from velora_ros.spec import Source

JOINTS = ('slider/position', 'hinge/position')
MIXED = ('slider/position', 'obs_1', 'obs_2')
ROBOT = Source('robot', 'states', 'JointState')
IMU = Source('imu', 'imu', 'Imu')


def test_joint_names_alone_make_one_source_of_joint_states():
    (part,) = plan(JOINTS, ObservationSettings()).sources
    assert (part.source.topic, part.source.type, part.fields) == ('joint_states', 'JointState', list(JOINTS))


def test_other_names_make_one_source_of_a_vector():
    (part,) = plan(MIXED, ObservationSettings()).sources
    assert (part.source.topic, part.source.type, part.fields) == ('observation', 'Float64MultiArray', ['0', '1', '2'])


def test_fields_rename_the_robot_s_joints_in_the_policy_s_order():
    (part,) = plan(JOINTS, ObservationSettings(fields=('joints:cart/position', 'joints:pole/position'))).sources
    assert part.fields == ['cart/position', 'pole/position']


def test_fields_of_several_sources_go_to_their_places_and_the_first_source_triggers():
    fields = ('imu:orientation.pitch', 'robot:hinge/velocity', 'imu:angular_velocity.y')
    first, second = plan(MIXED, ObservationSettings(sources=(ROBOT, IMU), fields=fields)).sources
    assert (first.source, first.fields, first.places) == (ROBOT, ['hinge/velocity'], [1])
    assert (second.source, second.fields, second.places) == (IMU, ['orientation.pitch', 'angular_velocity.y'], [0, 2])


def test_a_transform_scales_then_shifts_then_takes_sine_or_cosine():
    settings = ObservationSettings(scale=(1, 2, 2), offset=(0.5, 0, 1), transform=('none', 'sin', 'cos'))
    transform = plan(MIXED, settings).transform
    assert transform(np.array([1.0, 2.0, 3.0])).tolist() == [1.5, math.sin(4.0), math.cos(7.0)]
    assert plan(MIXED, ObservationSettings(transform=('none',) * 3)).transform is None


def test_what_overflows_in_a_transform_is_not_finite():
    transform = plan(MIXED, ObservationSettings(scale=(1e10, 1, 1), transform=('sin', 'none', 'none'))).transform
    with np.errstate(over='ignore'):  # the caller decides whether numpy warns
        assert math.isnan(transform(np.full(3, 1e308))[0])


SCAN = Source('scan', 'scan', 'sensor_msgs/msg/LaserScan')
RAYS = tuple(f'obs_{i}' for i in range(6))


@pytest.mark.parametrize(
    ('fields', 'widths', 'places'),
    [
        (('scan:ranges[0:4]', 'imu:orientation.yaw', 'scan:min(ranges[4:])'), [4, 1], [0, 1, 2, 3, 5]),
        (('scan:ranges[:]', 'imu:orientation.yaw'), [5], [0, 1, 2, 3, 4]),
        (('imu:orientation.yaw', 'scan:ranges[-4:-1]', 'scan:ranges[5]', 'scan:range_min'), [3, 1, 1], [1, 2, 3, 4, 5]),
        (('imu:orientation.yaw', 'scan:ranges[::2]', 'scan:ranges[9::-5]'), [3, 2], [1, 2, 3, 4, 5]),
    ],
)
def test_a_slice_fills_as_many_observations_as_it_has_entries(fields, widths, places):
    made = plan(RAYS, ObservationSettings(sources=(IMU, SCAN), fields=fields))
    (part,) = (part for part in made.sources if part.source is SCAN)
    assert (part.widths, part.places) == (widths, places)


def test_scale_and_transform_are_for_each_field_or_for_each_observation():
    fields = ('scan:ranges[0:5]', 'imu:orientation.yaw')
    for scale, transform in (((0.5, 2), ('none', 'sin')), ((0.5,) * 5 + (2,), ('none',) * 5 + ('sin',))):
        made = plan(RAYS, ObservationSettings(sources=(SCAN, IMU), fields=fields, scale=scale, transform=transform))
        assert made.transform(np.ones(6)).tolist() == [0.5] * 5 + [math.sin(2)]


def test_what_stands_for_joint_states_that_are_not_finite_is_a_number():
    fields = ('joints:a/position', 'joints:a/effort')
    made = plan(JOINTS, ObservationSettings(fields=fields, nonfinite=('', '0.5')))
    values = np.array([math.nan, math.nan])
    assert made.transform(values).tolist() == pytest.approx([math.nan, 0.5], nan_ok=True)
    assert np.isnan(values).all(), "the source's own values stay"


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (
            {'fields': ('scan:ranges[0:4]',)},
            r'has 4 values \(scan:ranges\[0:4\] gives 4\), but the number of observations is 6',
        ),
        ({'fields': ('scan:ranges[0:8]', 'scan:ranges[:]')}, r'has 8 values .* without scan:ranges\[:\]'),
        ({'fields': ('scan:ranges[2:]', 'scan:ranges[:-2]')}, "the slices 'scan:ranges.2:.' and 'scan:ranges.:-2.'"),
        ({'fields': ('ranges[0:6]',)}, r'For example scan:ranges\[0:6\]'),
        ({'fields': ('scan:ranges[0:6]',), 'nonfinite': ('1', '2')}, "'observation.nonfinite' has 2 entries, but 'ob"),
        ({'fields': ('scan:ranges[0:6]',), 'scale': (1.0, 2.0)}, "'observation.scale' has 2 entries"),
    ],
)
def test_slices_that_do_not_fit_are_refused_with_their_lengths(settings, message):
    with pytest.raises(ConfigError, match=message):
        plan(RAYS, ObservationSettings(sources=(SCAN,), **settings))


def test_of_many_observations_only_some_are_named():
    names = tuple(f'ray_{i}' for i in range(360))
    with pytest.raises(
        ConfigError, match=r'the number of observations is 360: ray_0, .*ray_9, \.\.\., ray_359\. Give one'
    ):
        plan(names, ObservationSettings(sources=(SCAN,), fields=('scan:ranges[0:36]',)))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'fields': ('joints:a/position',) * 2, 'nonfinite': ('range_max',)}, "'observation.nonfinite' is 'range"),
        (
            {'fields': ('joints:a/position',)},
            "'observation.fields' has 1 entries, but the number of observations is 2: slider/pos",
        ),
        ({'fields': ('joints:a/positon',) * 2}, "Did you mean 'position'"),
        (
            {'fields': ('joint:a/position',) * 2},
            "source 'joint', but 'observation.sources' does not list it. Did you me",
        ),
        ({'fields': ('robo:a/position',) * 2, 'sources': (ROBOT,)}, "Did you mean 'robot'"),
        ({'fields': ('a/position',) * 2, 'sources': (ROBOT,)}, 'For example robot:a/position'),
        ({'fields': ('robot:a/position',) * 2, 'sources': (ROBOT, IMU)}, "no field uses the source 'imu'"),
        (
            {'sources': (ROBOT, IMU)},
            "'observation.fields' is empty, but cannot be derived .* slider/position, hinge/position",
        ),
        ({'scale': (1.0,)}, "'observation.scale' has 1 entries, but the number of observations is 2"),
        ({'transform': ('sin',) * 3}, "'observation.transform' has 3 entries"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(settings, message):
    with pytest.raises(ConfigError, match=message):
        plan(JOINTS, ObservationSettings(**settings))
