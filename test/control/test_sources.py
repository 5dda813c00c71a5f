"""The parameters ``observation.*`` made definite, and what is refused."""

import math

import numpy as np
import pytest

from velora_ros.control.sources import ObservationSettings, Source, plan
from velora_ros.errors import ConfigError

JOINTS = ('slider/position', 'hinge/position')
MIXED = ('slider/position', 'obs_1', 'obs_2')
ROBOT = Source('robot', 'states', 'JointState')
IMU = Source('imu', 'imu', 'Imu')


def test_joint_names_alone_make_one_source_of_joint_states():
    (part,) = plan(JOINTS, ObservationSettings()).parts
    assert (part.source.topic, part.source.type, part.fields) == ('joint_states', 'JointState', list(JOINTS))


def test_other_names_make_one_source_of_a_vector():
    (part,) = plan(MIXED, ObservationSettings()).parts
    assert (part.source.topic, part.source.type, part.fields) == ('observation', 'Float64MultiArray', ['0', '1', '2'])


def test_fields_rename_the_robot_s_joints_in_the_policy_s_order():
    (part,) = plan(JOINTS, ObservationSettings(fields=('joints:cart/position', 'joints:pole/position'))).parts
    assert part.fields == ['cart/position', 'pole/position']


def test_fields_of_several_sources_go_to_their_places_and_the_first_source_triggers():
    fields = ('imu:orientation.pitch', 'robot:hinge/velocity', 'imu:angular_velocity.y')
    first, second = plan(MIXED, ObservationSettings(sources=(ROBOT, IMU), fields=fields)).parts
    assert (first.source, first.fields, first.places) == (ROBOT, ['hinge/velocity'], [1])
    assert (second.source, second.fields, second.places) == (IMU, ['orientation.pitch', 'angular_velocity.y'], [0, 2])


def test_a_transform_scales_then_shifts_then_takes_sine_or_cosine():
    settings = ObservationSettings(scale=(1, 2, 2), offset=(0.5, 0, 1), transform=('none', 'sin', 'cos'))
    transform = plan(MIXED, settings).transform
    assert transform(np.array([1.0, 2.0, 3.0])).tolist() == [1.5, math.sin(4.0), math.cos(7.0)]
    assert plan(MIXED, ObservationSettings(transform=('none',) * 3)).transform is None


def test_what_overflows_in_a_transform_is_not_finite_and_no_warning():
    transform = plan(MIXED, ObservationSettings(scale=(1e10, 1, 1), transform=('sin', 'none', 'none'))).transform
    assert math.isnan(transform(np.full(3, 1e308))[0])


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'fields': ('joints:a/position',)}, "'observation.fields' has 1 entries and the policy reads 2: slider/pos"),
        ({'fields': ('joints:a/positon',) * 2}, "Did you mean 'position'"),
        (
            {'fields': ('joint:a/position',) * 2},
            "source 'joint', which 'observation.sources' does not list. Did you me",
        ),
        ({'fields': ('robo:a/position',) * 2, 'sources': (ROBOT,)}, "Did you mean 'robot'"),
        ({'fields': ('a/position',) * 2, 'sources': (ROBOT,)}, 'For example robot:a/position'),
        ({'fields': ('robot:a/position',) * 2, 'sources': (ROBOT, IMU)}, "the source 'imu' gives no field"),
        ({'sources': (ROBOT, IMU)}, "'observation.fields' must say where each .*: slider/position, hinge/position"),
        ({'scale': (1.0,)}, "'observation.scale' has 1 entries and the policy reads 2"),
        ({'transform': ('sin',) * 3}, "'observation.transform' has 3 entries"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(settings, message):
    with pytest.raises(ConfigError, match=message):
        plan(JOINTS, ObservationSettings(**settings))
