"""Decides whether a run on a simulated robot passed, and gives the reasons if it did not."""

from typing import Any

# A run passes if it is within these limits and the robot does not fall.
REAL_TIME_FACTOR = (0.99, 1.01)
ANSWERED = 0.99
LONGEST_HOLD_S = 5.0
# The first policy from a trainer takes longer, because torch must be loaded.
LONGEST_HOLD_LEARNING_S = 30.0
# Limits for a task's figures. With faults, and in the last minute of a learning run, they are lower.
LEAST = {'tracking': 0.88, 'reached': 0.8}
LEAST_WITH_FAULTS = {'tracking': 0.8, 'reached': 0.7}
LEAST_LEARNING = {'tracking': 0.75, 'reached': 0.6}


def failures(summary: dict[str, Any], *, learning: bool = False) -> list[str]:
    """
    Return why a run did not pass, one sentence each; empty if it passed.

    Args:
        summary: the result of :meth:`velora_ros.control.run_summary.RunStatistics.summary`.
        learning: whether the controller was learning, so that only the falls of the last minute count.
    """
    low, high = (bound * summary['real_time_factor_asked'] for bound in REAL_TIME_FACTOR)
    due, commands = summary['due'], summary['commands']
    reasons = []
    if not low <= summary['real_time_factor'] <= high:
        reasons.append(f'the real-time factor was {summary["real_time_factor"]:.4f}, outside {low:.5g} to {high:.5g}')
    if commands == 0:
        reasons.append('no command arrived; check that policy_node is running, active and armed')
    elif commands < ANSWERED * due:
        reasons.append(f'only {commands} of {due} states were answered with a command, fewer than {ANSWERED:.0%}')
    if summary['longest_hold_s'] > (longest := LONGEST_HOLD_LEARNING_S if learning else LONGEST_HOLD_S):
        reasons.append(f'the robot waited {summary["longest_hold_s"]:.1f} s for a command, more than {longest:g} s')
    if learning and summary['falls_last_minute']:
        reasons.append(f'falls of the robot in the last minute: {summary["falls_last_minute"]}')
    if summary['falls'] and not learning:
        reasons.append(f'falls of the robot after the first command: {summary["falls"]}')
    return reasons + _missed_figures(summary, learning=learning)


def _missed_figures(summary: dict[str, Any], *, learning: bool) -> list[str]:
    """Return one sentence for each figure of a task that is too low; figures without measurements do not count."""
    least = LEAST_LEARNING if learning else LEAST_WITH_FAULTS if summary.get('faults') else LEAST
    figures = summary.get('last_minute', {}) if learning else summary
    when = ' in the last minute' if learning else ''
    return [
        f"the task's figure '{name}' was {figures[name]:.3f}{when}, less than {bound:g}"
        for name, bound in least.items()
        if figures.get(name) is not None and figures[name] < bound and figures.get('goals') != 0
    ]
