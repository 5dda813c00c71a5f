"""The figures of a task in one run of its robot: the task's own score, computed from the episodes so far."""

from typing import Any

from velora_ros.tasks.live_metrics import LiveMetrics
from velora_ros.tasks.scores import readable


def figures_of(task: Any, recording: LiveMetrics, seconds: float) -> dict[str, Any]:
    """
    Return the figures of a run, ready for JSON; empty if there are none yet.

    If each episode has one goal, the current episode does not count, unless it is the only one.

    Args:
        task: the task.
        recording: the recorded metrics of the run.
        seconds: length of the final part of the run that counts [s].
    """
    found = recording.finished() if has_one_goal(task) else None
    found = found or recording.last(seconds)
    return {} if found is None else readable(task.score(found))


def goal_is_reached(task: Any, recording: LiveMetrics) -> bool:
    """Whether the current episode has reached its goal."""
    running = recording.running()
    return running is not None and task.score(running).get('reached') == 1.0


def has_one_goal(task: Any) -> bool:
    """Whether an episode is judged by one goal, and not by commands that change during it."""
    return bool(task.commands) and all(one.every is None for one in task.commands.values())
