"""
Learning curves of one preset, or of the recipe, over several seeds, as a CSV with a row for each seed and evaluation.

    python benchmarks/learning.py TASK [--seeds 100-109] [--steps N] [--jobs 1] [--out FILE] [--set name=value ...]

An interrupted run continues with the missing seeds, and repeats a seed that was cut short.
Seeds 0-9 are for tuning, 100-109 for claims: one run, every seed shown. Protocol: deterministic evaluations of the
current actor every 500 steps, in 10 episodes with seeds that training does not use; with the recipe every 10,000 steps
where the budget is 300,000 (use --seeds 100-102), and the mean of the last three counts. Evaluations do not affect
training.
"""

import argparse
import csv
import functools
import json
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import yaml

from velora_ros.gym import PartialObservation
from velora_ros.models import LiquidDDPG
from velora_ros.policy import PolicyFile
from velora_ros.training import Callback, EvaluationRecord, TrainConfig
from velora_ros.training.presets import preset_path, read_yaml
from velora_ros.training.recipe import recipe

RESULTS = Path(__file__).parent / 'results'
COLUMNS = ['task', 'seed', 'steps', 'episode', 'seconds', 'mean', 'std', 'min', 'max', 'episodes', 'settings']
UNLIMITED = 10**9


@dataclass(frozen=True)
class Task:
    """A task: the environment, the budget, the return that counts as solved, and the changes to the preset."""

    env: str
    steps: int
    solved: float
    changes: dict[str, Any]
    preset: bool = True
    recipe: bool = False
    wrap: Callable[[gymnasium.Env[Any, Any]], gymnasium.Env[Any, Any]] | None = None


def by_recipe(env: str, target: float, steps: int = 300_000, eval_every: int = 10_000, eval_episodes: int = 10) -> Task:
    """Return a task for the recipe, the one configuration for every environment."""
    return Task(env, steps, target, {'eval_every': eval_every, 'eval_episodes': eval_episodes}, recipe=True)


WITHOUT_HELP = functools.partial(PartialObservation, privileged=False)

TASKS = {
    'inverted_pendulum': Task('InvertedPendulum-v5', 50_000, 950, {}),
    'positions_privileged': Task(  # the actor sees positions alone, the critic everything
        'InvertedPendulum-v5', 30_000, 950, {}, wrap=PartialObservation
    ),
    'positions_privileged_mlp': Task(  # the control: an actor without memory
        'InvertedPendulum-v5', 30_000, 950, {'cell': 'mlp'}, wrap=PartialObservation
    ),
    'positions': Task(  # neither sees velocities; the critic has a memory of its own
        'InvertedPendulum-v5', 30_000, 950, {'critic_neurons': 20}, wrap=WITHOUT_HELP
    ),
    'positions_mlp': Task('InvertedPendulum-v5', 30_000, 950, {'critic_neurons': 20, 'cell': 'mlp'}, wrap=WITHOUT_HELP),
    'example': Task(  # the published example: signature defaults, 100 episodes
        'InvertedPendulum-v5', UNLIMITED, 950, {'n_episodes': 100, 'eval_every': 500}, preset=False
    ),
    'inverted_double_pendulum': Task('InvertedDoublePendulum-v5', 100_000, 9100, {}),
    'reacher': Task('Reacher-v5', 200_000, -3.75, {'eval_every': 5000, 'eval_episodes': 100}),
    'swimmer': Task('Swimmer-v5', 300_000, 340, {'eval_every': 5000}),
    'half_cheetah': Task('HalfCheetah-v5', 300_000, 4800, {'eval_every': 10_000}),
    'recipe_hopper': by_recipe('Hopper-v5', 2600),
    'recipe_walker2d': by_recipe('Walker2d-v5', 4000),
    'recipe_half_cheetah': by_recipe('HalfCheetah-v5', 9000),
    'recipe_ant': by_recipe('Ant-v5', 3500),
    'recipe_pusher': by_recipe('Pusher-v5', -30),
    'recipe_swimmer': by_recipe('Swimmer-v5', 340),
    'recipe_humanoid': by_recipe('Humanoid-v5', 3000),
    'recipe_inverted_pendulum': by_recipe('InvertedPendulum-v5', 950, 30_000, 500),
    'recipe_inverted_double_pendulum': by_recipe('InvertedDoublePendulum-v5', 9100, 40_000, 500),
    'recipe_reacher': by_recipe('Reacher-v5', -3.9, 200_000, eval_episodes=100),  # ten goals differ too much
}


class Rows(Callback):
    """Collects the rows of one seed."""

    def __init__(self, task: str, seed: int, settings: str) -> None:
        self.task, self.seed, self.settings = task, seed, settings
        self.rows: list[list[Any]] = []

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Record one evaluation."""
        self.rows.append(row_of(self.task, self.seed, record, self.settings))


def row_of(task: str, seed: int, record: EvaluationRecord, settings: str) -> list[Any]:
    """Return an evaluation as a row of the CSV."""
    result = record.result
    spread = [round(x, 4) for x in (result.mean, result.std, min(result.returns), max(result.returns))]
    times = [record.steps, record.episode, round(record.seconds, 2)]
    return [task, seed, *times, *spread, len(result.returns), settings]


def table_of(rows: list[list[Any]]) -> list[dict[str, Any]]:
    """Return rows by the names of their columns."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def seeds_of(text: str) -> range:
    """Return the seeds for a text like `100-109` or `100`."""
    first, _, last = text.partition('-')
    return range(int(first), int(last or first) + 1)


def configuration(task: Task, changes: dict[str, Any]) -> TrainConfig:
    """Return the preset of the task's environment, or the recipe, with the task's and the caller's changes."""
    if task.recipe:
        values = recipe(task.env)
    elif task.preset:
        values = read_yaml(preset_path(task.env, 'tuned'))
    else:
        values = {}
    return TrainConfig.from_dict({**values, 'n_episodes': UNLIMITED, **task.changes, **changes})


def learn(arguments: tuple[str, int, int, dict[str, Any]]) -> list[list[Any]]:
    """Train one seed and return its rows, one for each evaluation."""
    name, seed, steps, changes = arguments
    task = TASKS[name]
    config = configuration(task, changes)
    wrap = task.wrap or (lambda env: env)
    env, eval_env = (wrap(gymnasium.make(task.env)) for _ in range(2))
    agent = config.agent_arguments()
    model = LiquidDDPG(
        env.observation_space.shape[0], agent.pop('n_neurons'), env.action_space.shape[0], seed=seed, **agent
    )
    rows = Rows(name, seed, json.dumps(changes, sort_keys=True))
    budget = None if steps == UNLIMITED else steps
    model.train(
        env, **config.train_arguments(), total_steps=budget, eval_env=eval_env, callbacks=[rows], progress=False
    )
    return rows.rows


def summary(rows: list[dict[str, Any]], threshold: float) -> str:
    """Return one line for a seed: when it was solved (first of three evaluations in a row), and if it stayed solved."""
    means = [float(row['mean']) for row in rows]
    good = [mean >= threshold for mean in means]
    solved = next((i for i in range(len(good) - 2) if all(good[i : i + 3])), None)
    seed, seconds = rows[0]['seed'], float(rows[-1]['seconds'])
    last = means[-3:]
    end = f'best {max(means):.1f}, last {means[-1]:.1f}, last three {sum(last) / len(last):.1f}, {seconds:.0f} s'
    if solved is None:
        return f'seed {seed}: not solved, {end}'
    later = good[solved:]
    return (
        f'seed {seed}: solved after {rows[solved]["steps"]} steps and {float(rows[solved]["seconds"]):.0f} s, '
        f'{sum(later)} of {len(later)} evaluations from then on, {end}'
    )


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows so far."""
    if not path.is_file():
        return []
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def append(path: Path, rows: list[list[Any]], columns: Sequence[str] = COLUMNS) -> None:
    """Append rows; a new file also gets the header."""
    new = not path.is_file()
    with path.open('a', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        if new:
            writer.writerow(columns)
        writer.writerows(rows)


def main() -> None:
    """Run the missing seeds, then print a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('task', choices=TASKS)
    parser.add_argument('--seeds', default='100-109')
    parser.add_argument('--steps', type=int)
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--out', type=Path)
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE', help='a hyperparameter, as YAML')
    options = parser.parse_args()
    task = TASKS[options.task]
    seeds = seeds_of(options.seeds)
    changes = {name: yaml.safe_load(value) for name, _, value in (one.partition('=') for one in options.set)}
    configuration(task, changes)  # refuses invalid values before anything runs
    path = options.out or RESULTS / f'{options.task}.csv'
    done = {int(row['seed']) for row in read(path)}
    missing = [(options.task, seed, options.steps or task.steps, changes) for seed in seeds if seed not in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    with multiprocessing.get_context('spawn').Pool(options.jobs) as pool:
        for rows in pool.imap_unordered(learn, missing):
            append(path, rows)  # a seed's rows are written together: a seed that was cut short leaves none
            print(summary(table_of(rows), task.solved), flush=True)
    print(f'{path}:')
    everything = read(path)
    for seed in seeds:
        if rows := [row for row in everything if int(row['seed']) == seed]:
            print(' ', summary(rows, task.solved))


if __name__ == '__main__':
    main()
