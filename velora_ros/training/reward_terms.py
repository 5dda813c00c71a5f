"""The reward terms and metrics that a task reports in its infos: their means between two records."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

KINDS = {'terms': 'reward', 'metrics': 'metrics'}
"""Entries of the infos, and the prefix that the names in them get."""
_COUNT = 'count'


class TermMeans:
    """
    Sums over steps of ``infos['terms']`` and ``infos['metrics']``; empty for environments that report neither.

    A weighted term is called ``reward/<term>``, a metric ``metrics/<metric>``.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Array] = {}
        self._count = 0

    def add(self, info: Mapping[str, Any]) -> None:
        """Add the report of one step, from one environment or from all streams of a vector."""
        if not isinstance(info.get('terms'), Mapping):
            return
        self._count += 1
        for kind, prefix in KINDS.items():
            for name, values in info.get(kind, {}).items():
                key, numbers = f'{prefix}/{name}', np.asarray(values)
                known = self._sums.get(key)
                if known is not None and known.shape == numbers.shape:
                    known += numbers
                elif known is None and numbers.dtype.kind in 'fiub':
                    self._sums[key] = numbers.astype(np.float64)

    def take(self) -> dict[str, float]:
        """Return the means per step, over all streams, and start over."""
        means = {name: float(total.mean()) / self._count for name, total in sorted(self._sums.items())}
        self._sums, self._count = {}, 0
        return means

    def state(self) -> dict[str, Array]:
        """Return the sums and the number of steps for :meth:`restore`."""
        if not self._count:
            return {}
        return {_COUNT: np.array(self._count, np.float64), **{name: one.copy() for name, one in self._sums.items()}}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from the output of :meth:`state`."""
        self._count = int(state.get(_COUNT, 0))
        self._sums = {name: one.copy() for name, one in state.items() if name != _COUNT}
