"""
Learning curves of stable-baselines3's DDPG and TD3, by the protocol of learning.py: a row per seed and evaluation.

    python benchmarks/learning_peers.py [TASK] [--agents DDPG TD3] [--seeds 100-102] [--steps N] [--jobs 1]

The settings are those of training_speed.py: our batch size, noise and critic learning rate, with networks of 64x64.
Rows are appended to benchmarks/results/TASK_sb3_AGENT.csv, and `make results` draws them beside ours. An interrupted
run continues with the missing seeds.
"""

import argparse
import functools
import multiprocessing
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from learning import RESULTS, TASKS, append, read, row_of, seeds_of, summary, table_of

from velora_ros.training import EvaluationRecord, evaluate
from velora_ros.training.evaluation import episode_seed

AGENTS = ('DDPG', 'TD3')
EVERY, EPISODES = 500, 10
STREAM = 2**30  # training never draws from (seed, STREAM)


def peer_path(task: str, agent: str) -> Path:
    """Return the path of a peer's rows."""
    return RESULTS / f'{task}_sb3_{agent.lower()}.csv'


class Deterministic:
    """A stable-baselines3 agent with the interface that ``evaluate`` expects of a policy."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def reset(self) -> None:
        """Do nothing, because the agent has no hidden state."""

    def step(self, observation: Any, dt: float | None = None) -> np.ndarray:
        """Return the action in the environment's units, shape (action,)."""
        del dt
        action: np.ndarray = self._model.predict(observation, deterministic=True)[0]
        return action


def learn(agent: str, arguments: tuple[str, int, int]) -> list[list[Any]]:
    """Train one seed and return its rows; evaluations do not count as training time."""
    import torch  # noqa: PLC0415 - each process loads it with one thread
    from training_speed import OUR_SETTINGS, make_agent  # noqa: PLC0415

    torch.set_num_threads(1)
    name, seed, steps = arguments
    task = TASKS[name]
    env, eval_env = gymnasium.make(task.env), gymnasium.make(task.env)
    model = make_agent(agent, env, seed, **OUR_SETTINGS)
    policy, rows, seconds = Deterministic(model), [], 0.0
    for done in range(EVERY, steps + 1, EVERY):
        began = time.perf_counter()
        model.learn(EVERY, reset_num_timesteps=False)
        seconds += time.perf_counter() - began
        result = evaluate(policy, eval_env, episodes=EPISODES, seed=episode_seed(seed, STREAM))
        rows.append(row_of(name, seed, EvaluationRecord(done, model._episode_num, seconds, result), '{}'))
    return rows


def main() -> None:
    """Run the missing seeds and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('task', nargs='?', choices=TASKS, default='inverted_pendulum')
    parser.add_argument('--agents', nargs='+', choices=AGENTS, default=AGENTS)
    parser.add_argument('--seeds', default='100-102')
    parser.add_argument('--steps', type=int, help='environment steps (default: as in our task)')
    parser.add_argument('--jobs', type=int, default=1)
    options = parser.parse_args()
    task = TASKS[options.task]
    for agent in options.agents:
        path = peer_path(options.task, agent)
        done = {int(row['seed']) for row in read(path)}
        missing = [seed for seed in seeds_of(options.seeds) if seed not in done]
        wanted = [(options.task, seed, options.steps or task.steps) for seed in missing]
        with multiprocessing.get_context('spawn').Pool(options.jobs) as pool:
            for rows in pool.imap_unordered(functools.partial(learn, agent), wanted):
                append(path, rows)
                print(agent, summary(table_of(rows), task.solved), flush=True)


if __name__ == '__main__':
    main()
