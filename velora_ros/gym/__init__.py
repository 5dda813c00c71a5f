"""Environments: make, check and describe them, and add the disturbances of a real robot."""

from velora_ros.contract.joint_signals import Signal
from velora_ros.gym.check_spaces import check_env, check_reward
from velora_ros.gym.control_period import control_period_of
from velora_ros.gym.core_wrappers import add_core_env_wrappers
from velora_ros.gym.disturbances.action_delay import ActionDelay
from velora_ros.gym.disturbances.disturb_env import add_faults, disturb
from velora_ros.gym.disturbances.disturbance_settings import Disturbances, FaultSettings
from velora_ros.gym.disturbances.observation_noise import ObservationNoise
from velora_ros.gym.disturbances.partial_observation import PartialObservation
from velora_ros.gym.disturbances.signal_deviation import signal_deviation
from velora_ros.gym.disturbances.timing_jitter import TimingJitter
from velora_ros.gym.env_to_spec import spec_from_env
from velora_ros.gym.find_normalising_wrappers import check_statistics
from velora_ros.gym.flattening import NamedFlatten, flat
from velora_ros.gym.make_env import make

__all__ = [
    'ActionDelay',
    'Disturbances',
    'FaultSettings',
    'NamedFlatten',
    'ObservationNoise',
    'PartialObservation',
    'Signal',
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
