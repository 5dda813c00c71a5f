"""Environments: making them, describing them as a policy's spec, and wrappers that make training harder on purpose."""

from velora_ros.gym.checks import check_env, check_reward
from velora_ros.gym.core_wrappers import add_core_env_wrappers
from velora_ros.gym.disturbances.observation_noise import ActionDelay, ObservationNoise, signal_deviation
from velora_ros.gym.disturbances.partial_observation import PartialObservation
from velora_ros.gym.disturbances.sensor_faults import add_faults
from velora_ros.gym.disturbances.stack import FaultSettings
from velora_ros.gym.disturbances.timing_jitter import TimingJitter
from velora_ros.gym.disturbances.wrap_env import Disturbances, disturb
from velora_ros.gym.env_to_spec import control_period_of, spec_from_env
from velora_ros.gym.flattening import NamedFlatten, flat
from velora_ros.gym.make_env import make
from velora_ros.gym.running_statistics import check_statistics

__all__ = [
    'ActionDelay',
    'Disturbances',
    'FaultSettings',
    'NamedFlatten',
    'ObservationNoise',
    'PartialObservation',
    'TimingJitter',
    'add_core_env_wrappers',
    'add_faults',
    'check_env',
    'check_reward',
    'check_statistics',
    'control_period_of',
    'disturb',
    'flat',
    'make',
    'signal_deviation',
    'spec_from_env',
]
