import time

import numpy as np
import pytest

from velora_ros.nodes.ros.system_time import SystemTime


class Clocks:
    """A system clock and a steady one [ns]; each reading takes a while."""

    def __init__(self):
        self.steady_now, self.offset, self.reading = 5_000_000_000, 1_700_000_000_000_000_000, 200

    def steady(self):
        self.steady_now += self.reading
        return self.steady_now

    def system(self):
        self.steady_now += self.reading
        return self.steady_now + self.offset


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def system_time(clocks):
    return SystemTime(clocks.system, clocks.steady)


def test_system_time_is_as_even_as_the_steady_clock(clocks, system_time):
    stamps = []
    for k in range(50):
        clocks.reading = 200 + 300 * (k % 7)
        stamps.append(system_time.of(5.0 + 0.04 * k))
    assert np.diff(stamps).tolist() == [40_000_000] * 49
    assert stamps[0] == pytest.approx(clocks.offset + 5_000_000_000, abs=1_000)


@pytest.mark.parametrize('step_s', [0.3, -0.3, 8 * 3600.0])
def test_system_time_follows_a_system_clock_that_was_set_or_went_on_while_the_machine_slept(
    clocks, system_time, step_s
):
    before = system_time.of(6.0)
    clocks.offset += round(step_s * 1e9)
    assert (system_time.of(6.04) - before) / 1e9 == pytest.approx(0.04 + step_s, abs=1e-5)
    assert system_time.of(6.08) - system_time.of(6.04) == 40_000_000


def test_system_time_is_not_moved_by_a_process_that_was_held_up_between_its_readings(clocks, system_time):
    before = system_time.of(6.0)
    clocks.reading = 5_000_000
    assert system_time.of(6.04) - before == 40_000_000


def test_system_time_reads_the_machine_s_clocks():
    before, now, after = time.time_ns(), SystemTime().of(time.monotonic()), time.time_ns()
    assert before - 1_000_000 <= now <= after + 1_000_000
