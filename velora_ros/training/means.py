"""Means of what the updates report."""


class Means:
    """Running means of an episode's metrics, by name; NaN where there were none."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, metrics: dict[str, float] | None) -> None:
        """Add the metrics of one update; None: there was none."""
        if metrics is None:
            return
        self._count += 1
        for name, value in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def mean(self, name: str) -> float:
        """Return the mean of one metric."""
        return self._sums[name] / self._count if self._count and name in self._sums else float('nan')
