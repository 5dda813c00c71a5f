"""The memory of a replay's rows, and whether it will fit when the replay is full."""

import math

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError
from velora_ros.utils.memory import does_not_fit, free_memory

Array = npt.NDArray[np.float32]


def new_rows(*shape: int) -> Array:
    """
    Return memory for a replay's rows, an array of zeros of this shape; it is occupied only as the replay fills.

    Raises:
        ConfigError: there is not enough memory.
    """
    try:
        return np.zeros(shape, np.float32)
    except (MemoryError, ValueError) as error:  # a ValueError above numpy's largest size
        raise ConfigError(
            f'a replay of {math.prod(shape[:-1])} transitions needs {4 * math.prod(shape) / 2**30:.1f} GiB, more than '
            f'this machine has; lower buffer_size.'
        ) from error


def check_fits(rows: Array, held: int, steps: float) -> None:
    """
    Check that a replay will still fit into memory when it is full, or after ``steps`` more transitions.

    Args:
        rows: the rows of the replay, shape (..., width).
        held: number of transitions that it holds; their memory is already occupied.
        steps: largest number of transitions that will be added.

    Raises:
        ConfigError: the replay will not fit.
    """
    added = min(rows.size // rows.shape[-1] - held, steps)
    if why := does_not_fit(added * rows.shape[-1] * rows.itemsize, free_memory()):
        raise ConfigError(f'the replay will need {why}; lower buffer_size.')
