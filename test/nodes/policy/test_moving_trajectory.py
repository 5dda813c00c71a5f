"""A JointTrajectory with velocities: the speed of the motion, a stop within the bounds, and rest where it ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.errors import ConfigError
from velora_ros.nodes.policy.encoders import make_encoder
from velora_ros.nodes.policy.moving_trajectory import MovingTrajectoryEncoder
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros

T = 0.02
BOUNDS = ((-1.0, 1.0), (0.0, 0.5))
SPEC = PolicySpec(('a',), ('',), ('hip/position', 'knee/position'), ('rad', 'rad'), (-1.0, 0.0), (1.0, 0.5), T)


class Clock:
    """The robot's clock; it advances by a period with each command."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 20_000_000
        return self.now


def make(clock=None, kind='JointTrajectory', interface='', spec=SPEC):
    return make_encoder(
        kind, spec, interface=interface, fields=(), frame_id='', now=clock or Clock(), stops_within=BOUNDS
    )


def points(message):
    return [(np.array(point.positions), np.array(point.velocities)) for point in message.points]


def test_the_first_command_has_no_speed_and_the_next_that_of_its_motion_after_which_the_joints_stop():
    encoder = make()
    assert isinstance(encoder, MovingTrajectoryEncoder)
    (place, speed), (rest, stopped) = points(encoder.encode([0.1, 0.2]))
    assert place.tolist() == rest.tolist() == [0.1, 0.2] and not speed.any() and not stopped.any()
    message = encoder.encode([0.2, 0.18])
    (place, speed), (rest, stopped) = points(message)
    assert message.joint_names == ['hip', 'knee'] and place.tolist() == [0.2, 0.18]
    assert speed == pytest.approx([5.0, -1.0]) and not stopped.any()
    assert rest == pytest.approx([0.25, 0.17])
    assert [point.time_from_start.nanosec for point in message.points] == [20_000_000, 40_000_000]


def test_a_joint_that_would_stop_beyond_its_bounds_is_slower():
    encoder = make()
    encoder.encode([0.8, 0.2])
    (_, speed), (rest, _) = points(encoder.encode([0.99, 0.0]))
    assert speed == pytest.approx([1.0, 0.0]) and rest == pytest.approx([1.0, 0.0])


def test_after_a_pause_and_at_the_end_the_joints_stand():
    clock = Clock()
    encoder = make(clock)
    encoder.encode([0.1, 0.2])
    clock.now += 30_000_000
    assert not points(encoder.encode([0.2, 0.2]))[0][1].any()
    assert points(encoder.encode([0.3, 0.2]))[0][1].any()
    (place, speed), (rest, _) = points(encoder.end([0.4, 0.2]))
    assert place.tolist() == rest.tolist() == [0.4, 0.2] and not speed.any()
    assert not points(encoder.encode([0.2, 0.2]))[0][1].any()


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 0.5)), min_size=2, max_size=20))
def test_joints_stop_within_their_bounds_and_never_turn_back_on_the_way(commands):
    encoder, (low, high) = make(), np.array(BOUNDS).T
    for command in commands:
        (place, speed), (rest, _) = points(encoder.encode(list(command)))
        assert np.isfinite(speed).all() and (rest >= low).all() and (rest <= high).all()
        assert rest - place == pytest.approx(speed * T / 2, abs=1e-12), 'a constant deceleration has no other extreme'


@pytest.mark.parametrize(
    ('kind', 'interface', 'words'),
    [
        ('JointState', '', "'command.velocities' is for a JointTrajectory, but 'command.type' is JointState"),
        ('JointTrajectory', 'velocity', "is for positions, but the JointTrajectory commands the interface 'velocity'"),
    ],
)
def test_velocities_of_something_else_are_refused(kind, interface, words):
    spec = PolicySpec(('a',), ('',), ('hip/velocity', 'knee/velocity'), ('', ''), (-1.0, 0.0), (1.0, 0.5), T)
    with pytest.raises(ConfigError, match=words):
        make(kind=kind, interface=interface, spec=spec if interface else SPEC)
