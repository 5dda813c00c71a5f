"""Makes the simulated robot that the parameters of sim_node describe, and measures its signals' standard deviations."""

from typing import Any

import numpy as np

from velora_ros.errors import ConfigError
from velora_ros.gym import make, signal_deviation
from velora_ros.gym.disturbances.disturb_arrays import DisturbanceStack
from velora_ros.gym.disturbances.signal_deviation import affordable_steps
from velora_ros.gym.read_robot_file import is_robot_file
from velora_ros.gym.simulated_robot import SimulatedRobot
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.sim.gym_robot_messages import EnvironmentMessages
from velora_ros.nodes.sim.robot_protocol import Array, Robot
from velora_ros.nodes.sim.state_publisher import StateMessages
from velora_ros.nodes.sim.task_robot_messages import TaskMessages
from velora_ros.tasks.find_task import find
from velora_ros.tasks.task_robot import TaskRobot

RANDOM_PERIODS = 500
"""Number of control periods with random commands in which the signals of a task's robot are measured."""


def make_robot(values: Values) -> Robot:
    """
    Return the robot of the parameter ``task``, or of ``env`` if ``task`` is empty, in its first initial state.

    Raises:
        ConfigError: parameters contradict each other.
        UnsupportedEnvironmentError: there is no such environment, or it cannot be made.
        TaskError: there is no such task, or its robot cannot start as ``start`` demands.
    """
    if values['task']:
        return _task_robot(values, start=values['start'], randomise=values['randomise'])
    robot = SimulatedRobot(make_environment(values), max_physics_step=values['physics_step_s'])
    robot.reset(values['seed'])
    return robot


def make_environment(values: Values) -> Any:
    """
    Return the environment ``env``; the caller closes it.

    Raises:
        ConfigError: a control period is given for an environment that has its own.
        UnsupportedEnvironmentError: there is no such environment, or it cannot be made.
    """
    options: dict[str, Any] = {} if values['time_limit'] else {'max_episode_steps': -1}
    if values['control_period_s']:
        if not is_robot_file(values['env']):
            raise ConfigError(
                f"parameter 'control_period_s' is {values['control_period_s']:g} s, but the environment "
                f"'{values['env']}' has its own control period, because it is not an MJCF file; omit the parameter."
            )
        options['control_period'] = values['control_period_s']
    return make(values['env'], **options)


def make_messages(robot: Robot, faults: DisturbanceStack, values: Values) -> StateMessages:
    """Return the object that reads the sensors of a robot into messages."""
    if isinstance(robot, TaskRobot):
        return TaskMessages(robot, faults, values)
    assert isinstance(robot, SimulatedRobot)
    return EnvironmentMessages(robot, faults, values)


def describe(robot: Robot) -> str:
    """Return a description of a robot's observations, for the log."""
    if isinstance(robot, TaskRobot):
        count = len(robot.sensors.joint_names)
        laser = '' if robot.sensors.laser is None else ', laser'
        return f'{count} joints{", inertial sensor, odometry" if robot.sensors.has_base else ""}{laser}'
    return f'observation {", ".join(robot.spec.observation_names)}'


def measure_deviation(values: Values) -> Array:
    """Return the standard deviation of each signal under random commands, shape (signals,), from a second robot."""
    if values['task']:
        return _deviation_of_task(_task_robot(values), values['seed'])
    env = make_environment(values)
    try:
        return signal_deviation(env, affordable_steps(env))
    finally:
        env.close()


def _task_robot(values: Values, *, start: str = 'standing', randomise: bool = False) -> TaskRobot:
    task, limit = find(values['task']), values['time_limit']
    return TaskRobot(task, seed=values['seed'], randomise=randomise, start=start, time_limit=limit)


def _deviation_of_task(robot: TaskRobot, seed: int) -> Array:
    """Command random actions, and return the standard deviation of each sensor signal, shape (signals,)."""
    rng = np.random.default_rng(seed)
    drive = robot.episodes.drive
    rows = []
    for _ in range(RANDOM_PERIODS):
        drive.apply(rng.uniform(-1, 1, (1, robot.spec.action_dim)))
        robot.release()
        period = None
        while period is None:
            period = robot.advance()
        rows.append(robot.sensors.read(held=False))
        if period.terminated:
            robot.reset()
    found: Array = np.array(rows).std(axis=0)
    return found
