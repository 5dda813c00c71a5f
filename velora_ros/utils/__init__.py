"""
Small helpers that every room may use, a file for each subject. Importing them loads no torch.

``set_seed`` and ``set_device`` are for users: ``from velora_ros.utils import set_seed, set_device``.
"""

from velora_ros.utils.seed_and_device import set_device, set_seed

__all__ = ['set_device', 'set_seed']
