"""
Small helpers for all subpackages, one file for each subject. Importing them does not load torch.

``set_seed`` and ``set_device`` are for users: ``from velora_ros.utils import set_seed, set_device``.
"""

from velora_ros.utils.seed_and_device import set_device, set_seed

__all__ = ['set_device', 'set_seed']
