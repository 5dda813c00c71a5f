"""The promise that holds for any sequence of events: what reaches the robot is finite, bounded, fresh and allowed."""

import math

import numpy as np
from control_bench import SPEC, Accumulator, Bench, T, as_array
from hypothesis import given, settings
from hypothesis import strategies as st

from velora_ros.control import Settings

numbers = st.one_of(st.floats(-100, 100), st.sampled_from([math.nan, math.inf, -math.inf, 1e308]))
limits = st.builds(
    Settings,
    fallback=st.sampled_from(['zero', 'hold', 'pose', 'none', 'auto']),
    fallback_pose=st.just((1.0, 0.2)),
    auto_recover=st.booleans(),
    ramp_s=st.sampled_from([0.0, 0.1]),
    slew_rate=st.sampled_from([(), (2.0,), (5.0, 0.5), (0.0, 1.0)]),
)
events = st.one_of(
    st.tuples(st.just('state'), numbers, st.floats(-0.3, 0.3), st.floats(-0.2, 20)),
    st.tuples(st.just('state'), st.floats(-1, 1), st.just(T), st.just(0.0)),
    st.tuples(st.just('state'), st.sampled_from([-50.0, 50.0]), st.sampled_from([0.001, T, 0.15]), st.just(0.0)),
    st.tuples(st.just('repeat'), st.floats(0, 0.1)),
    st.tuples(st.just('silence'), st.floats(0, 1)),
    st.tuples(st.just('answer'), st.sampled_from([None, np.array([math.nan, 0.5]), np.array([1e9, -1e9])])),
    st.tuples(st.sampled_from(['arm', 'disarm', 'emergency_stop', 'clear_fault', 'reset', 'activate', 'swap'])),
    st.tuples(st.just('settings'), limits),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(events, max_size=40))
def test_no_command_is_ever_unbounded_or_from_a_bad_or_old_input(sequence):
    bench = Bench()
    answered = -math.inf
    for kind, *arguments in sequence:
        driving = bench.controller.armed and not bench.controller.fault
        command = _play(bench, kind, arguments)
        if command is None:
            continue
        assert np.isfinite(command).all()
        assert (command >= SPEC.low).all() and (command <= SPEC.high).all()
        if kind == 'state' and not bench.controller.fault:
            value, _, age = arguments
            assert np.isfinite(value) and abs(age) <= 3 * T + 1e-6
            answered = bench.time - age
        elif kind == 'repeat':
            assert abs(bench.time - answered) <= 3 * T + 1e-6
        else:
            assert driving, 'a fallback goes out only when commanding ends'
            assert bench.controller.fault or not bench.controller.armed


smooth = st.builds(
    Settings,
    auto_recover=st.just(True),
    fallback=st.sampled_from(['zero', 'hold', 'none']),
    ramp_s=st.sampled_from([0.0, 0.1]),
    slew_rate=st.sampled_from([(2.0,), (20.0, 0.5)]),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(events, min_size=5, max_size=40), smooth)
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
        if sent is not None and kind in ('state', 'repeat') and not bench.controller.fault:
            rates = np.broadcast_to(bench.controller.settings.slew_rate or (0.0,), 2)
            allowed = np.where(rates > 0, rates * max(bench.time - sent[1], 0.0), math.inf)
            assert (np.abs(command - sent[0]) <= allowed + 1e-9).all()
        sent = (command.copy(), bench.time)


@settings(max_examples=100, deadline=None)
@given(st.lists(events, max_size=40))
def test_the_policy_sees_only_finite_input_and_elapsed_times_within_the_gap(sequence):
    bench = Bench()
    for kind, *arguments in sequence:
        _play(bench, kind, arguments)
    assert all(dt is None or 0 < dt <= 10 * T for dt in bench.policy.dts)


def _play(bench, kind, arguments):
    controller = bench.controller
    if kind == 'state':
        value, after, age = arguments
        return bench.state((value, 0.0), after=after, age=age)
    if kind in ('silence', 'repeat'):
        return bench.silence(arguments[0]) if kind == 'silence' else bench.repeat(after=arguments[0])
    if kind == 'answer':
        bench.policy.answer = arguments[0]
    elif kind == 'settings':
        controller.settings = arguments[0]
    elif kind == 'swap':
        bench.policy, before = Accumulator(), bench.policy
        bench.policy.answer, bench.policy.dts = before.answer, before.dts
        controller.swap(bench.policy)
    elif kind == 'reset':
        controller.reset('request')
    elif kind == 'activate':
        controller.activate(arm=True)
    elif kind == 'arm':
        controller.arm()
    else:
        return as_array(getattr(controller, kind)())
    return None
