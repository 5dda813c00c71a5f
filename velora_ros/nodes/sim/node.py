"""
Simulates a robot in real time: a MuJoCo environment, a robot in an MJCF file, or a task's robot, with faults.

Subscribes:
    command (std_msgs/Float64MultiArray): one value for each action, in the environment's order and SI units; or
        JointState, JointTrajectory, Twist or TwistStamped, whichever is published.
    cmd_vel (geometry_msgs/Twist or TwistStamped), goal_pose (geometry_msgs/PoseStamped): the commands of a task's
        robot, against which the run is evaluated.
    /diagnostics (diagnostic_msgs/DiagnosticArray): the diagnostics of the commanding node.

Publishes:
    joint_states (sensor_msgs/JointState): the joints with one axis, once a control period.
    observation (std_msgs/Float64MultiArray): the environment's observation, after each joint state.
    odom (nav_msgs/Odometry), imu/data (sensor_msgs/Imu): of a floating base, before each joint state.
    scan (sensor_msgs/LaserScan): of a task's robot with a laser scanner, before each joint state.
    robot_description (std_msgs/String): the URDF of a task's robot.
    tf (tf2_msgs/TFMessage): the pose of a task's floating base, if tf2_msgs is installed.
    cmd_vel, goal_pose: a pattern of commands, if ``drive`` is set and while no other node publishes them.
    reset (std_msgs/Empty): an episode ended and the robot was reset.
    ~/reward, ~/episode_return (std_msgs/Float64): the reward of each control period, the return of each episode.
    ~/image (sensor_msgs/Image): images, if ``image.rate_hz`` is set and while there is a subscriber.
    /clock (rosgraph_msgs/Clock): the simulated time at each physics step, if ``publish_clock`` is set.
    /diagnostics (diagnostic_msgs/DiagnosticArray): real-time factor, overruns, episodes, commands; once a second.

Services:
    ~/pause (std_srvs/SetBool): stop or continue simulated time. No state is published while it is stopped.
    ~/reset (std_srvs/Trigger): end the episode and reset the robot.
    ~/push (std_srvs/Trigger): push a floating base in a random direction.

Parameters (``parameters.py`` has their defaults and meaning):
    env, task, start, randomise, drive, cmd_vel_type, push_speed, control_period_s, seed, time_limit, physics_step_s,
    hold_until_command, command_timeout_s, command.type, command.interface, command.fields, command.layout,
    real_time_factor, publish_clock, duration_s, learning, status_line, summary_line, controller, odom_frame_id,
    base_frame_id, imu_frame_id, scan_frame_id, frame_prefix, faults.*, image.*, and qos_overrides of every topic.

The node paces itself on the steady clock. A state's stamp is the system time at which the state was due. With
``publish_clock``, it is the system time at the start plus the simulated time. ``publish_clock`` defaults to
``use_sim_time``. With ``duration_s``, the exit status shows whether the run passed; ``failures`` in
``control/pass_criteria.py`` has the criteria. With ``summary_line``, the last printed line is the run's summary in
JSON.
"""

import sys
import time
from typing import Any

from rclpy.node import Node

from velora_ros.errors import VeloraError
from velora_ros.gym.disturbances.disturb_arrays import DisturbanceStack
from velora_ros.gym.disturbances.disturbance_settings import FaultSettings
from velora_ros.gym.rendering import explained

try:
    with explained():
        import mujoco
except VeloraError as error:  # MuJoCo loads an OpenGL backend when it is imported, before there is a node to log
    sys.exit(str(error))

from velora_ros.nodes.ros.clocks import STEADY
from velora_ros.nodes.ros.endpoints import create_service
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.parameter_table import ParameterTable
from velora_ros.nodes.ros.qos_overrides import check_qos_overrides
from velora_ros.nodes.sim.controller_monitor import ControllerMonitor
from velora_ros.nodes.sim.deviation_measurement import DeviationMeasurement
from velora_ros.nodes.sim.image_publisher import ImagePublisher
from velora_ros.nodes.sim.loop import SimLoop
from velora_ros.nodes.sim.make_robot import describe, make_messages, make_robot
from velora_ros.nodes.sim.message_faults import MessageFaults
from velora_ros.nodes.sim.parameters import OWNER, SHARED, check_times, fault_settings, parameters
from velora_ros.nodes.sim.robot_description import publish_robot_description
from velora_ros.nodes.sim.run_report import RunReport
from velora_ros.nodes.sim.state_publisher import StatePublisher
from velora_ros.nodes.sim.task_commands import TaskCommands
from velora_ros.nodes.sim.task_robot_messages import TaskMessages, has_tf
from velora_ros.tasks.task_robot import TaskRobot

REPORT_PERIOD_S = 1.0
MUJOCO_WARNING_PERIOD_S = 10.0


class SimNode(Node):
    """
    The node; see the module's docstring for its interface.

    Raises:
        ConfigError: a parameter is invalid.
        UnsupportedEnvironmentError: the environment is unknown, or it cannot be run as a robot.
    """

    def __init__(self) -> None:
        super().__init__('sim_node')
        self.exit_code: int | None = None
        self._faults: DisturbanceStack | None = None
        rows = parameters(use_sim_time=self.get_parameter('use_sim_time').value)
        self._table = ParameterTable(self, rows, validate=self._validate, apply=self._apply, shared=SHARED)
        values = self._table.values
        robot = self._robot = make_robot(values)
        self._faults = DisturbanceStack(robot.spec.observation_names, *robot.bounds, seeds=[values['seed']])
        self._control_period = robot.spec.control_period
        if robot.caution:
            self.get_logger().warning(robot.caution)
        self._validate(values)
        self._faults.settings = fault_settings(values).disturbances(self._control_period)
        mujoco.set_mju_user_warning(self._on_mujoco_warning)
        self._deviation = DeviationMeasurement(self, self._faults, values)
        self._deviation.measure()
        create_service(self, OWNER, '~/pause', self._on_pause)
        create_service(self, OWNER, '~/reset', self._on_reset)
        create_service(self, OWNER, '~/push', self._on_push)
        self._messages = make_messages(robot, self._faults, values)
        states = StatePublisher(self, robot, self._faults, self._messages)
        controller = ControllerMonitor(self, values['controller'])
        told = self._begin_task(robot, controller) if isinstance(robot, TaskRobot) else None
        self._loop = SimLoop(
            self, robot, self._faults, self._table, states=states, told=told, on_finished=self._on_finished
        )
        self._images = ImagePublisher(self, self._loop, values) if values['image.rate_hz'] else None
        self._report = RunReport(self, self._loop, controller)
        check_qos_overrides(self)
        self._reported = time.monotonic()
        self.create_timer(REPORT_PERIOD_S, self._on_second, clock=STEADY)
        self.get_logger().info(
            f'{values["task"] or values["env"]}: {describe(robot)}; action {", ".join(robot.spec.action_names)}; '
            f'control period {robot.spec.control_period:g} s, physics step {robot.physics_step:g} s'
        )
        if (settings := fault_settings(values)) != FaultSettings():
            self._log_faults(settings)

    def _begin_task(self, robot: TaskRobot, controller: ControllerMonitor) -> TaskCommands:
        """Publish the description of a task's robot, and return the object that receives its commands."""
        values = self._table.values
        publish_robot_description(self, robot, values)
        if robot.sensors.has_base and not has_tf():
            self.get_logger().info('tf is not published, because tf2_msgs is not installed; odom has the same pose')
        return TaskCommands(self, robot, values, controller)

    def close(self) -> None:
        """Report the summary of the run, unless ``duration_s`` was over and it was reported then; stop the images."""
        if self.exit_code is None:
            self._report.summarise(time.monotonic(), log_failures=False, print_json=self._table['summary_line'])
        if self._images is not None:
            self._images.close()
        mujoco.set_mju_user_warning(None)

    def _on_finished(self) -> None:
        """Evaluate the run, and set the exit status: 0 if the run passed, otherwise 1."""
        learning, print_json = self._table['learning'], self._table['summary_line']
        now = time.monotonic()
        passed = self._report.summarise(now, log_failures=True, print_json=print_json, learning=learning)
        self.exit_code = 0 if passed else 1

    def _on_second(self) -> None:
        now = time.monotonic()
        # On a busy machine the EventsExecutor sometimes calls a timer twice and then skips its next call.
        if self.exit_code is None and now - self._reported > REPORT_PERIOD_S / 2:
            self._reported = now
            self._loop.clock.warn_of_other_publishers()
            self._report.publish(now, log=self._table['status_line'])

    # --- parameters -------------------------------------------------------------------------------------------------

    def _validate(self, values: Values) -> None:
        check_times(values)
        settings = fault_settings(values)
        if self._faults is not None:
            self._faults.check(settings.disturbances(self._control_period))

    def _apply(self, values: Values) -> None:
        """Apply changed parameters, at the latest with the next control period."""
        assert self._faults is not None  # the constructor handles the initial parameters
        if values['real_time_factor'] != self._loop.pacer.factor:
            self._loop.set_speed(values['real_time_factor'])
        if isinstance(self._robot, TaskRobot):
            self._robot.randomise = values['randomise']
        if isinstance(self._messages, TaskMessages):
            self._messages.message_faults = MessageFaults.of(values)
        settings = fault_settings(values)
        if (disturbances := settings.disturbances(self._control_period)) != self._faults.settings:
            self._faults.settings = disturbances
            self._deviation.measure_in_background()
            self._log_faults(settings)

    def _log_faults(self, settings: FaultSettings) -> None:
        self.get_logger().info(f'faults: {settings}')

    # --- services and warnings --------------------------------------------------------------------------------------

    def _on_pause(self, request: Any, response: Any) -> Any:
        self._loop.request_pause(paused=request.data)
        response.success, response.message = True, 'paused' if request.data else 'running'
        return response

    def _on_reset(self, request: Any, response: Any) -> Any:
        self._loop.request_reset()
        response.success, response.message = True, 'the episode ends with this control period'
        return response

    def _on_push(self, request: Any, response: Any) -> Any:
        speed = self._table['push_speed']
        response.success = self._robot.push(speed)
        response.message = (
            f'the velocity of the base changes by {speed:g} m/s'
            if response.success
            else 'the robot has no floating base, so it cannot be pushed.'
        )
        return response

    def _on_mujoco_warning(self, text: str) -> None:
        """Log MuJoCo's warnings, throttled, because a simulation that diverges causes one at each step."""
        one_line = ' '.join(text.split())
        self.get_logger().warning(f'MuJoCo: {one_line}', throttle_duration_sec=MUJOCO_WARNING_PERIOD_S)
