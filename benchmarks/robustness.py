"""
How robust trained policies are to uneven periods, lost frames, delay and noise: liquid cells and their controls.

    python benchmarks/robustness.py [--seeds 100-104] [--variants NAME ...] [--jobs 1] [--steps N] [--out FILE]
                                    [--set name=value ...]

One InvertedPendulum policy per variant and seed, all with the preset `robust` and the same randomisation (`naive`: with
the preset `tuned` and perfect timing). The best policy of each run is then tested under each disturbance alone, in 10
episodes of 1,000 nominal periods per level, with seeds that training does not use. A row for each policy, disturbance
and level is appended to a CSV.

An interrupted run continues with the missing policies, and repeats a policy whose training was cut short. Seeds 0-9
are for tuning, 100-104 for the claim.
"""

import argparse
import json
import multiprocessing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import yaml
from learning import RESULTS, append, read, seeds_of

from velora_ros.gym import Disturbances, disturb
from velora_ros.gym.frame_stack import stack_frames
from velora_ros.liquid.cell_registry import CFC
from velora_ros.liquid.sizes import neurons_for, parameter_count
from velora_ros.models import LiquidDDPG
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training import TrainConfig, evaluate
from velora_ros.training.evaluation import episode_seed
from velora_ros.training.presets import preset_path, read_yaml

ENV = 'InvertedPendulum-v5'
STEPS = 60_000
EPISODES = 10
STREAM = 2**30  # training never draws from (seed, STREAM)
UNLIMITED = 10**9
COLUMNS = [
    'variant', 'seed', 'disturbance', 'level', 'mean', 'std', 'min', 'max', 'episodes',
    'parameters', 'steps', 'best_at', 'seconds', 'settings',
]  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """A variant: its preset, the changes to it, and the number of frames that the policy observes at once."""

    changes: dict[str, Any] = field(default_factory=dict)
    preset: str = 'robust'
    frames: int = 1


VARIANTS = {
    'measured-dt': Variant(),
    'fixed-dt': Variant({'dt_input': False}),
    'gru': Variant({'cell': 'gru'}),
    'mlp': Variant({'cell': 'mlp'}),
    'frame-stack-mlp': Variant({'cell': 'mlp'}, frames=4),
    'naive': Variant(preset='tuned'),
}

LEVELS: dict[str, tuple[float, ...]] = {
    'none': (0,),
    'noise': (0.05, 0.1, 0.15, 0.2, 0.25, 0.3),
    'drops': (0.1, 0.2, 0.3, 0.4, 0.5),
    'delay': (1, 2, 3),
    'jitter': (0.25, 0.5, 0.75, 1.0),
}


def disturbance(name: str, level: float) -> Disturbances:
    """Return one disturbance alone; frames are lost independently, with no limit in a row."""
    settings: dict[str, Any] = {
        'none': {},
        'noise': {'observation_noise': level},
        'drops': {'dropped_frames': level, 'max_dropped': 20},
        'delay': {'action_delay': (int(level), int(level))},
        'jitter': {'period_jitter': level},
    }[name]
    return Disturbances(**settings)


def environment(variant: Variant, disturbances: Disturbances) -> gymnasium.Env[Any, Any]:
    """Return the environment as the variant's policy sees it."""
    env = disturb(gymnasium.make(ENV), disturbances)
    return stack_frames(env, variant.frames) if variant.frames > 1 else env


def configuration(variant: Variant, changes: dict[str, Any]) -> TrainConfig:
    """Return the variant's preset with its and the caller's changes."""
    preset = read_yaml(preset_path(ENV, variant.preset))
    return TrainConfig.from_dict({**preset, 'n_episodes': UNLIMITED, **variant.changes, **changes})


def neurons(variant: Variant, config: TrainConfig, n_observations: int, n_actions: int) -> int:
    """Return n_neurons; with stacked frames there are fewer, so that the number of parameters stays the same."""
    if variant.frames == 1:
        return config.n_neurons
    wanted = parameter_count(CFC, n_observations // variant.frames - 1, config.n_neurons, n_actions, config.sparsity)
    return neurons_for(wanted, CFC, n_observations, n_actions, config.sparsity)


def train(variant: Variant, config: TrainConfig, seed: int, steps: int) -> tuple[PolicyFile, int, list[Any]]:
    """Train; return the best policy, its number of parameters, and the steps and seconds after which it was found."""
    env = environment(variant, config.disturbances())
    agent, n_actions = config.agent_arguments(), env.action_space.shape[0]
    n_observations = env.observation_space.shape[0]
    agent['n_neurons'] = neurons(variant, config, n_observations, n_actions)
    model = LiquidDDPG(n_observations, action_dim=n_actions, seed=seed, **agent)
    result = model.train(
        env,
        **config.train_arguments(),
        total_steps=steps,
        eval_env=environment(variant, config.disturbances()),
        progress=False,
    )
    best = result.best_evaluation
    return result.best_policy, model.agent.wiring.n_parameters, [best.steps, round(result.seconds, 1)]


def measure(arguments: tuple[str, int, int, dict[str, Any], Path]) -> list[list[Any]]:
    """Train one policy and return its rows, one for each level of each disturbance."""
    name, seed, steps, changes, policies = arguments
    variant = VARIANTS[name]
    file, parameters, (best_at, seconds) = train(variant, configuration(variant, changes), seed, steps)
    file.save(policies / f'{name}-{seed}.safetensors')
    rows = []
    for kind, levels in LEVELS.items():
        for level in levels:
            env = environment(variant, disturbance(kind, level))
            returns = evaluate(Policy(file), env, episodes=EPISODES, seed=episode_seed(seed, STREAM)).returns
            env.close()
            result = [round(x, 4) for x in (*_mean_and_deviation(returns), min(returns), max(returns))]
            text = json.dumps(changes, sort_keys=True)
            rows.append([name, seed, kind, level, *result, EPISODES, parameters, steps, best_at, seconds, text])
    return rows


def _mean_and_deviation(returns: tuple[float, ...]) -> tuple[float, float]:
    mean = sum(returns) / len(returns)
    return mean, (sum((value - mean) ** 2 for value in returns) / len(returns)) ** 0.5


def line(rows: list[dict[str, Any]]) -> str:
    """Return one line for a policy: its mean returns, disturbance by disturbance."""
    parts = []
    for kind, levels in LEVELS.items():
        means = {float(row['level']): float(row['mean']) for row in rows if row['disturbance'] == kind}
        parts.append(f'{kind} {" ".join(f"{means[level]:.0f}" for level in levels if level in means)}')
    return f'{rows[0]["variant"]} seed {rows[0]["seed"]}: {", ".join(parts)}'


def main() -> None:
    """Train and test the missing policies, then print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', default='100-104')
    parser.add_argument('--variants', nargs='+', choices=VARIANTS, default=list(VARIANTS), metavar='NAME')
    parser.add_argument('--jobs', type=int, default=1)
    parser.add_argument('--steps', type=int, default=STEPS)
    parser.add_argument('--out', type=Path, default=RESULTS / 'robustness.csv')
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE', help='a hyperparameter, as YAML')
    options = parser.parse_args()
    seeds = seeds_of(options.seeds)
    changes = {name: yaml.safe_load(value) for name, _, value in (one.partition('=') for one in options.set)}
    for name in options.variants:
        configuration(VARIANTS[name], changes)  # refuses invalid values before anything runs
    policies = Path('runs') / options.out.stem
    for folder in (policies, options.out.parent):
        folder.mkdir(parents=True, exist_ok=True)
    done = {(row['variant'], int(row['seed'])) for row in read(options.out)}
    wanted = [(name, seed) for seed in seeds for name in options.variants]
    missing = [(name, seed, options.steps, changes, policies) for name, seed in wanted if (name, seed) not in done]
    with multiprocessing.get_context('spawn').Pool(options.jobs) as pool:
        for rows in pool.imap_unordered(measure, missing):
            append(
                options.out, rows, COLUMNS
            )  # a policy's rows are written together: a policy that was cut short leaves none
            print(line([dict(zip(COLUMNS, row, strict=True)) for row in rows]), flush=True)
    print(f'{options.out}:')
    everything = read(options.out)
    for name, seed in wanted:
        if rows := [row for row in everything if (row['variant'], int(row['seed'])) == (name, seed)]:
            print(' ', line(rows))


if __name__ == '__main__':
    main()
