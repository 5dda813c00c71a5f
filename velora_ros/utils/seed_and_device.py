"""Seed the random generators and choose the device to compute on: ``set_seed`` and ``set_device``."""

import random
from typing import TYPE_CHECKING, Any

import numpy as np

from velora_ros.errors import ConfigError, MissingDependencyError
from velora_ros.utils.dependencies import how_to_install

if TYPE_CHECKING:
    import torch


def set_seed(value: int) -> None:
    """
    Seed Python's, numpy's and torch's global random generators.

    Args:
        value: the seed, 0 to 2**32 - 1.

    Raises:
        ConfigError: the seed is not an integer in that range.
        MissingDependencyError: torch is not installed.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value < 2**32:
        raise ConfigError(f'the seed is {value!r}; it must be an integer from 0 to {2**32 - 1}.')
    random.seed(int(value))
    np.random.seed(int(value))  # noqa: NPY002 - user code and gymnasium environments may draw from the global generator
    _import_torch().manual_seed(int(value))


def set_device(device: 'str | torch.device' = 'auto') -> 'torch.device':
    """
    Return the torch device to compute on.

    Args:
        device: ``auto`` (``cuda:0`` if this machine has it, otherwise ``cpu``), a device's name, or a torch device.

    Raises:
        ConfigError: there is no such torch device, or this machine does not have it; the message lists what it has.
        MissingDependencyError: torch is not installed.
    """
    library = _import_torch()
    count = library.cuda.device_count() if library.cuda.is_available() else 0
    if isinstance(device, str) and device == 'auto':
        device = 'cuda:0' if count else 'cpu'
    try:
        chosen: torch.device = library.device(device)
    except (RuntimeError, TypeError, ValueError, AttributeError):
        raise ConfigError(f'the device is {device!r}, which is not a torch device; {_valid_devices(count)}') from None
    if chosen.type not in ('cpu', 'cuda'):
        raise ConfigError(
            f"the device is '{device}', but training runs only on the CPU or with CUDA; {_valid_devices(count)}"
        )
    if (chosen.index or 0) >= (count if chosen.type == 'cuda' else 1):
        number = {0: 'no CUDA device', 1: 'one CUDA device'}.get(count, f'{count} CUDA devices')
        missing = f'torch sees {number} here' if chosen.type == 'cuda' else 'the CPU is a single device'
        raise ConfigError(f"the device is '{device}', but {missing}; {_valid_devices(count)}")
    return chosen


def _valid_devices(n_cuda: int) -> str:
    """Return the end of a sentence that lists the devices of this machine."""
    names = ["'auto'", "'cpu'", *(["'cuda'"] if n_cuda else []), *(f"'cuda:{number}'" for number in range(n_cuda))]
    return f'the valid devices here are {", ".join(names)}.'


def _import_torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError(
            f'torch is not installed and training needs it. {how_to_install("train")}'
        ) from error
    return torch
