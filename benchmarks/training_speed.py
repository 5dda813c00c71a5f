"""
Time one side of the training benchmark, in a separate process: training on InvertedPendulum-v5 between two steps.

    python benchmarks/training_speed.py SIDE FIRST LAST [SEED]

The environment records the time at step FIRST and at step LAST, where it ends training. So every side is timed in the
same way, whatever its own loop counts as a step. The last line is JSON.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch

BATCH, N_NEURONS = 128, 10
ENDLESS = 10**9


class Finished(BaseException):
    """The last step was taken."""


class Stopwatch(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Counts steps and records wall and CPU time at two of them; raises :class:`Finished` at the second."""

    def __init__(self, env: gymnasium.Env[Any, Any], first: int, last: int) -> None:
        super().__init__(env)
        self.marks = (first, last)
        self.times: list[tuple[float, float]] = []
        self.count = 0
        self.made = time.process_time()

    def step(self, action: Any) -> Any:
        """Step the environment and record the time."""
        result = self.env.step(action)
        self.count += 1
        if self.count in self.marks:
            self.times.append((time.perf_counter(), time.process_time()))
            if self.count == self.marks[1]:
                raise Finished
        return result


def ours(env: gymnasium.Env[Any, Any], seed: int) -> None:
    """Train ours: 16 sequences of 8, one update a step."""
    from velora_ros.models import LiquidDDPG  # noqa: PLC0415 - each process loads one side

    LiquidDDPG(4, N_NEURONS, 1, seed=seed).train(
        env,
        BATCH,
        n_episodes=ENDLESS,
        sequence_length=8,
        update_ratio=1,
        boost_ratio=1,
        eval_every=0,
        progress=False,
    )


def velora(env: gymnasium.Env[Any, Any], seed: int) -> None:
    """Train velora 0.1.1: 128 single steps; metrics in memory."""
    os.environ['VELORA_TEST_MODE'] = '1'
    from velora.models import LiquidDDPG  # noqa: PLC0415 - the variable is read at import

    torch.manual_seed(seed)
    LiquidDDPG(4, N_NEURONS, 1).train(env, BATCH, n_episodes=ENDLESS)


def stable_baselines(algorithm: str, **settings: Any) -> Callable[[gymnasium.Env[Any, Any], int], None]:
    """Return a side that trains one of stable-baselines3's agents, one update a step, with Gaussian noise."""

    def train(env: gymnasium.Env[Any, Any], seed: int) -> None:
        make_agent(algorithm, env, seed, **settings).learn(ENDLESS)

    return train


def make_agent(algorithm: str, env: gymnasium.Env[Any, Any], seed: int, *, noise: float, **settings: Any) -> Any:
    """Return one of stable-baselines3's agents, one update a step, with Gaussian noise in half ranges."""
    import stable_baselines3  # noqa: PLC0415
    from stable_baselines3.common.noise import NormalActionNoise  # noqa: PLC0415

    n_actions = env.action_space.shape[0]
    gaussian = NormalActionNoise(np.zeros(n_actions), np.full(n_actions, noise))
    agent = getattr(stable_baselines3, algorithm)
    return agent('MlpPolicy', env, action_noise=gaussian, train_freq=1, gradient_steps=1, seed=seed, **settings)


OUR_SETTINGS: dict[str, Any] = {
    'learning_rate': 1e-3,
    'buffer_size': 100_000,
    'learning_starts': BATCH,
    'batch_size': BATCH,
    'tau': 0.005,
    'gamma': 0.99,
    'noise': 0.3,
    'policy_kwargs': {'net_arch': [64, 64]},
}
# rl-baselines3-zoo, hyperparams/ddpg.yml, InvertedPendulumSwingupBulletEnv-v0; it starts learning after 10,000 steps,
# here after 500, so that there is something to time.
ZOO_SETTINGS: dict[str, Any] = {
    'learning_rate': 1e-3,
    'buffer_size': 200_000,
    'learning_starts': 500,
    'gamma': 0.98,
    'noise': 0.1,
    'policy_kwargs': {'net_arch': [400, 300]},
}
SIDES = {
    'ours': ours,
    'velora': velora,
    'sb3': stable_baselines('DDPG', **OUR_SETTINGS),
    'sb3_td3': stable_baselines('TD3', **OUR_SETTINGS),
    'sb3_zoo': stable_baselines('DDPG', **ZOO_SETTINGS),
}


def main() -> None:
    """Train one side and print the times."""
    name, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    torch.set_num_threads(1)
    watch = Stopwatch(gymnasium.make('InvertedPendulum-v5'), first, last)
    with contextlib.suppress(Finished):
        SIDES[name](watch, seed)
    (wall, cpu), (later_wall, later_cpu) = watch.times
    steps = last - first
    rate, cpu_rate = steps / (later_wall - wall), steps / (later_cpu - cpu)
    # Mostly compilation. It is a lower bound, because not all of the first steps had an update.
    before = max(0.0, cpu - watch.made - first / cpu_rate)
    result = {'steps_per_s': rate, 'steps_per_cpu_s': cpu_rate, 'set_up_s': before}
    print(json.dumps({key: round(value, 2) for key, value in result.items()}))


if __name__ == '__main__':
    main()
