"""The loop of sim_node: its topics, and the way from a command to the states that follow from it."""

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from velora_ros.control.run_statistics import Progress, RunStatistics
from velora_ros.errors import SpecError
from velora_ros.gym.disturbances.observation_delay import DelayLine
from velora_ros.gym.disturbances.stack import DisturbanceStack
from velora_ros.gym.real_time_pacer import RealTimePacer
from velora_ros.gym.simulated_robot import Array, Period, SimulatedRobot
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.clocks import STEADY, SystemTime
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.parameter_table import ParameterTable
from velora_ros.nodes.ros.rclpy_compat import start_values
from velora_ros.nodes.sim.clock_publisher import SimClock
from velora_ros.nodes.sim.command_subscription import CommandInput, CommandReader
from velora_ros.nodes.sim.parameters import OWNER
from velora_ros.nodes.sim.state_publisher import EXACT_S, StateOutput

NANOSECONDS = 1e9
# A stall of the machine up to this, or up to two control periods, is caught up [s].
CAUGHT_UP_S = 0.05
# A timer may wake this much before its time [s].
EARLY_S = 1e-4
SHORTEST_NS = 1_000
WARNING_PERIOD_S = 1.0
# Without a command for so long, publishers of another type are looked for [s].
IDLE_S = 0.2


class SimLoop:
    """
    Runs the robot in real time between ``command`` and the state topics.

    Args:
        node: where topics and timers live.
        robot: the robot, at its first initial state.
        faults: what goes wrong between it and the topics.
        table: the node's parameters.
        after_period: called when a control period is over and published.
    """

    def __init__(
        self,
        node: Node,
        robot: SimulatedRobot,
        faults: DisturbanceStack,
        table: ParameterTable,
        after_period: Callable[[], None],
    ) -> None:
        self.robot, self.faults = robot, faults
        self._node = node
        self._table = table
        self._after_period = after_period
        self._period = robot.spec.control_period
        # While resetting, no state of the episode went out yet; a command then is meant for the one before.
        self._resetting = True
        self._reset_asked = self._pause_asked = self._stopped = self._starved = False
        self._states = StateOutput(node, robot, faults, table.values)
        self._commands: DelayLine[Array] = DelayLine()
        names = ('reset', '~/reward', '~/episode_return')
        self._out = {name: create_publisher(node, OWNER, name) for name in names}
        self.clock = SimClock(
            node, publish=table['publish_clock'], may_begin=start_values(node).get('publish_clock') is None
        )
        self._empty = interface_class('std_msgs/msg/Empty')()
        CommandInput(
            node, robot.spec, table.values, take=self._on_command, idle=lambda: self.silence > max(self._period, IDLE_S)
        )
        self._system_time = SystemTime()
        self.pacer = RealTimePacer(self._period, max(2 * self._period, CAUGHT_UP_S))
        self._timer = node.create_timer(self._period, self._wake, clock=STEADY)
        self._begun = False
        self._begin()

    @property
    def progress(self) -> Progress:
        """Where the simulation is."""
        robot = self.robot
        return Progress(robot.time, robot.held_time, robot.holding, robot.episode_return)

    @property
    def state(self) -> str:
        """What the robot does, for people."""
        if self._stopped:
            return 'paused'
        if self.robot.holding:
            return 'waiting for a command'
        return 'no command, at rest' if self._starved else 'moving'

    @property
    def silence(self) -> float:
        """Time since the last command, or since the start [s]."""
        return time.monotonic() - self._last_command

    def reset(self) -> None:
        """End the episode with the running control period, so that states keep their rhythm."""
        self._reset_asked = True

    def pause(self, paused: bool) -> None:
        """Stop simulated time at the end of the running control period, or let it go on."""
        self._pause_asked = paused
        if self._stopped and not paused:
            self._stopped = False
            self._last_command = now = time.monotonic()
            self.pacer.start(now, self.robot.time)
            self.statistics.pause(now, paused=False)
            self._sleep()

    def change_speed(self, factor: float) -> None:
        """Let so much simulated time pass in a second from now on."""
        now = time.monotonic()
        self.pacer.set_factor(factor, now)
        self.statistics.speed(now, factor)
        if not self._stopped:
            self._sleep()

    @property
    def stamp(self) -> int:
        """The time of the robot's state [ns]."""
        if self.clock.published or self.clock.followed:
            return self.clock.stamp(self.robot.time)
        # Others compare stamps with the system clock: slips, pauses and its being set must not age our states.
        return self._system_time.of(self.pacer.due(self.robot.time))

    # --- time ------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Let time begin: now, and again when the loop first runs, for the rest of the node's start takes its time."""
        now = time.monotonic()
        self.clock.begin(self._system_time.of(now))
        self._last_command = now
        self.statistics = RunStatistics(now)
        self.pacer.start(now, self.robot.time)
        self.change_speed(self._table['real_time_factor'])

    def _look_for_the_beginning(self) -> None:
        if not self._begun:
            self._begun = True
            self._begin()

    def _wake(self) -> None:
        self._look_for_the_beginning()
        self._advance(time.monotonic() + EARLY_S)
        if not self._stopped:
            self._sleep()

    def _sleep(self) -> None:
        """Set the timer to when the next message is due; commands that come before wake the simulation themselves."""
        robot = self.robot
        due = min(robot.period_end, self._states.next_due)
        if self.clock.published:
            due = min(due, robot.time + robot.physics_step)
        self._timer.timer_period_ns = max(round((self.pacer.due(due) - time.monotonic()) * NANOSECONDS), SHORTEST_NS)
        self._timer.reset()

    def _advance(self, now: float) -> None:
        """Simulate up to now."""
        robot = self.robot
        target = self.pacer.target(now, robot.time)
        while robot.time + robot.physics_step <= target and not self._stopped:
            for command in self._commands.take(robot.time):
                robot.set_action(command)
            period = robot.advance()
            self.clock.tick(robot.time)
            if period is not None:
                self._end_period(period)
            self._states.publish_due(self._note_state)

    def _stop(self) -> None:
        self._stopped = True
        self._timer.cancel()
        self.statistics.pause(time.monotonic(), paused=True)

    # --- states ----------------------------------------------------------------------------------------------------

    def _end_period(self, period: Period) -> None:
        self.clock.look(self.robot.time)
        if not period.held:
            self.statistics.reward(period.reward, self.progress)
            self._out['~/reward'].publish(conversions.to_number(period.reward))
        ended = period.terminated or period.truncated
        if ended:
            self.statistics.episode(self.progress, terminated=period.terminated, truncated=period.truncated)
        if ended or self._reset_asked:
            self._put_back()
        else:
            if not self._table['hold_until_command']:
                self.robot.release()
            self._states.measure(self.stamp)
        self.robot.set_period(int(self.faults.period_steps(self.robot.steps_per_period)[0]))
        self._look_for_commands()
        if self._pause_asked:
            self._stop()
        self._after_period()

    def _note_state(self) -> None:
        """Note that a state goes out; after a reset, commands count again from here on."""
        self._resetting = False
        self.statistics.state(time.monotonic(), self.progress)

    def _put_back(self) -> None:
        """Publish the return, take the command back, publish ``reset``; the first new state is due one period later."""
        self._out['~/episode_return'].publish(conversions.to_number(self.robot.episode_return))
        self.robot.reset()
        self._states.clear()
        self._commands.clear()
        self._resetting, self._reset_asked = True, False
        self.statistics.reset()
        self._out['reset'].publish(self._empty)

    # --- commands --------------------------------------------------------------------------------------------------

    def _on_command(self, message: Any, read: CommandReader) -> None:
        self._look_for_the_beginning()
        now = time.monotonic()
        if not self._stopped:
            self._advance(now)
        if self._resetting or self._stopped:
            return
        try:
            command = self.robot.check_command(read(message))
        except SpecError as error:
            self._node.get_logger().warning(f'refused: {error}', throttle_duration_sec=WARNING_PERIOD_S)
            return
        delay = self.faults.settings.action_delay[0] * self._period
        self.faults.counts['command_delay'] += delay > 0
        self._commands.put(command, self.robot.time + delay - EXACT_S)
        self._last_command = now
        self._starved = False
        self.statistics.command(now)

    def _look_for_commands(self) -> None:
        """Take the command back when the commands stopped: servos keep their pose, everything else gets zero."""
        timeout = self._table['command_timeout_s']
        timeout = 10 * self._period if timeout == -1 else timeout
        if self.robot.holding or self._starved or not 0 < timeout < self.silence * self.pacer.factor:
            return
        self._starved = True
        self.robot.relax()
        self._node.get_logger().warning(
            f'no command for {self.silence:.2f} s (limit {timeout:g} s): zero is applied, and position servos keep '
            'their target'
        )
