"""The promise that holds for any sequence of events: what reaches the robot is finite, bounded, fresh and allowed."""

import math

import numpy as np
from control_bench import SPEC, Bench, T
from hypothesis import given, settings
from hypothesis import strategies as st

from velora_ros.control import Settings

numbers = st.one_of(st.floats(-100, 100), st.sampled_from([math.nan, math.inf, -math.inf, 1e308]))
events = st.one_of(
    st.tuples(st.just('state'), numbers, st.floats(-0.3, 0.3), st.floats(-0.2, 20)),
    st.tuples(st.just('state'), st.floats(-1, 1), st.just(T), st.just(0.0)),
    st.tuples(st.just('silence'), st.floats(0, 1)),
    st.tuples(st.just('answer'), st.sampled_from([None, np.array([math.nan, 0.5]), np.array([1e9, -1e9])])),
    st.tuples(st.sampled_from(['arm', 'disarm', 'emergency_stop', 'clear_fault', 'reset', 'activate'])),
    st.tuples(st.just('settings'), st.sampled_from(['zero', 'hold', 'pose', 'none', 'auto']), st.booleans()),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(events, max_size=40))
def test_no_command_is_ever_unbounded_or_from_a_bad_or_old_input(sequence):
    bench = Bench()
    for kind, *arguments in sequence:
        driving = bench.controller.armed and not bench.controller.fault
        steps = len(bench.policy.dts)
        command = _play(bench, kind, arguments)
        if command is None:
            continue
        assert np.isfinite(command).all()
        assert (command >= SPEC.low).all() and (command <= SPEC.high).all()
        if kind == 'state' and not bench.controller.fault:
            value, _, age = arguments
            assert np.isfinite(value) and abs(age) <= 3 * T + 1e-6
            assert len(bench.policy.dts) == steps + 1
        else:
            assert driving, 'a fallback goes out only when commanding ends'
            assert bench.controller.fault or not bench.controller.armed


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
    if kind == 'silence':
        return bench.silence(arguments[0])
    if kind == 'answer':
        bench.policy.answer = arguments[0]
    elif kind == 'settings':
        controller.settings = Settings(fallback=arguments[0], fallback_pose=(1.0, 0.2), auto_recover=arguments[1])
    elif kind == 'reset':
        controller.reset('request')
    elif kind == 'activate':
        controller.activate(arm=True)
    elif kind == 'arm':
        controller.arm()
    else:
        return getattr(controller, kind)()
    return None
