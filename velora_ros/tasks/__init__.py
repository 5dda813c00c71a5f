"""
Tasks of a robot: what it reads, does and wants, and what varies, as one declaration that trains and deploys.

The room knows numpy, MuJoCo and gymnasium: no ROS, no torch, no clock.
"""

from velora_ros.errors import TaskError
from velora_ros.tasks import act, command, fail, metrics, observe, reward, scores, vary
from velora_ros.tasks.sim import Sim
from velora_ros.tasks.task import Task

__all__ = ['Sim', 'Task', 'TaskError', 'act', 'command', 'fail', 'metrics', 'observe', 'reward', 'scores', 'vary']
