"""The normaliser of observations and of critics' states: frozen once, after the start-up steps."""

import numpy as np
import torch
from torch import Tensor, nn


class Normaliser(nn.Module):
    """
    A fixed affine map x = (o - offset) * scale; the identity until :meth:`freeze` sets it once.

    There are no running statistics: they would change the meaning of the observations in the replay.

    Args:
        size: entries of the vector.
    """

    offset: Tensor
    scale: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer('offset', torch.zeros(size))
        self.register_buffer('scale', torch.ones(size))

    @property
    def frozen(self) -> bool:
        """Whether the statistics were set; False while the map is the identity."""
        return bool((self.offset != 0).any() or (self.scale != 1).any())

    def freeze(self, samples: np.ndarray, least: float = 0.01, limit: float = 0.0) -> None:
        """
        Set offset and scale from the mean and standard deviation of samples, shape (n, size).

        Args:
            samples: observations of the start-up steps.
            least: see :func:`divisors`.
            limit: see :func:`divisors`.
        """
        self.offset.copy_(torch.as_tensor(samples.mean(axis=0)))
        self.scale.copy_(torch.as_tensor(1 / divisors(samples, least, limit)))

    def forward(self, values: Tensor) -> Tensor:
        """Normalise values, shape (..., size)."""
        return (values - self.offset) * self.scale


def divisors(samples: np.ndarray, least: float, limit: float = 0.0) -> np.ndarray:
    """
    Return the divisor of each entry: its standard deviation, or more where normalised values would become large.

    A random start-up shows little of what happens later: a robot that falls immediately hardly moves its joints, and
    contact forces are rare. Such entries have tiny deviations and would later be amplified ten to a hundred times.

    Args:
        samples: shape (n, size).
        least: smallest divisor, in the units of the observation.
        limit: no sample becomes larger than this, and entries without any deviation are not scaled; 0: no limit.
    """
    divisor: np.ndarray = np.maximum(samples.std(axis=0), least)
    if limit == 0:
        return divisor
    farthest = np.abs(samples - samples.mean(axis=0)).max(axis=0)
    constant = samples.min(axis=0) == samples.max(axis=0)  # rounding: the mean of equal numbers may differ from them
    limited: np.ndarray = np.where(constant, 1.0, np.maximum(divisor, farthest / limit)).astype(samples.dtype)
    return limited
