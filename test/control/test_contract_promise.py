"""The promise for robots with a contract: standing up, take-over, increments, velocities that end with their input."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velora_ros.control import Controller, Settings
from velora_ros.errors import ConfigError, ObservationError
from velora_ros.spec import PolicySpec, RobotCommand, RobotContract, Source

T, SECOND = 0.02, 1_000_000_000
SOURCES = (Source('joints', 'joint_states', 'JointState'), Source('imu', 'imu/data', 'Imu'))
JOINTS = ('hip', 'knee')
ABSOLUTE = RobotCommand(
    'Float64MultiArray', JOINTS, 'position', low=(-1.0, -2.7), high=(1.0, -0.8), stiffness=(35.0, 45.0),
    damping=(0.7, 0.9), effort_limit=(23.7, 35.5), start_pose=(0.1, -1.8),
)  # fmt: skip
TWIST = RobotCommand(
    'TwistStamped', ('linear.x', 'angular.z'), 'velocity', low=(-0.3, -1.9), high=(0.3, 1.9)
)  # fmt: skip


def spec_of(command, scale, offset):
    contract = RobotContract(
        'promise', (), SOURCES, ('joints:hip/position', 'imu:orientation.gravity.z'), (1.0, 2.0), (0.1, 0.0), command
    )
    return PolicySpec(
        ('hip/position', 'gravity.z'), ('rad', ''), ('a', 'b'), ('', ''), (-1.0, -1.0), (1.0, 1.0), T,
        action_scale=scale, action_offset=offset, contract=contract,
    )  # fmt: skip


SPECS = {
    'absolute': spec_of(ABSOLUTE, (0.5, 0.5), (0.1, -1.8)),
    'increment': spec_of(replace(ABSOLUTE, mode='increment'), (2.0, 2.0), (0.0, 0.0)),
    'twist': spec_of(TWIST, (0.3, 1.9), (0.0, 0.0)),
}


class Chosen:
    """A policy whose next action the test chooses."""

    def __init__(self, spec):
        self.spec, self.hidden, self.action, self.read = spec, np.zeros(1), np.zeros(2), []

    def reset(self):
        self.hidden = np.zeros(1)

    def step(self, observation, dt):
        if not np.isfinite(observation).all():
            raise ObservationError('not finite')
        self.read.append(observation.copy())
        return np.array(self.action)


class Robot:
    """A controller with two clocks, and everything that it published."""

    def __init__(self, kind, **limits):
        self.kind, self.policy = kind, Chosen(SPECS[kind])
        measures = kind != 'twist'
        self.controller = Controller(self.policy, Settings(**limits), measures_joints=measures)
        self.measures = measures
        self.time, self.sent, self.policy_sent = 100.0, [], []
        self.stamp = 0  # of the newest state that the policy answered [ns]
        self.before = None  # time and command of the policy just before, if nothing else happened since

    @property
    def now(self):
        return round(self.time * SECOND)

    def state(self, positions=(0.1, -1.8), down=-1.0, action=(0.0, 0.0), after=T, age=0.0):
        self.time += after
        self.policy.action = np.array(action)
        observation = np.array([positions[0] - 0.1, 2 * down])
        stamp = self.now - round(age * SECOND)
        measured = list(positions) if self.measures else None
        walking = self.controller.status.state == 'armed'
        command = self.controller.decide(observation, stamp, self.now, self.time, measured)
        if self.controller.policy_action is not None:
            self.stamp = stamp
        return self._publish(command, walking)

    def tick(self, after):
        """Advance to the time of an interpolated command."""
        self.time += after
        walking = self.controller.status.state == 'armed'
        command = self.controller.interpolate(self.now, self.time)
        assert command is None or (walking and self.now - self.stamp <= 3 * T * SECOND + 1000)
        return self._publish(command, walking)

    def silence(self, seconds):
        self.time += seconds
        self._publish(self.controller.zero(self.time), walking=False)
        return self._publish(self.controller.watchdog(self.time), walking=False)

    def _publish(self, command, walking):
        if command is None:
            return None
        self.sent.append((self.time, list(command)))
        by_policy = walking and not self.controller.fault
        if by_policy:
            self.policy_sent.append(list(command))
            self._check_slew(command)
        self.before = (self.time, list(command)) if by_policy else None
        return command

    def _check_slew(self, command):
        rates = self.controller.settings.slew_rate
        if self.before is None or not any(rates):
            return
        time, last = self.before
        for rate, value, old in zip(np.broadcast_to(rates, 2), command, last, strict=True):
            assert rate == 0 or abs(value - old) <= rate * (self.time - time) + 1e-9

    @property
    def is_walking(self):
        return self.controller.status.state == 'armed' and not self.controller.fault

    def until_ready(self, states=120):
        for _ in range(states):
            command = self.state(positions=self.sent[-1][1] if self.sent else (0.6, -2.2))
        return command


positions = st.tuples(st.floats(-1.2, 1.2), st.floats(-3, -0.5)) | st.sampled_from([(math.nan, -1.8), (0.1, math.inf)])
actions = st.tuples(st.floats(-1, 1), st.floats(-1, 1)) | st.sampled_from([(math.nan, 0.0), (1e9, -1e9)])
states = st.builds(
    lambda *values: ('state', values),
    positions, st.floats(-1, 1), actions, st.sampled_from([T, T, T, 0.001, 0.15]),
    st.sampled_from([0.0, 0.0, 0.05, 5.0]),
)  # fmt: skip
calm = st.builds(lambda action: ('calm', (action,)), actions)
limits = st.builds(
    Settings,
    start_pose_speed=st.sampled_from([0.0, 0.5, 3.0]),
    start_when_ready=st.booleans(),
    slew_rate=st.sampled_from([(), (2.0,), (0.0, 0.5)]),
    ramp_s=st.sampled_from([0.0, 0.1]),
    auto_recover=st.booleans(),
    fallback=st.sampled_from(['auto', 'auto', 'hold', 'zero', 'none']),
    interpolate=st.sampled_from([0.0, 200.0]),
)
events = st.one_of(
    states, calm, calm, calm,
    st.tuples(st.just('silence'), st.sampled_from([0.03, 0.07, 0.3])),
    st.tuples(st.just('tick'), st.sampled_from([0.0, 0.005, 0.02, 0.07])),
    st.sampled_from([('arm',), ('start',), ('arm',), ('start',), ('disarm',), ('clear_fault',), ('reset',)]),
    st.sampled_from([('emergency_stop',), ('activate',), ('swap',)]),
    st.tuples(st.just('settings'), limits),
)  # fmt: skip
GOES_ON = 'state', 'calm', 'tick'


def play(robot, event):
    kind, *rest = event
    controller = robot.controller
    if kind not in GOES_ON:
        robot.before = None
    if kind == 'state':
        place, down, action, after, age = rest[0]
        robot.state(place, down, action, after, age)
    elif kind == 'calm':  # upright, and the joints follow
        last = robot.sent[-1][1] if robot.sent and robot.measures else (0.3, -2.0)
        for _ in range(20):
            robot.state(last, -1.0, rest[0][0], after=T / 4)
            for _ in range(3):
                robot.tick(T / 4)
    elif kind in ('tick', 'silence'):
        getattr(robot, kind)(rest[0])
    elif kind == 'settings':
        controller.settings = rest[0]
    elif kind == 'reset':
        controller.reset('request')
    elif kind == 'activate':
        controller.activate(arm=True)
    elif kind == 'swap':
        robot.policy = Chosen(robot.policy.spec)
        controller.swap(robot.policy)
    else:
        robot._publish(getattr(controller, kind)() if kind in ('disarm', 'emergency_stop') else None, walking=False)
        if kind not in ('disarm', 'emergency_stop'):
            getattr(controller, kind)()


def check(robot, before):
    limits = [(-0.3, 0.3), (-1.9, 1.9)] if robot.kind == 'twist' else [(-1.0, 1.0), (-2.7, -0.8)]
    for _, command in robot.sent[before:]:
        assert all(math.isfinite(value) for value in command)
        assert all(low <= value <= high for value, (low, high) in zip(command, limits, strict=True))
    if robot.kind == 'absolute':
        for command in robot.policy_sent:
            assert -0.4 - 1e-9 <= command[0] <= 0.6 + 1e-9 and -2.3 - 1e-9 <= command[1] <= -1.3 + 1e-9
    assert np.isfinite(robot.controller.last_action).all() or robot.controller.fault


def promise(kind, sequence, first):
    robot = Robot(kind)
    robot.controller.settings = first
    robot.controller.activate(arm=False)
    moving = False  # whether the last message was a velocity of the policy, of the event before
    for event in sequence:
        before, armed, fault = len(robot.sent), robot.controller.armed, robot.controller.fault
        play(robot, event)
        check(robot, before)
        zeroes = robot.controller.settings.fallback in ('auto', 'zero')
        if moving and zeroes and event[0] == 'silence' and event[1] >= 0.07:
            assert robot.sent[-1][1] == [0.0, 0.0], 'velocities do not outlive their input'
        if event[0] != 'tick':
            commanded = event[0] in ('state', 'calm') and len(robot.sent) > before
            moving = kind == 'twist' and commanded and robot.is_walking
        if event[0] in GOES_ON and not (armed and not fault) and not robot.controller.settings.auto_recover:
            assert len(robot.sent) == before, 'nothing is published by a robot that is not armed, or has a fault'


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(SPECS)), st.lists(events, max_size=25), limits)
def test_no_command_is_unbounded_forbidden_too_fast_or_outlives_its_input(kind, sequence, first):
    promise(kind, sequence, first)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(st.sampled_from(sorted(SPECS)), st.lists(events, max_size=25), limits)
def test_the_same_in_ten_thousand_sequences(kind, sequence, first):
    promise(kind, sequence, first)


def test_arming_stands_the_robot_up_and_the_policy_takes_over_only_when_it_is_told():
    robot = Robot('absolute')
    robot.controller.activate(arm=True)
    first = robot.state(positions=(0.6, -2.5), action=(1.0, 1.0))
    assert first == [0.6, -2.5] and robot.controller.status.state == 'standing up'
    robot.until_ready()
    assert robot.controller.status.state == 'ready' and robot.sent[-1][1] == [0.1, -1.8]
    times, commands = zip(*robot.sent, strict=True)
    assert (np.abs(np.diff(commands, axis=0)).max(axis=1) <= 0.5 * np.diff(times) + 1e-9).all()
    assert robot.controller.start() == ''
    robot.state(action=(0.5, 0.5))
    assert robot.state(action=(1.0, -1.0)) == pytest.approx([0.6, -2.3])
    assert robot.controller.status.state == 'armed'


def test_the_policy_takes_over_with_a_fresh_state_and_no_previous_action():
    robot = Robot('absolute', start_when_ready=True)
    robot.controller.activate(arm=True)
    robot.state(action=(0.7, 0.7))
    assert robot.controller.last_action.tolist() == [0.7, 0.7], 'the policy runs silently'
    while robot.controller.status.state != 'armed':
        robot.state(action=(0.7, 0.7))
    assert robot.controller.last_action.tolist() == [0.0, 0.0]
    assert robot.controller.begins(robot.now + 1)
    assert robot.controller.counts['reset.take_over'] == 1


def test_start_before_the_robot_stands_lets_the_policy_take_over_later():
    robot = Robot('absolute')
    assert 'call ~/arm first' in robot.controller.start()
    robot.controller.activate(arm=True)
    robot.state(positions=(0.6, -2.5))
    assert 'stands up first' in robot.controller.start()
    robot.until_ready()
    assert robot.controller.status.state == 'armed'


@pytest.mark.parametrize(
    ('place', 'down', 'why'),
    [
        ((0.1, -1.8), 0.0, 'tilted by more than 60 degrees'),
        ((1.2, -1.8), -1.0, "'hip' is at 1.2, outside its limits"),
    ],
)
def test_a_robot_on_its_side_or_with_a_joint_out_of_its_limits_is_not_armed(place, down, why):
    robot = Robot('absolute')
    robot.controller.activate(arm=False)
    robot.state(place, down)
    assert not robot.controller.arm() and why in robot.controller.why_not_armed[0]
    robot.state()
    assert robot.controller.arm()
    lying = Robot('absolute')
    lying.controller.activate(arm=True)
    assert lying.state(place, down) is None and why in lying.controller.fault


def test_a_robot_that_lies_when_it_is_confirmed_is_not_armed_by_a_later_setting():
    robot = Robot('absolute')
    robot.controller.refusals = ['confirm its gains']
    robot.controller.activate(arm=True)
    robot.state(down=0.0)
    robot.controller.refusals = []
    assert not robot.controller.armed
    robot.state()
    robot.controller.refusals = []  # as at every change of a parameter
    assert not robot.controller.armed
    assert robot.controller.arm()


def test_increments_begin_at_the_measured_pose_and_move_by_the_nominal_period():
    robot = Robot('increment', start_pose_speed=0.0)
    robot.controller.activate(arm=True)
    assert robot.state((0.3, -2.0), action=(1.0, 0.0)) == pytest.approx([0.34, -2.0])
    assert robot.state((0.3, -2.0), action=(1.0, 0.0), after=0.05) == pytest.approx([0.38, -2.0])
    robot.controller.reset('request')
    assert robot.state((-0.5, -1.0)) == pytest.approx([-0.5, -1.0])


def test_increments_begin_at_the_measured_pose_again_when_the_robot_is_armed_again():
    robot = Robot('increment', start_pose_speed=0.0)
    robot.controller.activate(arm=True)
    robot.state((0.3, -2.0))
    robot.controller.disarm()
    robot.state((-0.9, -1.0), action=(1.0, 0.0))  # moved by hand
    robot.controller.arm()
    assert robot.state((-0.9, -1.0)) == pytest.approx([-0.9, -1.0])


def test_a_robot_that_is_moved_while_it_stands_up_starts_again_from_where_it_is():
    robot = Robot('absolute')
    robot.controller.activate(arm=True)
    for _ in range(10):
        robot.state((0.6, -2.2))
    robot.controller.reset('gap')
    assert robot.state((-0.5, -2.5)) == pytest.approx([0.5, -2.1]), 'a gap is no reason: it goes on'
    robot.controller.reset('request')
    assert robot.state((-0.5, -2.5)) == pytest.approx([-0.5, -2.5])


def test_another_start_pose_speed_counts_while_the_robot_stands_up():
    robot = Robot('absolute')
    robot.controller.activate(arm=True)
    robot.state((0.6, -2.2))
    robot.controller.settings = Settings(start_pose_speed=0.05)
    assert robot.state((0.6, -2.2)) == pytest.approx([0.599, -2.199])
    robot.controller.settings = Settings(start_pose_speed=0.0)
    assert robot.state((0.6, -2.2)) == pytest.approx([0.598, -2.198]), '0 counts from the next arming on'


def test_velocities_become_zero_once_as_soon_as_their_input_is_too_old_and_then_a_fault():
    robot = Robot('twist')
    robot.controller.activate(arm=True)
    assert robot.state(action=(1.0, 1.0)) == [0.3, 1.9]
    assert robot.controller.until_zero(robot.time) == pytest.approx(3 * T)
    robot.silence(0.05)
    assert len(robot.sent) == 1
    robot.silence(0.02)
    assert robot.sent[-1][1] == [0.0, 0.0] and not robot.controller.fault and len(robot.sent) == 2
    robot.silence(0.05)
    assert len(robot.sent) == 2
    assert robot.state(action=(1.0, 1.0), after=0.01) == [0.3, 1.9], 'it goes on with the next state'
    robot.silence(1.0)
    assert 'no usable state' in robot.controller.fault


def test_positions_are_held_when_their_input_ends():
    robot = Robot('absolute', start_pose_speed=0.0)
    robot.controller.activate(arm=True)
    command = robot.state(action=(0.5, 0.5))
    assert robot.controller.until_zero(robot.time) == math.inf
    robot.silence(1.0)
    assert robot.sent[-1][1] == command


def test_a_better_policy_runs_silently_for_a_second_before_it_commands_a_robot_that_walks():
    robot = Robot('absolute', start_pose_speed=0.0)
    robot.controller.activate(arm=True)
    robot.state(action=(0.5, 0.5))
    better = Chosen(robot.policy.spec)
    better.action, better.hidden = np.array([-1.0, -1.0]), np.ones(1)
    robot.controller.swap(better)
    for _ in range(49):
        assert robot.state(action=(0.5, 0.5)) == pytest.approx([0.35, -1.55])
    robot.state(action=(0.5, 0.5))
    assert len(better.read) == 50 and robot.controller.policy is better
    assert robot.state() == pytest.approx([-0.4, -2.3]), 'no missed command, no reset of what it remembers'
    assert robot.controller.counts['reset.swap'] == 0 and robot.controller.counts['swap.taken_over'] == 1


def test_a_policy_that_runs_silently_takes_over_when_the_robot_falls_and_is_moved_back():
    robot = Robot('absolute', start_pose_speed=0.0)
    robot.controller.activate(arm=True)
    robot.state()
    better = Chosen(robot.policy.spec)
    better.action, better.hidden = np.array([-1.0, -1.0]), np.ones(1)
    robot.controller.swap(better)
    robot.state(action=(0.5, 0.5))
    robot.controller.reset('gap')
    assert robot.controller.policy is robot.policy, 'a gap is no reason: the robot walks on'
    robot.controller.reset('request')
    assert robot.controller.policy is better and robot.controller.counts['swap.taken_over'] == 1
    assert robot.state() == pytest.approx([-0.4, -2.3])


def test_a_policy_takes_over_at_once_when_the_robot_is_not_commanded():
    robot = Robot('absolute', start_pose_speed=0.0)
    robot.controller.activate(arm=True)
    robot.state()
    better = Chosen(robot.policy.spec)
    robot.controller.swap(better)
    robot.controller.disarm()
    assert robot.controller.policy is better and robot.controller.counts['reset.swap'] == 1


@pytest.mark.parametrize(
    ('limit', 'place', 'down', 'why'),
    [
        ({'max_tilt': 0.5}, (0.1, -1.8), -0.8, 'tilted by 0.64 rad, above max_tilt'),
        (
            {'max_deviation': 4.0},
            (0.9, -1.8),
            -1.0,
            "'hip/position' is 8 standard deviations from its mean in training",
        ),
    ],
)
def test_a_latch_that_is_switched_on_stops_a_robot_that_walks(limit, place, down, why):
    robot = Robot('absolute', start_pose_speed=0.0)
    robot.controller = Controller(
        robot.policy, Settings(start_pose_speed=0.0, **limit), measures_joints=True,
        normalisation=(np.array([0.0, -2.0]), np.array([10.0, 1.0])),
    )  # fmt: skip
    robot.controller.activate(arm=True)
    command = robot.state()
    assert command is not None and not robot.controller.fault
    assert robot.state(place, down) == command and why in robot.controller.fault, 'positions are held'
    assert robot.state() is None


def test_observations_are_judged_by_the_training_of_the_policy_that_runs():
    robot = Robot('absolute', start_pose_speed=0.0)
    narrow, wide = ((np.array([0.0, -2.0]), np.array([inverse, 1.0])) for inverse in (10.0, 0.1))
    robot.controller = Controller(
        robot.policy, Settings(start_pose_speed=0.0, max_deviation=4.0), measures_joints=True, normalisation=narrow
    )
    robot.controller.activate(arm=True)
    robot.state()
    robot.controller.swap(Chosen(robot.policy.spec), wide)
    for _ in range(50):
        robot.state()
    robot.state((0.9, -1.8))
    assert not robot.controller.fault, 'as common in the training of the second policy'


@pytest.mark.parametrize(
    ('kind', 'limit', 'why'),
    [
        ('absolute', {'max_joint_speed': 20.0}, "'max_joint_speed' is 20, .* the policy reads no velocity of a joint"),
        ('absolute', {'max_deviation': 4.0}, "'max_deviation' is 4, .* the policy has no statistics of its training"),
        ('still', {'max_tilt': 0.5}, "'max_tilt' is 0.5, .* the policy reads no direction of gravity"),
        ('plain', {'max_tilt': 0.5}, "'max_tilt' is 0.5, .* the policy has no contract"),
    ],
)
def test_a_latch_that_could_never_stop_the_robot_is_refused_and_nothing_changes(kind, limit, why):
    spec = SPECS['absolute']
    fields = ('joints:hip/position', 'joints:knee/position')
    specs = {
        'absolute': spec, 'plain': replace(spec, contract=None),
        'still': replace(spec, contract=replace(spec.contract, fields=fields)),
    }  # fmt: skip
    with pytest.raises(ConfigError, match=why):
        Controller(Chosen(specs[kind]), Settings(**limit), measures_joints=True)
    controller = Controller(Chosen(specs[kind]), Settings(), measures_joints=True)
    with pytest.raises(ConfigError, match=why):
        controller.settings = Settings(**limit)
    assert controller.settings == Settings()


def test_a_policy_that_a_latch_could_never_stop_does_not_replace_one_that_it_could():
    usual = np.zeros(2), np.ones(2)
    first = Chosen(SPECS['absolute'])
    controller = Controller(first, Settings(max_deviation=4.0), measures_joints=True, normalisation=usual)
    with pytest.raises(ConfigError, match='no statistics of its training'):
        controller.swap(Chosen(first.spec))
    robot = Robot('absolute', start_pose_speed=0.0)
    robot.controller = Controller(
        robot.policy, Settings(start_pose_speed=0.0), measures_joints=True, normalisation=usual
    )
    robot.controller.activate(arm=True)
    robot.state()
    robot.controller.swap(Chosen(robot.policy.spec))
    with pytest.raises(ConfigError, match='no statistics of its training'):
        robot.controller.settings = Settings(start_pose_speed=0.0, max_deviation=4.0)  # before it takes over


def test_a_joint_that_is_too_fast_is_a_fault():
    command = replace(ABSOLUTE, start_pose=())
    contract = replace(
        SPECS['absolute'].contract, fields=('joints:hip/velocity', 'joints:hip/position'), command=command
    )
    spec = replace(SPECS['absolute'], observation_names=('hip/velocity', 'hip/position'), contract=contract)
    controller = Controller(Chosen(spec), Settings(max_joint_speed=20.0), measures_joints=True)
    controller.activate(arm=True)
    assert controller.decide(np.array([19.0, 0.0]), SECOND, SECOND, 1.0, [0.0, -1.8])
    controller.decide(np.array([-21.0, 0.0]), SECOND + 1000, SECOND + 1000, 1.0, [0.0, -1.8])
    assert "'hip/velocity' is -20.9, above max_joint_speed (20)" in controller.fault


def test_targets_that_move_by_increments_are_limited_as_in_training_and_only_the_slew_rate_is_worth_a_warning():
    for rates, words in ((), ''), ((0.5, 0.0), 'hip/position, by up to 0.04 (slew_rate)'):
        robot = Robot('increment', start_pose_speed=0.0, slew_rate=rates)
        robot.controller.activate(arm=True)
        for step in range(100):
            robot.state((0.95 if rates else 1.0, -2.0), action=((-1.0) ** (step // 2), 1.0))
        report = robot.controller.changed.report()
        assert report.endswith(words) and bool(report) == bool(words)
