"""
A MuJoCo environment of gymnasium, or a robot in an MJCF file, as a robot in real time, with faults where asked for.

Subscribes:
    command (std_msgs/Float64MultiArray): one value for each action, in the environment's order and SI units; or
        JointState, JointTrajectory, Twist or TwistStamped, whichever is published.
    /diagnostics (diagnostic_msgs/DiagnosticArray): what the controller says of itself.

Publishes:
    joint_states (sensor_msgs/JointState): the joints with one axis, once a control period.
    observation (std_msgs/Float64MultiArray): the environment's observation, with every joint state.
    odom (nav_msgs/Odometry), imu/data (sensor_msgs/Imu): of a floating base, before each joint state.
    reset (std_msgs/Empty): an episode ended and the robot was put back.
    ~/reward, ~/episode_return (std_msgs/Float64): of each control period, of each episode.
    ~/image (sensor_msgs/Image): pictures, with ``image.rate_hz`` and while somebody subscribes.
    /clock (rosgraph_msgs/Clock): the simulated time at each physics step, with ``publish_clock``.
    /diagnostics (diagnostic_msgs/DiagnosticArray): real-time factor, overruns, episodes, commands; once a second.

Services:
    ~/pause (std_srvs/SetBool): stop or continue the simulated time; while it stands still, no state is published.
    ~/reset (std_srvs/Trigger): end the episode and put the robot back.

Parameters (``parameters.py`` has their defaults and meaning):
    env, control_period_s, seed, time_limit, physics_step_s, hold_until_command, command_timeout_s, command.type,
    command.interface, command.fields, real_time_factor, publish_clock, duration_s, learning, status_line,
    summary_line, controller, odom_frame_id, base_frame_id, imu_frame_id, faults.*, image.*, and qos_overrides of every
    topic.

The node paces itself on the steady clock. A stamp is the system time at which its state was due, or, with
``publish_clock``, the system time at the start plus the simulated time; with ``use_sim_time``, however it is set,
``publish_clock`` is on unless it is set as well. With ``duration_s`` the exit status says whether the run passed
(``control/run.py`` has the rule). With ``summary_line`` the last line printed is the run's summary, in JSON.
"""

import sys
import time
from typing import Any

from rclpy.node import Node

from velora_ros.errors import ConfigError, VeloraError
from velora_ros.gym import make, signal_deviation
from velora_ros.gym.disturbances.settings import FaultSettings
from velora_ros.gym.disturbances.signal_deviation import affordable_steps
from velora_ros.gym.disturbances.stack import DisturbanceStack
from velora_ros.gym.mjcf_and_urdf import is_robot_file
from velora_ros.gym.rendering import explained

try:
    with explained():
        import mujoco
except VeloraError as error:  # MuJoCo loads an OpenGL backend when it is imported, long before there is a node
    sys.exit(str(error))

from velora_ros.gym.simulated_robot import Array, SimulatedRobot
from velora_ros.nodes.ros.clocks import STEADY
from velora_ros.nodes.ros.endpoints import create_service
from velora_ros.nodes.ros.parameter_table import ParameterTable
from velora_ros.nodes.ros.parameters import Values
from velora_ros.nodes.ros.qos_overrides import check_qos_overrides
from velora_ros.nodes.ros.run_node import run
from velora_ros.nodes.sim.image_publisher import CameraOutput
from velora_ros.nodes.sim.loop import SimLoop
from velora_ros.nodes.sim.parameters import OWNER, SHARED, fault_settings, parameters
from velora_ros.nodes.sim.run_report import Controller, Report
from velora_ros.nodes.sim.signal_deviation import NoiseUnit

REPORT_PERIOD_S = 1.0
# A run with a duration in which nobody commands for so long is over [s].
ABANDONED_S = 30.0
MUJOCO_WARNING_PERIOD_S = 10.0


class SimNode(Node):
    """
    The node; see the module's docstring for its interface.

    Raises:
        ConfigError: a parameter is wrong.
        UnsupportedEnvironmentError: the environment is unknown, or cannot be run as a robot.
    """

    def __init__(self) -> None:
        super().__init__('sim_node')
        self.exit_code: int | None = None
        self._faults: DisturbanceStack | None = None
        rows = parameters(use_sim_time=self.get_parameter('use_sim_time').value)
        self._table = ParameterTable(self, rows, validate=self._validate, apply=self._apply, shared=SHARED)
        values = self._table.values
        robot, self._faults = _robot(values)
        self._control_period = robot.spec.control_period
        if robot.caution:
            self.get_logger().warning(robot.caution)
        self._validate(values)
        self._faults.settings = fault_settings(values).disturbances(self._control_period)
        mujoco.set_mju_user_warning(self._on_mujoco_warning)
        self._noise = NoiseUnit(self, self._faults, lambda: _deviation(values))
        self._noise.find_now()
        create_service(self, OWNER, '~/pause', self._on_pause)
        create_service(self, OWNER, '~/reset', self._on_reset)
        self._camera = CameraOutput(self, robot, values, lambda: self._loop.stamp) if values['image.rate_hz'] else None
        self._loop = SimLoop(self, robot, self._faults, self._table, self._look_for_the_end)
        self._report = Report(self, self._loop, Controller(self, values['controller']))
        check_qos_overrides(self)
        self._reported = time.monotonic()
        self.create_timer(REPORT_PERIOD_S, self._on_second, clock=STEADY)
        self.get_logger().info(
            f'{values["env"]}: observation {", ".join(robot.spec.observation_names)}; action '
            f'{", ".join(robot.spec.action_names)}; control period {robot.spec.control_period:g} s, '
            f'physics step {robot.physics_step:g} s'
        )
        if (settings := fault_settings(values)) != FaultSettings():
            self._log_faults(settings)

    def close(self) -> None:
        """Say what the run was, unless the run ended by its duration and it is out."""
        if self.exit_code is None:
            self._report.summary(time.monotonic(), judge=False, line=self._table['summary_line'])
        if self._camera is not None:
            self._camera.close()
        mujoco.set_mju_user_warning(None)

    def _look_for_the_end(self) -> None:
        """End the run when its duration is over, or when nobody commands it for too long."""
        duration, robot = self._table['duration_s'], self._loop.robot
        moved = robot.time - robot.held_time
        abandoned = robot.holding and self._loop.silence > ABANDONED_S
        if self.exit_code is not None or duration == 0 or not (abandoned or moved >= duration - robot.physics_step / 2):
            return
        learning, line = self._table['learning'], self._table['summary_line']
        passed = self._report.summary(time.monotonic(), judge=True, learning=learning, line=line)
        self.exit_code = 0 if passed else 1
        self._loop.clock.give_up()

    def _on_second(self) -> None:
        now = time.monotonic()
        # On a busy machine the EventsExecutor calls a timer twice now and then, and leaves its next call out.
        if self.exit_code is None and now - self._reported > REPORT_PERIOD_S / 2:
            self._reported = now
            self._report.second(now, line=self._table['status_line'])

    def _validate(self, values: Values) -> None:
        _check_times(values)
        settings = fault_settings(values)
        if self._faults is not None:
            self._faults.check(settings.disturbances(self._control_period))

    def _apply(self, values: Values) -> None:
        """Bring the changed parameters into force, with the next control period at the latest."""
        assert self._faults is not None  # nothing is applied before the first spin
        if values['real_time_factor'] != self._loop.pacer.factor:
            self._loop.change_speed(values['real_time_factor'])
        settings = fault_settings(values)
        if (disturbances := settings.disturbances(self._control_period)) != self._faults.settings:
            self._faults.settings = disturbances
            self._noise.find_aside()
            self._log_faults(settings)

    def _on_mujoco_warning(self, text: str) -> None:
        """Log what MuJoCo warns of, seldom: by default each bad step of a simulation that diverges is two lines."""
        words = ' '.join(text.split())
        self.get_logger().warning(f'MuJoCo: {words}', throttle_duration_sec=MUJOCO_WARNING_PERIOD_S)

    def _log_faults(self, settings: FaultSettings) -> None:
        self.get_logger().info(f'faults: {settings}')

    def _on_pause(self, request: Any, response: Any) -> Any:
        self._loop.pause(request.data)
        response.success, response.message = True, 'paused' if request.data else 'running'
        return response

    def _on_reset(self, request: Any, response: Any) -> Any:
        self._loop.reset()
        response.success, response.message = True, 'the episode ends with this control period'
        return response


def _robot(values: Values) -> tuple[SimulatedRobot, DisturbanceStack]:
    robot = SimulatedRobot(_environment(values), max_physics_step=values['physics_step_s'])
    faults = DisturbanceStack(robot.spec.observation_names, *robot.bounds, seeds=[values['seed']])
    robot.reset(values['seed'])
    return robot, faults


def _deviation(values: Values) -> Array:
    """Return the spread of each signal under random commands, found in a simulation of its own."""
    env = _environment(values)
    try:
        return signal_deviation(env, affordable_steps(env))
    finally:
        env.close()


def _environment(values: Values) -> Any:
    options: dict[str, Any] = {} if values['time_limit'] else {'max_episode_steps': -1}
    if values['control_period_s']:
        if not is_robot_file(values['env']):
            raise ConfigError(
                f"parameter 'control_period_s' is {values['control_period_s']:g} s, but '{values['env']}' is not an "
                'MJCF file and has a control period of its own; omit the parameter.'
            )
        options['control_period'] = values['control_period_s']
    return make(values['env'], **options)


def _check_times(values: Values) -> None:
    if -1 < values['command_timeout_s'] < 0:
        raise ConfigError(
            f"parameter 'command_timeout_s' is {values['command_timeout_s']} s; it must be a time of at least 0, or -1 "
            'for ten control periods.'
        )
    if values['real_time_factor'] != 1 and not values['publish_clock']:
        raise ConfigError(
            f"parameter 'real_time_factor' is {values['real_time_factor']:g}; other than 1 it needs publish_clock: "
            'true here and use_sim_time: true at the other nodes, because the stamps leave the system clock.'
        )


def main() -> None:
    """Run sim_node until its duration is over, SIGINT or SIGTERM."""
    sys.exit(run(SimNode))
