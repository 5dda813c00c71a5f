"""
How fast the tasks simulate and train, and how soon the quadruped follows its commands. `make bench-tasks` runs it.

Speed, in control steps a second of all simulations together, for 1, 16 and 128 simulations of each task: the bare call
of MuJoCo's batch, with the same stage and threads; the whole step of the task, with its terms; and a training run.
Then the figures of the shipped policies. `--learning` adds the time until the quadruped's tracking reaches 0.8: ours,
stable-baselines3's SAC with our batch and as many updates, and its PPO with the settings of rl-baselines3-zoo, on the
same simulations. Evaluations are not timed; a run lasts `--minutes` at most, and a run that never reaches 0.8 counts as
that long. Each run is a row of benchmarks/results/tasks_learning.csv and is not repeated, so that the runs of an agent
can be started by themselves and an interrupted benchmark continues with the missing runs:

    python benchmarks/tasks.py --only learning --sides sb3_sac --seeds 100

The last line is JSON: the quadruped's figures undisturbed, and the figures of each robot below its name.
"""

import argparse
import csv
import json
import statistics
import time
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from measuring import in_own_process, machine

from velora_ros.policy import PolicyFile
from velora_ros.policy.many_policies import ManyPolicies
from velora_ros.tasks.find_task import find, shipped
from velora_ros.tasks.record_episodes import record
from velora_ros.tasks.scores import readable

SIMULATIONS = (1, 16, 128)
POLICIES = Path(__file__).parents[1] / 'policies'
SIDES = ('ours', 'sb3_sac', 'sb3_ppo')
SEEDS = (100, 101, 102)
EPISODES = {'quadruped': (256, 10.0), 'arm': (400, 10.0), 'rover': (500, None)}
"""For each task: the number of episodes in which its policy is judged, and their length [s]; None: the task's."""
PARTS = ('speed', 'policies', 'learning')
TABLE = Path(__file__).parent / 'results' / 'tasks_learning.csv'
COLUMNS = ('side', 'seed', 'minutes', 'reached', 'steps', 'tracking', 'at_most')


def per_second(step: Any, n: int, seconds: float) -> float:
    """Return the control steps a second of all n simulations, the median of five turns."""
    rates = []
    step()
    for _ in range(5):
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds / 5:
            step()
            count += 1
        rates.append(n * count / (time.perf_counter() - began))
    return statistics.median(rates)


def speed(name: str, n: int, seconds: float) -> dict[str, float]:
    """Return how fast n simulations of a task step, bare and with all terms; they take turns."""
    task = find(name)
    env = task.make_vec(n)
    env.reset(seed=0)
    rng, substeps = np.random.default_rng(0), task.built.substeps
    actions = rng.uniform(-0.3, 0.3, env.action_space.shape).astype(np.float32)

    def whole() -> None:
        _, _, terminated, truncated, _ = env.step(actions)
        if (ended := terminated | truncated).any():
            env.reset(options={'reset_mask': ended})

    def bare() -> None:
        env.sim.batch.step(nstep=substeps, stage=int(mujoco.mjtStage.mjSTAGE_VEL))

    rates: dict[str, list[float]] = {'bare': [], 'with_terms': []}
    for _ in range(3):
        rates['with_terms'].append(per_second(whole, n, seconds / 6))
        rates['bare'].append(per_second(bare, n, seconds / 6))
    return {side: statistics.median(values) for side, values in rates.items()}


def shipped_policies() -> dict[str, Any]:
    """Return the figures of the policies that ship, in fresh simulations, with their variation and without."""
    figures: dict[str, Any] = {}
    for name in shipped():
        path = POLICIES / f'{name}.safetensors'
        if not path.exists():
            continue
        file, task = PolicyFile.load(path), find(name)
        for how, undisturbed in (('undisturbed', True), ('disturbed', False)):
            episodes, seconds = EPISODES.get(name, (256, None))
            env = task.make_vec(episodes, undisturbed=undisturbed)
            recording = record(env, ManyPolicies(file, episodes).step, seed=SEEDS[0], seconds=seconds)
            figures[f'{name}_{how}'] = readable(task.score(recording))
            print(f'{name:10} {how:11} {json.dumps(figures[f"{name}_{how}"])}', flush=True)
    return figures


def learning(sides: list[str], seeds: list[int], minutes: float) -> dict[str, Any]:
    """Run what is missing; return the minutes until tracking 0.8, and the ratio of the best peer's median to ours."""
    for side in sides:
        for seed in seeds:
            if taken(side, seed, minutes) is None:
                one = in_own_process('tasks_learning.py', side, seed, minutes, show_progress=True)
                append({**one, 'at_most': minutes})
                print(f'{side} seed {seed}: {json.dumps(one)}', flush=True)
    found = {side: [taken(side, seed, minutes) for seed in seeds] for side in SIDES}
    minutes_of = {side: [one for one in values if one is not None] for side, values in found.items()}
    medians = {side: statistics.median(values) for side, values in minutes_of.items() if values}
    peers = [value for side, value in medians.items() if side != 'ours']
    ratio = min(peers) / medians['ours'] if peers and 'ours' in medians else None
    return {'minutes': minutes_of, 'median': medians, 'times_sooner': ratio}


def taken(side: str, seed: int, minutes: float) -> float | None:
    """Return how long a run took to the goal, at most ``minutes``; None if it was not run, or not for so long."""
    for row in csv.DictReader(TABLE.read_text().splitlines() if TABLE.exists() else []):
        if (row['side'], row['seed']) == (side, str(seed)):
            if row['reached'] == 'True':
                return min(float(row['minutes']), minutes)
            if float(row['at_most']) >= minutes:
                return minutes
    return None


def append(run: dict[str, Any]) -> None:
    """Append a run to the table; a new file also gets the header."""
    new = not TABLE.exists()
    with TABLE.open('a', newline='') as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
        if new:
            writer.writeheader()
        writer.writerow(run)


def speeds(seconds: float) -> dict[str, Any]:
    """Measure every task with every number of simulations."""
    found: dict[str, Any] = {}
    for name in shipped():
        for n in SIMULATIONS:
            one = speed(name, n, seconds)
            one['training'] = in_own_process('tasks_learning.py', 'speed', name, n, seconds)['steps_per_s']
            found[f'{name}_{n}'] = {side: round(value) for side, value in one.items()}
            overhead = one['bare'] / one['with_terms'] - 1
            print(
                f'{name:10} {n:4} simulations: bare {one["bare"]:8.0f}, with terms {one["with_terms"]:8.0f} '
                f'({100 * overhead:+.0f} %), training {one["training"]:8.0f} control steps/s',
                flush=True,
            )
    return found


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=12.0, help='duration of each speed measurement')
    parser.add_argument('--learning', action='store_true', help='measure the time until tracking 0.8 too (hours)')
    parser.add_argument('--only', nargs='+', choices=PARTS, help='measure only these')
    parser.add_argument('--sides', nargs='+', choices=SIDES, default=list(SIDES))
    parser.add_argument('--seeds', nargs='+', type=int, default=list(SEEDS))
    parser.add_argument('--minutes', type=float, default=60.0)
    options = parser.parse_args()
    parts = options.only or (PARTS if options.learning else PARTS[:2])
    print(machine('mujoco', 'gymnasium', 'numpy'))
    result: dict[str, Any] = {'benchmark': 'tasks'}
    if 'speed' in parts:
        result['steps_per_s'] = speeds(options.seconds)
    if 'policies' in parts:
        result['policies'] = shipped_policies()
        undisturbed = {name: result['policies'].get(f'{name}_undisturbed', {}) for name in shipped()}
        result |= undisturbed.get('quadruped', {}) | undisturbed
    if 'learning' in parts:
        result['learning'] = learning(options.sides, options.seeds, options.minutes)
    print(json.dumps(result))


if __name__ == '__main__':
    main()
