"""
How fast the tasks simulate and train, and how soon the quadruped follows its commands. `make bench-tasks` runs it.

Speed, in control steps a second of all simulations together, for 1, 16 and 128 simulations of each task: the bare call
of MuJoCo's batch, with the same stage and threads; the whole step of the task, with its terms; and a training run.
`--learning` adds the time until the quadruped's tracking reaches 0.8: ours, stable-baselines3's SAC with our batch and
as many updates, and its PPO with the settings of rl-baselines3-zoo, on the same simulations. Evaluations are not timed;
a run lasts `--minutes` at most, and one that never gets there counts as that long. Shipped policies are evaluated too.
The last line is JSON.
"""

import argparse
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

SIMULATIONS = (1, 16, 128)
POLICIES = Path(__file__).parents[1] / 'policies'
SIDES = ('ours', 'sb3_sac', 'sb3_ppo')
SEEDS = (100, 101, 102)
EPISODES, SECONDS = 256, 10.0


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
            env = task.make_vec(EPISODES, undisturbed=undisturbed)
            recording = record(env, ManyPolicies(file, EPISODES).step, seed=SEEDS[0], seconds=SECONDS)
            figures[f'{name}_{how}'] = task.score(recording)
    return figures


def learning(sides: list[str], seeds: list[int], minutes: float) -> dict[str, Any]:
    """Return the minutes until tracking 0.8 of each side and seed, and the ratio of the best peer's median to ours."""
    taken = {
        side: [in_own_process('tasks_learning.py', side, seed, minutes)['minutes'] for seed in seeds] for side in sides
    }
    medians = {side: statistics.median(values) for side, values in taken.items()}
    peers = [value for side, value in medians.items() if side != 'ours']
    ratio = min(peers) / medians['ours'] if peers and 'ours' in medians else None
    return {'minutes': taken, 'median': medians, 'times_sooner': ratio}


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=12.0, help='of each measurement of speed')
    parser.add_argument('--learning', action='store_true', help='measure the time until tracking 0.8 too (hours)')
    parser.add_argument('--sides', nargs='+', choices=SIDES, default=list(SIDES))
    parser.add_argument('--seeds', nargs='+', type=int, default=list(SEEDS))
    parser.add_argument('--minutes', type=float, default=60.0)
    options = parser.parse_args()
    print(machine('mujoco', 'gymnasium', 'numpy'))
    speeds: dict[str, Any] = {}
    for name in shipped():
        for n in SIMULATIONS:
            one = speed(name, n, options.seconds)
            one['training'] = in_own_process('tasks_learning.py', 'speed', name, n, options.seconds)['steps_per_s']
            speeds[f'{name}_{n}'] = {side: round(value) for side, value in one.items()}
            overhead = one['bare'] / one['with_terms'] - 1
            print(
                f'{name:10} {n:4} simulations: bare {one["bare"]:8.0f}, with terms {one["with_terms"]:8.0f} '
                f'({100 * overhead:+.0f} %), training {one["training"]:8.0f} control steps/s',
                flush=True,
            )
    result: dict[str, Any] = {'benchmark': 'tasks', 'steps_per_s': speeds, 'policies': shipped_policies()}
    if options.learning:
        result['learning'] = learning(options.sides, options.seeds, options.minutes)
    for how in ('undisturbed',):
        result |= {
            key: value
            for name in shipped()
            for key, value in result['policies'].get(f'{name}_{how}', {}).items()
            if isinstance(value, int | float)
        }
    print(json.dumps(result))


if __name__ == '__main__':
    main()
