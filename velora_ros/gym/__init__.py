"""Environments: making them, describing them as a policy's spec, and wrappers that make training harder on purpose."""

from velora_ros.gym.checks import check_env, check_reward
from velora_ros.gym.core import add_core_env_wrappers
from velora_ros.gym.disturb import Disturbances, disturb
from velora_ros.gym.disturbances import ActionDelay, ObservationNoise, signal_deviation
from velora_ros.gym.faults import FaultSettings
from velora_ros.gym.faulty import add_faults
from velora_ros.gym.flattening import NamedFlatten, flat
from velora_ros.gym.making import make
from velora_ros.gym.naming import control_period_of, spec_from_env
from velora_ros.gym.partial import PartialObservation
from velora_ros.gym.statistics import check_statistics
from velora_ros.gym.timing import TimingJitter

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
