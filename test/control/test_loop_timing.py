import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.control.loop_timing import LoopTiming, TimingReport


def test_an_empty_window_reports_zeros():
    assert LoopTiming().report() == TimingReport()


def test_a_steady_loop_has_its_rate_and_no_jitter():
    timing = LoopTiming()
    for tick in range(100):
        timing.add(tick * 0.01, tick * 0.01 + 0.0002, 0.003)
    report = timing.report()
    assert report.rate_hz == pytest.approx(100.0)
    assert report.jitter_us == pytest.approx(0.0, abs=1e-3)
    assert report.latency_p50_us == pytest.approx(200.0)
    assert report.input_age_ms == pytest.approx(3.0)
    assert report.samples == 100


def test_a_report_starts_a_new_window():
    timing = LoopTiming()
    timing.add(0.0, 0.1, 0.0)
    timing.report()
    assert timing.report().samples == 0


@given(st.integers(1, 40))
def test_the_newest_samples_are_kept_in_order_when_the_window_is_full(count):
    timing = LoopTiming(capacity=8)
    for tick in range(count):
        timing.add(float(tick), tick + (0.5 if tick == count - 1 else 0.25), 0.0)
    report = timing.report()
    assert report.samples == min(count, 8)
    assert report.latency_max_us == pytest.approx(0.5e6)
    assert count < 3 or report.rate_hz == pytest.approx(1.0, rel=0.2)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_percentiles_are_ordered(latencies):
    timing = LoopTiming()
    for tick, latency in enumerate(latencies):
        timing.add(tick, tick + latency, 0.0)
    report = timing.report()
    assert 0 <= report.latency_p50_us <= report.latency_p99_us <= report.latency_max_us
