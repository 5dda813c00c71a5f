"""The normaliser of observations and of critics' states: frozen once, after the start-up steps."""

import numpy as np
import torch
from torch import Tensor, nn

SMALLEST_DEVIATION = 1e-2
"""Lower bound of the normaliser's divisor, so that a nearly constant entry is not amplified."""


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
        """Whether it was set; it is never set to the identity."""
        return bool((self.offset != 0).any() or (self.scale != 1).any())

    def freeze(self, samples: np.ndarray, limit: float = 0.0) -> None:
        """
        Set offset and scale from the mean and standard deviation of samples, shape (n, size).

        Args:
            samples: observations of the start-up steps.
            limit: as of :func:`divisors`.
        """
        self.offset.copy_(torch.as_tensor(samples.mean(axis=0)))
        self.scale.copy_(torch.as_tensor(1 / divisors(samples, limit)))

    def forward(self, values: Tensor) -> Tensor:
        """Normalise values, shape (..., size)."""
        return (values - self.offset) * self.scale


def divisors(samples: np.ndarray, limit: float = 0.0) -> np.ndarray:
    """
    Return what each entry is divided by: its standard deviation, or more where that would make large numbers.

    Entries that a random start-up hardly shows, for example contact forces, have a tiny deviation, and would be
    amplified a hundred times as soon as the policy shows them.

    Args:
        samples: shape (n, size).
        limit: no sample becomes larger than this, and entries without any deviation are not scaled; 0: no limit.
    """
    divisor: np.ndarray = np.maximum(samples.std(axis=0), SMALLEST_DEVIATION)
    if limit == 0:
        return divisor
    farthest = np.abs(samples - samples.mean(axis=0)).max(axis=0)
    limited: np.ndarray = np.where(farthest == 0, 1.0, np.maximum(divisor, farthest / limit)).astype(samples.dtype)
    return limited
