"""The figures by which a task's policies are compared, computed from a recording of many episodes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from velora_ros.tasks.record_episodes import Recording

Figures = dict[str, Any]
Score = Callable[[Recording], Figures]


def means(recording: Recording) -> Figures:
    """Return the mean of each metric, and the number of simulations that failed."""
    found = {name: recording.mean(name) for name, values in recording.metrics.items() if values.ndim == 2}
    return {**found, 'failed': int(recording.failed.sum())}


def walking(recording: Recording) -> Figures:
    """
    Return how well a legged robot follows a twist and how it walks; for :func:`velora_ros.tasks.terms.metrics.walking`.

    ``tracking``, ``yaw_tracking`` and ``moving_tracking`` (only commands other than zero) are measured from 0.5 s after
    each change of command and each push; with the prefix ``raw_`` they are means over all steps. ``falls`` counts the
    simulations that failed.

    ``air_times_s`` are the median air times of the feet, and ``air_time_s`` is the shortest of them. ``slip_m_s`` is
    the mean speed of feet in contact, ``action_change`` the mean |change of action|, ``at_limit`` the share of torques
    at their limit.
    """
    metrics, alive = recording.metrics, recording.alive
    settled, moving = metrics['settled'] > 0, metrics['moving'] > 0
    contact = (metrics['contact'] > 0) & alive[:, :, None]
    walked = alive & moving
    air_times = [_median(metrics['air_time'][:, :, foot][walked]) for foot in range(contact.shape[2])]
    return {
        'tracking': recording.mean('tracking', settled),
        'yaw_tracking': recording.mean('yaw_tracking', settled),
        'moving_tracking': recording.mean('tracking', settled & moving),
        'moving_yaw_tracking': recording.mean('yaw_tracking', settled & moving),
        'falls': int(recording.failed.sum()),
        'air_time_s': min(air_times),
        'air_times_s': air_times,
        'slip_m_s': float(metrics['foot_speed'][contact].mean()) if contact.any() else float('nan'),
        'action_change': recording.mean('action_change'),
        'at_limit': recording.mean('at_limit'),
        'raw_tracking': recording.mean('tracking'),
        'raw_yaw_tracking': recording.mean('yaw_tracking'),
        'raw_moving_tracking': recording.mean('tracking', moving),
    }


def reaching(within: float, after: float) -> Score:
    """
    Return a score for tasks with a goal, from the metric ``distance``.

    ``reached`` is the share of simulations that stay within a distance of the goal from a given time to the end,
    ``error_m`` the median distance at the end.

    Args:
        within: the distance [m].
        after: the time [s].
    """

    def score(recording: Recording) -> Figures:
        distance = recording.metrics['distance']
        first = max(0, round(after / recording.period) - 1)
        late = distance[first:]
        last = distance[recording.lengths - 1, np.arange(distance.shape[1])]
        reached = (late <= within).all(axis=0) & (recording.lengths > first) & ~recording.failed
        return {
            'reached': float(reached.mean()),
            'error_m': float(np.median(last)),
            'failed': int(recording.failed.sum()),
        }

    return score


def readable(value: Any) -> Any:
    """Return figures ready for JSON, rounded to 4 decimals; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {name: readable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [readable(one) for one in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 4) if np.isfinite(value) else None
    return value


def _median(air_times: np.ndarray) -> float:
    """Return the median of the air times of landings, 0 if a foot never landed."""
    landed = air_times[air_times > 0]
    return float(np.median(landed)) if len(landed) else 0.0
