"""
Time training in many environments at once: one side, in a separate process.

    python benchmarks/training_vector.py SIDE ENVIRONMENTS WIDTH BATCH SECONDS

SIDE is ``ours`` or ``sb3_sac``. Both train in HalfCheetah-v5 with two critics of WIDTH x WIDTH, the same batch and the
same number of updates after each step of all environments: an eighth of their number, at least 1. The first of the
environments counts its steps; it records the time after the start-up, and ends training SECONDS later. Ours has an
actor of 64 liquid neurons and learns from sequences of 8; stable-baselines3's SAC has an actor of WIDTH x WIDTH and
learns from single steps. The last line is JSON.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

ENVIRONMENT, N_NEURONS, START, ENDLESS = 'HalfCheetah-v5', 64, 2_000, 10**9


class Finished(BaseException):
    """The time is over."""


class Timed(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Counts steps from the first after the start-up until the time is over, then raises :class:`Finished`."""

    def __init__(self, env: gymnasium.Env[Any, Any], first: int, seconds: float) -> None:
        super().__init__(env)
        self._first, self._seconds = first, seconds
        self.count, self.began, self.result = 0, (0.0, 0.0), (0, 0.0, 0.0)

    def step(self, action: Any) -> Any:
        """Step the environment; look at the clock before the next vector step begins."""
        now = time.perf_counter(), time.process_time()
        if self.count == self._first:
            self.began = now
        elif self.count > self._first and now[0] - self.began[0] >= self._seconds:
            self.result = self.count - self._first, now[0] - self.began[0], now[1] - self.began[1]
            raise Finished
        self.count += 1
        return self.env.step(action)


def makers(timed: Timed, n_envs: int) -> list[Callable[[], gymnasium.Env[Any, Any]]]:
    """Return functions that make the environments; the first environment counts its steps."""
    return [lambda: timed, *(lambda: gymnasium.make(ENVIRONMENT) for _ in range(n_envs - 1))]


def ours(timed: Timed, n_envs: int, width: int, batch: int, updates: int) -> None:
    """Train ours; a single environment is trained in the loop for a single environment."""
    from velora_ros.models import LiquidDDPG  # noqa: PLC0415 - each process loads one side

    env: Any = timed
    if n_envs > 1:
        env = SyncVectorEnv(makers(timed, n_envs), autoreset_mode=AutoresetMode.DISABLED)
    model = LiquidDDPG(17, N_NEURONS, 6, seed=0, n_critics=2, critic_sizes=(width, width))
    model.train(
        env, batch, n_episodes=ENDLESS, sequence_length=8, start_steps=START, boost_steps=0,
        samples_per_transition=updates * batch / n_envs, eval_every=0, progress=False,
    )  # fmt: skip


def sb3_sac(timed: Timed, n_envs: int, width: int, batch: int, updates: int) -> None:
    """Train stable-baselines3's SAC."""
    from stable_baselines3 import SAC  # noqa: PLC0415
    from stable_baselines3.common.vec_env import DummyVecEnv  # noqa: PLC0415

    SAC(
        'MlpPolicy', DummyVecEnv(makers(timed, n_envs)), batch_size=batch, buffer_size=100_000, learning_starts=START,
        train_freq=1, gradient_steps=updates, policy_kwargs={'net_arch': [width, width]}, seed=0,
    ).learn(ENDLESS)  # fmt: skip


SIDES = {'ours': ours, 'sb3_sac': sb3_sac}


def main() -> None:
    """Train one side and print the rates."""
    side, n_envs, width, batch, seconds = sys.argv[1], *(int(one) for one in sys.argv[2:6])
    torch.set_num_threads(1)
    updates = max(1, n_envs // 8)
    timed = Timed(gymnasium.make(ENVIRONMENT), START // n_envs + 20, seconds)
    with contextlib.suppress(Finished):
        SIDES[side](timed, n_envs, width, batch, updates)
    steps, wall, cpu = timed.result
    rates = {'steps_per_s': steps * n_envs / wall, 'learnt_per_s': steps * updates * batch / wall}
    rates['learnt_per_cpu_s'] = steps * updates * batch / cpu
    print(json.dumps({name: round(value, 1) for name, value in rates.items()}))


if __name__ == '__main__':
    main()
