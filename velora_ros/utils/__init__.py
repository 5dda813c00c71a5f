"""
Small helpers that every room may use, a file for each subject. Importing them loads no torch.

``set_seed`` and ``set_device`` are for users: ``from velora_ros.utils import set_seed, set_device``.
"""

from velora_ros.utils.atomic_files import atomic_write, check_writable
from velora_ros.utils.dependencies import EXTRAS, how_to_install
from velora_ros.utils.output import forget_unwritten, write_line
from velora_ros.utils.seed_and_device import set_device, set_seed
from velora_ros.utils.shipped_files import PACKAGE, share_path
from velora_ros.utils.slow_steps import listen_to_slow_steps, slow_step
from velora_ros.utils.termination_signals import ending_signals

__all__ = [
    'EXTRAS', 'PACKAGE', 'atomic_write', 'check_writable', 'ending_signals', 'forget_unwritten', 'how_to_install',
    'listen_to_slow_steps', 'set_device', 'set_seed', 'share_path', 'slow_step', 'write_line',
]  # fmt: skip
