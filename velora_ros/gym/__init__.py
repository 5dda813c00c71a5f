"""Environments: making them, describing them as a policy's spec, and wrappers that make training harder on purpose."""

from velora_ros.gym.checks import check_env
from velora_ros.gym.core import add_core_env_wrappers
from velora_ros.gym.naming import control_period_of, spec_from_env

__all__ = ['add_core_env_wrappers', 'check_env', 'control_period_of', 'spec_from_env']
