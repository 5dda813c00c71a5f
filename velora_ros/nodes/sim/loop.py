"""The loop of sim_node: a command arrives, the physics advances, the state is published."""

import math
import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node

from velora_ros.control.run_summary import RunStatistics, SimulationProgress
from velora_ros.errors import ConfigError, SpecError
from velora_ros.gym.disturbances.disturb_arrays import DisturbanceStack
from velora_ros.gym.disturbances.observation_delay import DelayLine
from velora_ros.gym.real_time_pacer import RealTimePacer
from velora_ros.gym.servo_gains import Gains
from velora_ros.gym.simulated_robot import Period
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.clocks import STEADY, SystemTime
from velora_ros.nodes.ros.command_types import GAINS
from velora_ros.nodes.ros.endpoints import create_publisher
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.parameter_table import ParameterTable
from velora_ros.nodes.ros.rclpy_compat import start_values
from velora_ros.nodes.ros.timers import Timers
from velora_ros.nodes.sim.clock_publisher import ClockPublisher
from velora_ros.nodes.sim.command_subscription import CommandSubscription
from velora_ros.nodes.sim.parameters import OWNER
from velora_ros.nodes.sim.robot_protocol import Array, Robot
from velora_ros.nodes.sim.state_publisher import TOLERANCE_S, StatePublisher
from velora_ros.nodes.sim.task_commands import TaskCommands

NANOSECONDS = 1e9
# The simulation catches up on a delay of up to this time or up to two control periods, whichever is longer [s].
CATCH_UP_S = 0.05
# The timer may wake the loop early by this much [s].
EARLY_S = 1e-4
WARNING_PERIOD_S = 1.0
# Period of the search for publishers of other command types, and the time without a command before it starts [s].
FOLLOW_PERIOD_S = 0.2
# A run with a duration ends early when the robot waits this long for a command [s].
ABANDONED_S = 30.0


class SimLoop:
    """
    Simulates the robot in real time: applies the commands and publishes the states.

    Args:
        node: sim_node.
        robot: the robot, in its first initial state.
        faults: the robot's faults.
        table: the node's parameters.
        states: publishes the robot's state.
        told: the commands that a task's robot receives; None for the robot of an environment.
        on_finished: called once, when the run's duration is over or no node commands the robot.

    Raises:
        ConfigError: a parameter ``command.*`` does not fit the robot.
    """

    def __init__(
        self,
        node: Node,
        robot: Robot,
        faults: DisturbanceStack,
        table: ParameterTable,
        *,
        states: StatePublisher,
        told: TaskCommands | None,
        on_finished: Callable[[], None],
    ) -> None:
        self.robot, self.faults = robot, faults
        self._node, self._table, self._on_finished = node, table, on_finished
        self._period = robot.spec.control_period
        # Until the first state of an episode is published, a command belongs to the previous episode.
        self._new_episode = True
        self._reset_requested = self._pause_requested = False
        self._paused = self._timed_out = self._finished = False
        self._states, self._told = states, told
        self._delayed_actions: DelayLine[tuple[Array, Gains]] = DelayLine()
        if (gains := set(GAINS) & {*table['command.layout']}) and not robot.takes_gains:
            raise ConfigError(
                f"'command.layout' has {' and '.join(sorted(gains))}, but the simulated robot has no position servos; "
                'omit these blocks.'
            )
        topics = ('reset', '~/reward', '~/episode_return')
        self._publishers = {topic: create_publisher(node, OWNER, topic) for topic in topics}
        may_take_over = start_values(node).get('publish_clock') is None
        self.clock = ClockPublisher(node, publish=table['publish_clock'], may_take_over=may_take_over)
        self._commands = CommandSubscription(node, robot.spec, table.values, self._on_command)
        Timers(node).set(self._follow_publishers, FOLLOW_PERIOD_S)
        self._system_time = SystemTime()
        self.pacer = RealTimePacer(self._period, max(2 * self._period, CATCH_UP_S))
        self._timer = node.create_timer(self._period, self._on_timer, clock=STEADY)
        self._begun = False
        self.statistics: RunStatistics
        self._start_time()

    # --- a command arrives ------------------------------------------------------------------------------------------

    def _on_command(self, message: Any) -> None:
        """Simulate up to now, then apply the command from the next physics step on."""
        self._start_time_once()
        now = time.monotonic()
        checked = None if self._new_episode or self._paused else self._checked(message)
        if checked is not None:  # counted before the next state, to which the command does not belong, is published
            self.statistics.command(now)
        # If it is more than a period behind, the timer catches up. Here, each command would cause several states, and
        # thus several commands, which would leave no time for timers and services.
        if not self._paused and now <= self.pacer.due(self.robot.time + self._period):
            self._advance(now)
        if checked is None or self._new_episode:
            return
        delay = self.faults.settings.action_delay[0] * self.robot.spec.control_period
        self.faults.counts['command_delay'] += delay > 0
        self._delayed_actions.put(checked, self.robot.time + delay + self.robot.command_delay - TOLERANCE_S)
        self._last_command, self._commanded_until = now, self.robot.time
        self._timed_out = False

    def _checked(self, message: Any) -> tuple[Array, Gains] | None:
        """Return the robot's action for a command, and the command's gains; None if the command is refused."""
        try:
            return self.robot.check_command(self._commands.decode(message)), self._commands.gains(message)
        except SpecError as error:
            self._node.get_logger().warning(f'command refused: {error}', throttle_duration_sec=WARNING_PERIOD_S)
            return None

    def _follow_publishers(self) -> None:
        if self.silence > max(self._period, FOLLOW_PERIOD_S):
            self._commands.follow_publishers()

    def _check_command_timeout(self) -> None:
        """
        If commands have stopped, keep the targets of position servos and set every other actuator to zero.

        Only simulated time counts: if this process is held up, the commands did not stop.
        """
        timeout, silence = self._table['command_timeout_s'], self.robot.time - self._commanded_until
        timeout = 10 * self._period if timeout == -1 else timeout
        if self.robot.holding or self._timed_out or not 0 < timeout < silence:
            return
        self._timed_out = True
        self.robot.relax()
        self._node.get_logger().warning(
            f'no command for {silence:.2f} s (command_timeout_s is {timeout:g} s): position servos keep their '
            'targets, all other actuators are set to zero'
        )

    # --- the physics advances ---------------------------------------------------------------------------------------

    def _on_timer(self) -> None:
        self._start_time_once()
        if not self._paused:
            self._advance(time.monotonic() + EARLY_S)
        self._set_timer()

    def _advance(self, now: float) -> None:
        """Simulate up to ``now`` on the steady clock [s], and publish the states that are due on the way."""
        robot = self.robot
        target = self.pacer.target(now, robot.time)
        while robot.time + robot.physics_step <= target and not (self._paused or self._finished):
            for action, gains in self._delayed_actions.take(robot.time):
                if robot.takes_gains:
                    robot.set_gains(gains)
                robot.set_action(action)
            period = robot.advance()
            self.clock.publish(robot.time)
            if period is not None:
                self._end_period(period)
            self._publish_due_states()

    def _end_period(self, period: Period) -> None:
        """Publish the reward, measure the state or begin the next episode, and prepare the next control period."""
        self.clock.take_over_if_unpublished(self.robot.time)
        if not period.held:
            self.statistics.reward(period.reward, self.progress)
            self._publishers['~/reward'].publish(conversions.to_number(period.reward))
        ended = period.terminated or period.truncated
        if ended:
            self.statistics.episode(self.progress, terminated=period.terminated, truncated=period.truncated)
        if self._told is not None and self._told.end_period():
            self._reset_requested = True
        if ended or self._reset_requested:
            self._begin_episode()
        else:
            if not self._table['hold_until_command']:
                self.robot.release()
            self._states.measure(self.stamp)
        self.robot.set_period(int(self.faults.period_steps(self.robot.steps_per_period)[0]))
        self._check_command_timeout()
        if self._pause_requested:
            self._pause()
        self._check_end_of_run()

    def _begin_episode(self) -> None:
        """Publish the return, reset the robot, and publish ``reset``; the first state follows one period later."""
        self._publishers['~/episode_return'].publish(conversions.to_number(self.robot.episode_return))
        self.robot.reset()
        self._states.discard_delayed()
        self._delayed_actions.clear()
        self._new_episode, self._reset_requested = True, False
        self.statistics.reset()
        if self._told is not None:
            self._told.begin_episode()
        self._publishers['reset'].publish(interface_class('std_msgs/msg/Empty')())

    # --- the state is published -------------------------------------------------------------------------------------

    def _publish_due_states(self) -> None:
        for state in self._states.take_due():
            self._new_episode = False
            self.statistics.state(time.monotonic(), self.progress)
            self._states.publish(state)

    @property
    def stamp(self) -> int:
        """Time of the robot's state [ns]."""
        if self.clock.is_publishing or self.clock.is_following:
            return self.clock.stamp(self.robot.time)
        # Other nodes compare stamps with the system clock. A delay, a pause or a change of that clock must not make the
        # states look old.
        return self._system_time.of(self.pacer.due(self.robot.time))

    # --- time -------------------------------------------------------------------------------------------------------

    def _start_time(self) -> None:
        """Start simulated time, statistics and pacing now."""
        now = time.monotonic()
        self.clock.start(self._system_time.of(now))
        self._last_command, self._commanded_until = now, self.robot.time
        # Policies of tasks step once in each period; if periods vary, some states are between two steps.
        self.statistics = RunStatistics(now, 0.0 if self._told is None else self._period)
        self.pacer.start(now, self.robot.time)
        self.set_speed(self._table['real_time_factor'])

    def _start_time_once(self) -> None:
        """Start the time again when the loop first runs, because the rest of the node took time to start."""
        if not self._begun:
            self._begun = True
            self._start_time()

    def _set_timer(self) -> None:
        """
        Let the call of the timer that follows the next one come when a message is due.

        The time of the next call is settled already. The timer is never reset: an EventsExecutor (rclpy 7.1.6) would
        call other timers twice, and then late. A command that arrives earlier advances the simulation itself.
        """
        robot, faults = self.robot, self.faults.settings
        is_uneven = self.clock.is_publishing or faults.period_jitter > 0 or faults.observation_delay[0] > 0
        apart = (robot.physics_step if is_uneven else self._period) / self.pacer.factor
        apart /= math.ceil(apart / self._period)  # so that another speed takes effect soon
        due = self.pacer.due(robot.period_end)
        coming = time.monotonic() + self._timer.time_until_next_call() / NANOSECONDS
        after = due + math.ceil((coming + EARLY_S - due) / apart) * apart
        self._timer.timer_period_ns = round((after - coming) * NANOSECONDS)

    def _pause(self) -> None:
        self._paused = True
        self.statistics.pause(time.monotonic(), paused=True)

    def _check_end_of_run(self) -> None:
        """Finish the run when its duration is over, or when the robot waits too long for a command."""
        duration, robot = self._table['duration_s'], self.robot
        moved = robot.time - robot.held_time
        abandoned = robot.holding and self.silence > ABANDONED_S
        if duration and not self._finished and (abandoned or moved >= duration - robot.physics_step / 2):
            self._finished = True
            self._on_finished()
            self.clock.stop()

    # --- called by the node -----------------------------------------------------------------------------------------

    def request_reset(self) -> None:
        """End the episode at the end of the current control period, so that states stay periodic."""
        self._reset_requested = True

    def request_pause(self, *, paused: bool) -> None:
        """Stop simulated time at the end of the current control period, or continue it immediately."""
        self._pause_requested = paused
        if self._paused and not paused:
            self._paused = False
            self._last_command = now = time.monotonic()
            self.pacer.start(now, self.robot.time)
            self.statistics.pause(now, paused=False)

    def set_speed(self, factor: float) -> None:
        """Set how many seconds of simulated time pass in one second."""
        now = time.monotonic()
        self.pacer.set_factor(factor, now)
        self.statistics.speed(now, factor)

    @property
    def progress(self) -> SimulationProgress:
        """Simulated time, held time and return so far."""
        robot = self.robot
        return SimulationProgress(robot.time, robot.held_time, robot.holding, robot.episode_return)

    @property
    def state(self) -> str:
        """The robot's state, as shown in the log and the diagnostics."""
        if self._paused:
            return 'paused'
        if self.robot.holding:
            return 'waiting for a command'
        return 'no command, at rest' if self._timed_out else 'moving'

    @property
    def silence(self) -> float:
        """Time since the last command [s], or since the start if there was none."""
        return time.monotonic() - self._last_command
