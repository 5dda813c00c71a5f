"""``velora_ros evaluate FILE --task TASK``: run a policy in many simulations at once and print the task's figures."""

import argparse
import json
import math
from typing import Any

import numpy as np

from velora_ros.cli.play import check_fits
from velora_ros.policy.many_policies import ManyPolicies
from velora_ros.policy.policy_file import PolicyFile
from velora_ros.utils.output import write_line


def run(arguments: argparse.Namespace) -> None:
    """
    Evaluate a policy: one simulation for each requested episode.

    Raises:
        VeloraError: the policy cannot be read, there is no such task, or they do not fit each other.
    """
    from velora_ros.tasks.find_task import find  # noqa: PLC0415
    from velora_ros.tasks.record_episodes import record  # noqa: PLC0415 - MuJoCo takes a moment to load

    file, task = PolicyFile.load(arguments.file), find(arguments.task)
    check_fits(file.spec, task.policy_spec, arguments.task)
    env = task.make_vec(arguments.episodes, undisturbed=arguments.undisturbed)
    policies = ManyPolicies(file, arguments.episodes)

    def act(observations: Any) -> Any:
        seconds = env.episodes.durations  # None where all periods are equal
        elapsed = None if seconds is None else np.clip(seconds[:, None], *file.dt_range)
        return policies.step(observations, 1.0 if elapsed is None else elapsed / file.spec.control_period)

    recording = record(env, act, seed=arguments.seed, seconds=arguments.seconds)
    returns = recording.returns
    report = {
        'event': 'evaluation',
        'policy': arguments.file,
        'digest': file.digest,
        'task': arguments.task,
        'seed': arguments.seed,
        'undisturbed': arguments.undisturbed,
        'episodes': len(returns),
        'seconds': len(recording.alive) * recording.period,
        'mean': float(returns.mean()),
        'std': float(returns.std()),
        'min': float(returns.min()),
        'max': float(returns.max()),
        'failures': {name: int(mask.sum()) for name, mask in recording.failures.items()},
        **task.score(recording),
    }
    write_line(json.dumps(_json(report)) if arguments.json else text(report))


def text(report: dict[str, Any]) -> str:
    """Return the report as text."""
    how = 'undisturbed' if report['undisturbed'] else 'with its variation'
    head = (
        f'{report["policy"]} ({report["digest"][:12]}) in {report["task"]}, {how}: {report["episodes"]} episodes of '
        f'at most {report["seconds"]:g} s, seed {report["seed"]}'
    )
    skipped = ('event', 'policy', 'digest', 'task', 'seed', 'undisturbed', 'episodes', 'seconds', 'failures')
    rows = [f'  {name:20} {_shown(value)}' for name, value in report.items() if name not in skipped]
    rows += [f'  failed by {name:10} {count}' for name, count in report['failures'].items() if count]
    return '\n'.join([head, *rows])


def _shown(value: Any) -> str:
    return ' '.join(f'{one:.4g}' for one in value) if isinstance(value, list) else f'{value:.4g}'


def _json(value: Any) -> Any:
    """Return a value in which None replaces NaN and infinity, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_json(one) for one in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
