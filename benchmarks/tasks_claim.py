"""
What training runs of tasks reached, for docs/results.md: evaluates their policies and writes a row for each.

    velora_ros train --task quadruped --seed 100 --run-dir runs/q100
    python benchmarks/tasks_claim.py runs/q100        # rows in benchmarks/results/tasks.csv
    make results

Each policy is judged undisturbed and with all variation, in as many episodes as `make bench-tasks` judges the shipped
policies. A run that is in the table already is judged again, and its rows are replaced.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

from tasks import EPISODES

from velora_ros.policy import PolicyFile
from velora_ros.policy.many_policies import ManyPolicies
from velora_ros.tasks.find_task import find
from velora_ros.tasks.record_episodes import record
from velora_ros.tasks.scores import readable
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.paths import RunPaths

TABLE = Path(__file__).parent / 'results' / 'tasks.csv'
COLUMNS = ('task', 'seed', 'disturbed', 'steps', 'seconds', 'episodes', 'figures', 'flags')
EVALUATION_SEED = 1


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """Return the two rows of a run: undisturbed, and with all variation."""
    run = RunPaths(folder)
    config = RunConfig.load(run.config)
    name, task = config.env_args['task'], find(config.env_args['task'])
    policy = run.best_policy if config.hyperparameters.eval_every else run.last_policy
    with run.episodes.open(newline='') as file:
        last = list(csv.DictReader(file))[-1]
    rows = []
    for disturbed in (False, True):
        episodes, seconds = EPISODES[robot_of(name)]
        env = task.make_vec(episodes, undisturbed=not disturbed)
        act = ManyPolicies(PolicyFile.load(policy), episodes).step
        figures = readable(task.score(record(env, act, seed=EVALUATION_SEED, seconds=seconds)))
        values = (name, config.seed, disturbed, last['steps'], round(float(last['seconds'])), episodes)
        rows.append(dict(zip(COLUMNS, (*values, json.dumps(figures), config.flags or ''), strict=True)))
        print(json.dumps(rows[-1]), flush=True)
    return rows


def robot_of(task: str) -> str:
    """Return a task's included robot: of ``rover``, or of a variant such as ``FOLDER/FILE.py:ROVER``."""
    return task.rpartition(':')[2].lower()


def read() -> list[dict[str, Any]]:
    """Return the rows so far; their values are text."""
    return list(csv.DictReader(TABLE.read_text().splitlines())) if TABLE.exists() else []


def write(rows: list[dict[str, Any]]) -> None:
    """Add rows to the table, and remove the rows that they replace."""
    replaced = {(row['task'], str(row['seed']), row['flags']) for row in rows}
    kept = [row for row in read() if (row['task'], row['seed'], row['flags']) not in replaced]
    with TABLE.open('w', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
        writer.writeheader()
        writer.writerows(sorted([*kept, *rows], key=lambda row: (row['task'], int(row['seed']))))


def main() -> None:
    """Judge the runs in the given folders."""
    for folder in sys.argv[1:]:
        write(rows_of(Path(folder)))


if __name__ == '__main__':
    main()
