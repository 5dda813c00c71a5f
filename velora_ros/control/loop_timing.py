"""Measures the timing of a control loop: rate, jitter, latency and input age. The caller passes every time."""

from collections import deque
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TimingReport:
    """
    The timing of a loop in one window; all values are 0 if the loop had no output.

    Args:
        rate_hz: outputs per second [Hz].
        jitter_us: standard deviation of the time between two outputs [us].
        latency_p50_us: median time from input to output [us].
        latency_p99_us: 99th percentile of the time from input to output [us].
        latency_max_us: longest time from input to output [us].
        input_age_ms: median age of the input when it was received [ms].
        samples: number of outputs in the window.
    """

    rate_hz: float = 0.0
    jitter_us: float = 0.0
    latency_p50_us: float = 0.0
    latency_p99_us: float = 0.0
    latency_max_us: float = 0.0
    input_age_ms: float = 0.0
    samples: int = 0


class LoopTiming:
    """
    Collects the times of a loop's outputs for a :class:`TimingReport`.

    Args:
        capacity: maximum number of outputs in a window; if there are more, the newest are kept.
    """

    def __init__(self, capacity: int = 4096) -> None:
        self._samples: deque[tuple[float, float, float]] = deque(maxlen=capacity)

    def add(self, received: float, finished: float, age: float) -> None:
        """
        Add one output.

        Args:
            received: time at which its input was received, on a steady clock [s].
            finished: time at which the output was published, on the same clock [s].
            age: age of the input when it was received [s].
        """
        self._samples.append((received, finished, age))

    def report(self) -> TimingReport:
        """Return the timing since the last report, and start a new window."""
        if not self._samples:
            return TimingReport()
        samples = np.array(self._samples)
        self._samples.clear()
        latency = (samples[:, 1] - samples[:, 0]) * 1e6
        p50, p99, longest = np.percentile(latency, (50, 99, 100)).tolist()
        periods = np.diff(samples[:, 1])
        return TimingReport(
            rate_hz=float(1.0 / periods.mean()) if len(periods) and periods.mean() > 0 else 0.0,
            jitter_us=float(periods.std() * 1e6) if len(periods) else 0.0,
            latency_p50_us=p50,
            latency_p99_us=p99,
            latency_max_us=longest,
            input_age_ms=float(np.median(samples[:, 2]) * 1e3),
            samples=len(samples),
        )
