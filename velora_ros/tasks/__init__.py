"""
Tasks of a robot: observations, actions, rewards and variation in one declaration, for training and for deployment.

This subpackage uses numpy, MuJoCo and gymnasium: no ROS, no torch, no clock.
"""

import gymnasium

from velora_ros.errors import TaskError
from velora_ros.tasks import curriculum, scores
from velora_ros.tasks.mujoco_simulations import Sim
from velora_ros.tasks.task import Task
from velora_ros.tasks.terms import act, command, fail, metrics, observe, reward, vary

# Any task is an environment: velora_ros.gym.make('velora_ros.tasks:Task-v0', task='quadruped').
gymnasium.register('Task-v0', entry_point='velora_ros.tasks.find_task:make_env', disable_env_checker=True)

__all__ = [
    'Sim',
    'Task',
    'TaskError',
    'act',
    'command',
    'curriculum',
    'fail',
    'metrics',
    'observe',
    'reward',
    'scores',
    'vary',
]
