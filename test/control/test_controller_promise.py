"""The promise that holds for any sequence of events: what reaches the robot is finite, bounded, fresh and allowed."""

import math

import numpy as np
from control_bench import SECOND, SPEC, Bench, T, as_array
from hypothesis import given, settings
from hypothesis import strategies as st

from velora_ros.control import Settings

numbers = st.one_of(st.floats(-100, 100), st.sampled_from([math.nan, math.inf, -math.inf, 1e308]))
limits = st.builds(
    Settings,
    max_state_age_s=st.sampled_from([-1.0, 0.03, 0.5, 0.0]),
    watchdog_timeout_s=st.sampled_from([-1.0, 0.1, 0.0]),
    max_gap_s=st.sampled_from([-1.0, 0.05, 0.0]),
    fallback=st.sampled_from(['zero', 'hold', 'pose', 'none', 'auto']),
    fallback_pose=st.just((1.0, 0.2)),
    auto_recover=st.booleans(),
    ramp_s=st.sampled_from([0.0, 0.1]),
    slew_rate=st.sampled_from([(), (2.0,), (5.0, 0.5), (0.0, 1.0)]),
    interpolate=st.sampled_from([0.0, 200.0]),
)
usual = st.tuples(st.just('state'), st.floats(-1, 1), st.just(T), st.just(0.0))
answers = st.sampled_from([None, 'sick', np.array([math.nan, 0.5]), np.array([0.5, math.inf]), np.array([1e9, -1e9])])
events = st.one_of(
    st.tuples(st.just('state'), numbers, st.floats(0, 0.3), st.floats(-0.2, 20)),
    *[usual] * 3,
    st.tuples(st.just('state'), st.sampled_from([-50.0, 50.0]), st.sampled_from([0.001, T, 0.15]), st.just(0.0)),
    st.tuples(st.sampled_from(['repeat', 'interpolate']), st.floats(0, 0.1)),
    st.tuples(st.just('silence'), st.floats(0, 1)),
    st.tuples(st.just('clock'), st.sampled_from([-3600.0, -0.1, 0.03, 3600.0])),
    st.tuples(st.just('answer'), answers),
    st.tuples(st.sampled_from(['arm', 'clear_fault'])),
    st.tuples(st.sampled_from(['disarm', 'emergency_stop', 'reset', 'swap'])),
    st.tuples(st.just('activate'), st.booleans()),
    st.tuples(st.just('settings'), limits),
)


ONGOING = 'state', 'repeat', 'interpolate'  # events whose commands are the policy's


class Rules:
    """What may happen to the robot next, by the rules as a user reads them, independently of the controller's code."""

    def __init__(self, bench):
        self.bench = bench
        self.armed, self.stopped = True, False
        self.stamp = None  # of the state that was answered last [ns]
        self.heard = None  # when the last usable state since arming came, on the steady clock [s]

    def check(self, kind, arguments, command, armed, before):
        """Check an event and its outcome by the rules; `armed` and the fault `before` are those before the event."""
        fault = self.bench.controller.fault
        self._follow(kind, arguments, before)
        if command is None:
            assert kind != 'silence' or fault or not (self.armed and self._silent())
            return
        assert np.isfinite(command).all()
        assert (command >= SPEC.low).all() and (command <= SPEC.high).all()
        if kind in ONGOING and not fault:
            assert self.armed and not self.stopped
            assert np.isfinite(self.bench.policy.hidden).all()
            assert abs(self.bench.now - self.stamp) <= _limit(self.bench, 'max_state_age_s', 3) * SECOND + 1000
            assert kind != 'state' or np.isfinite(arguments[0])
        else:
            assert armed and not before, 'a fallback goes out only when commanding ends'
            assert fault or not self.armed

    def _follow(self, kind, arguments, before):
        begins = (kind == 'arm' and not before and not self.armed) or kind == 'activate'
        cleared = kind == 'clear_fault' and before
        if kind == 'state' and self.bench.policy.stepped:
            self.stamp, self.heard = self.bench.now - round(arguments[2] * SECOND), self.bench.time
        if begins:
            self.armed = kind == 'arm' or arguments[0]
        if kind == 'disarm' or (cleared and not self.bench.controller.settings.auto_recover):
            self.armed = False
        if begins or cleared:
            self.heard = None
        self.stopped = kind == 'emergency_stop' or (self.stopped and not cleared)
        assert self.armed == self.bench.controller.armed
        assert not self.stopped or self.bench.controller.fault == 'emergency stop'

    def _silent(self):
        return self.heard is not None and self.bench.time - self.heard > _limit(self.bench, 'watchdog_timeout_s', 10)


@settings(max_examples=600, deadline=None)
@given(st.lists(events, max_size=40))
def test_no_command_is_ever_unbounded_forbidden_or_from_a_bad_or_old_input(sequence):
    bench = Bench()
    rules = Rules(bench)
    for kind, *arguments in sequence:
        before = bench.controller.armed, bench.controller.fault
        rules.check(kind, arguments, _play(bench, kind, arguments), *before)


# What happens while nothing is wrong; mixed with everything else, it makes long drives.
drive = st.one_of(
    usual,
    st.tuples(st.just('state'), st.sampled_from([-50.0, 50.0]), st.sampled_from([0.001, T, 0.15]), st.just(0.0)),
    st.tuples(st.sampled_from(['repeat', 'interpolate', 'interpolate']), st.floats(0, 0.05)),
    st.just(('swap',)),
)
smooth = st.builds(
    Settings,
    auto_recover=st.just(True),
    fallback=st.sampled_from(['zero', 'hold', 'none']),
    ramp_s=st.sampled_from([0.0, 0.1]),
    slew_rate=st.sampled_from([(2.0,), (20.0, 0.5)]),
    interpolate=st.sampled_from([0.0, 200.0]),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(drive | drive | events, min_size=5, max_size=40), smooth)
def test_no_command_ever_differs_from_what_was_sent_before_by_more_than_the_slew_rate_allows(sequence, first):
    bench = Bench()
    bench.controller.settings = first
    sent = None  # the newest message since commanding began, and its time; a fallback counts
    for kind, *arguments in sequence:
        if kind == 'activate' or (kind == 'arm' and not bench.controller.armed):
            sent = None
        command = _play(bench, kind, arguments)
        if command is None:
            continue
        if sent is not None and kind in ONGOING and not bench.controller.fault:
            rates = np.broadcast_to(bench.controller.settings.slew_rate or (0.0,), 2)
            allowed = np.where(rates > 0, rates * (bench.time - sent[1]), math.inf)
            assert (np.abs(command - sent[0]) <= allowed + 1e-9).all()
        sent = (command.copy(), bench.time)


# No `repeat`: there is no interpolation at a fixed rate.
others = events.filter(lambda event: event[0] not in ('repeat', 'settings'))
ticks = st.tuples(st.just('interpolate'), st.sampled_from([0.0, 0.004, 0.005, 0.007, 0.03]))
ENDS = 'disarm', 'emergency_stop', 'reset', 'swap', 'activate'


@settings(max_examples=400, deadline=None)
@given(st.lists(usual | ticks | ticks | others, min_size=5, max_size=40), st.booleans())
def test_an_interpolated_command_lies_between_the_last_one_and_the_policy_s_and_stops_there(sequence, recovers):
    bench = Bench()
    bench.controller.settings = Settings(interpolate=200.0, auto_recover=recovers, max_state_age_s=0.1)
    last = target = None  # the last command; what the policy wants, None after commanding was interrupted
    began = 0.0
    for kind, *arguments in sequence:
        command = _play(bench, kind, arguments)
        if kind == 'interpolate' and command is not None:
            assert target is not None, 'nothing is sent between an interruption and the next state'
            assert (command >= np.minimum(last, target) - 1e-9).all()
            assert (command <= np.maximum(last, target) + 1e-9).all()
            if bench.time - began >= T:
                assert (command == target).all()
                target = None  # it stops there
        elif kind == 'state' and bench.policy.stepped:
            wanted = bench.controller.policy_action
            target, began = None if command is None else np.clip(wanted, SPEC.low, SPEC.high), bench.time
        if kind in ENDS or bench.controller.fault:
            target = None
        last = last if command is None else command


@settings(max_examples=200, deadline=None)
@given(st.lists(events, max_size=40))
def test_the_policy_sees_only_finite_input_and_elapsed_times_within_the_gap(sequence):
    bench = Bench()
    for kind, *arguments in sequence:
        steps = len(bench.policy.dts)
        _play(bench, kind, arguments)
        assert all(dt is None or 0 < dt <= _limit(bench, 'max_gap_s', 10) for dt in bench.policy.dts[steps:])


def _limit(bench, name, periods):
    """A limit by the rule of docs/parameters.md: -1 is a number of periods, 0 is no limit [s]."""
    value = getattr(bench.controller.settings, name)
    return periods * T if value == -1 else value or math.inf


def _play(bench, kind, arguments):
    controller = bench.controller
    bench.policy.stepped = False
    if kind == 'state':
        value, after, age = arguments
        return bench.state((value, 0.0), after=after, age=age)
    if kind == 'silence':
        return bench.silence(arguments[0])
    if kind in ('repeat', 'interpolate'):
        return getattr(bench, kind)(after=arguments[0])
    if kind == 'clock':
        bench.offset += arguments[0]
    elif kind == 'answer':
        bench.policy.sick = isinstance(arguments[0], str)
        bench.policy.answer = None if bench.policy.sick else arguments[0]
    elif kind == 'settings':
        controller.settings = arguments[0]
    elif kind == 'swap':
        bench.policy = bench.policy.twin()
        controller.swap(bench.policy)
    elif kind == 'reset':
        controller.reset('request')
    elif kind == 'activate':
        controller.activate(arm=arguments[0])
    elif kind == 'arm':
        controller.arm()
    else:
        return as_array(getattr(controller, kind)())
    return None
