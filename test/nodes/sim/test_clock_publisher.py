"""The clock of sim_node: it advances with the states, and one simulator publishes it at a time."""

import signal
from itertools import pairwise

import pytest
import rclpy
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from velora_ros.nodes.ros.conversions import to_nanoseconds
from velora_ros.nodes.sim.clock_publisher import ClockPublisher

pytestmark = pytest.mark.ros
JOINTS = 'sensor_msgs/msg/JointState'
EMPTY = 'std_msgs/msg/Empty'


def parameters(**values):
    text = {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items()}
    return [word for name, value in text.items() for word in ('-p', f'{name}:={value}')]


def stamps(states):
    return [to_nanoseconds(state.header.stamp) for state in states]


@pytest.fixture
def sim(ros):
    """Starts sim_node with parameters; `**values`."""
    return lambda **values: ros.start('sim_node', *parameters(**values))


def test_the_clock_never_runs_backwards_and_agrees_with_the_stamps(ros, sim):
    sim(publish_clock=True, physics_step_s=0.01)
    clock = ros.subscribe(
        'rosgraph_msgs/msg/Clock', '/clock', qos=QoSProfile(depth=1000, reliability=QoSReliabilityPolicy.BEST_EFFORT)
    )
    states = ros.subscribe(JOINTS, 'joint_states', qos=100)
    resets = ros.subscribe(EMPTY, 'reset')
    ros.until(lambda: states)
    ros.call('std_srvs/srv/Trigger', 'sim_node/reset')
    ros.until(lambda: resets and len(states) > 5)
    times = [to_nanoseconds(message.clock) for message in clock]
    assert all(later > earlier for earlier, later in pairwise(times))
    assert set(stamps(states)[:-1]) <= set(times)


def test_one_of_two_simulators_publishes_the_clock_and_the_other_takes_over(ros, sim):
    words = ('-p', 'use_sim_time:=true', '-p', 'hold_until_command:=false')
    first = ros.start('sim_node', *words, '-r', '__ns:=/left')
    best_effort = QoSProfile(depth=100, reliability=QoSReliabilityPolicy.BEST_EFFORT)
    times = ros.subscribe('rosgraph_msgs/msg/Clock', '/clock', qos=best_effort)
    ros.until(lambda: times, 'a clock of a simulator that was only told to live by one')
    ros.start('sim_node', *words, '-p', 'publish_clock:=false', '-r', '__ns:=/right')
    states = ros.subscribe(JOINTS, '/right/joint_states')

    def stamped():
        return [stamp for stamp in stamps(states) if stamp]  # zero until the first tick has reached it

    ros.until(lambda: len(stamped()) > 3, 'states of the second robot')
    assert ros.node.count_publishers('/clock') == 1
    first_tick, newest = to_nanoseconds(times[0].clock), stamped()[-1]
    assert first_tick <= stamped()[0]
    ros.until(lambda: to_nanoseconds(times[-1].clock) >= newest, 'a tick as late as the newest state')
    first.signal(signal.SIGINT)
    assert first.wait() == 0
    known = len(times)
    ros.until(lambda: len(times) > known + 20, 'the clock of the second simulator')
    assert ros.node.count_publishers('/clock') == 1
    ticks = [to_nanoseconds(message.clock) for message in times]
    assert ticks == sorted(ticks)


@pytest.mark.parametrize('may_take_over', [True, False])
def test_a_simulator_that_uses_simulated_time_publishes_a_missing_clock_if_it_may(ros, may_take_over):
    simulated = [Parameter('use_sim_time', value=True)]
    node = rclpy.create_node('probe', context=ros.node.context, parameter_overrides=simulated)
    try:
        clock = ClockPublisher(node, publish=False, may_take_over=may_take_over)
        clock.start(10**18)
        assert (clock.is_publishing, clock.is_following) == (False, True)
        for period in range(3):
            clock.take_over_if_unpublished(0.04 * period)
        assert clock.is_publishing is may_take_over
        assert clock.stamp(2.0) == (10**18 + 2 * 10**9 if may_take_over else 0)
        clock.stop()
        assert not clock.is_publishing
    finally:
        node.destroy_node()
