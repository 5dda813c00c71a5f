"""System time from the steady clock; the steps of /clock, measured on a node that uses simulated time."""

import time

import numpy as np
import pytest
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_bench import PATIENCE

from velora_ros.nodes.ros.clocks import LONGEST_STEP_S, ClockStep, SystemTime
from velora_ros.nodes.ros.conversions import to_clock
from velora_ros.nodes.ros.message_types import interface_class

pytestmark = pytest.mark.ros


@pytest.fixture(scope='module')
def clock(context):
    """A function that sets the time [s] of a node and waits until the node has it; and that node."""
    simulated = [Parameter('use_sim_time', value=True)]
    node = Node('robot', context=context, parameter_overrides=simulated, use_global_arguments=False)
    publisher = node.create_publisher(interface_class('rosgraph_msgs/msg/Clock'), '/clock', 10)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    end = time.monotonic() + PATIENCE
    while node.get_clock().now().nanoseconds != 1:  # a match that only the publisher knows of is not enough
        assert time.monotonic() < end, 'nothing came on /clock'
        publisher.publish(to_clock(1))
        executor.spin_once(timeout_sec=0.01)

    def set_time(seconds):
        publisher.publish(to_clock(round(seconds * 1e9)))
        end = time.monotonic() + PATIENCE
        while node.get_clock().now().nanoseconds != round(seconds * 1e9):
            assert time.monotonic() < end, f'{seconds} s never came on /clock'
            executor.spin_once(timeout_sec=0.01)

    yield set_time, node
    executor.shutdown()
    node.destroy_node()


def steps(clock, times):
    set_time, node = clock
    measured_steps = []
    clock_step = ClockStep(node.get_clock(), measured_steps.append)
    for seconds in times:
        set_time(seconds)
    clock_step.close()
    set_time(times[-1] + 1)
    return measured_steps


def test_the_step_of_a_slow_clock_is_known_at_its_third_message(clock):
    assert steps(clock, [100.0, 100.1, 100.2, 100.3])[2:] == pytest.approx([0.1, 0.1])


def test_a_single_jump_does_not_count(clock):
    measured_steps = steps(clock, [200.0, 200.5, 201.0, 5000.0, 5000.5])
    assert max(measured_steps[1:]) == pytest.approx(0.5)


def test_a_clock_that_restarts_keeps_its_step(clock):
    measured_steps = steps(clock, [300.0, 300.25, 300.5, 10.0, 10.25])
    assert measured_steps[-2:] == pytest.approx([0.25, 0.25])


def test_the_step_is_limited(clock):
    assert steps(clock, [400.0, 460.0, 520.0])[-1] == LONGEST_STEP_S


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
def test_system_time_follows_a_system_clock_that_was_set_or_continued_during_suspend(clocks, system_time, step_s):
    before = system_time.of(6.0)
    clocks.offset += round(step_s * 1e9)
    assert (system_time.of(6.04) - before) / 1e9 == pytest.approx(0.04 + step_s, abs=1e-5)
    assert system_time.of(6.08) - system_time.of(6.04) == 40_000_000


def test_system_time_does_not_change_if_the_process_is_preempted_between_readings(clocks, system_time):
    before = system_time.of(6.0)
    clocks.reading = 5_000_000
    assert system_time.of(6.04) - before == 40_000_000


def test_system_time_reads_the_machine_s_clocks():
    before, now, after = time.time_ns(), SystemTime().of(time.monotonic()), time.time_ns()
    assert before - 1_000_000 <= now <= after + 1_000_000
