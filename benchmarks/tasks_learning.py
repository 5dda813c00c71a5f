"""
One run of the tasks benchmark, in a separate process; the last line is JSON.

    python benchmarks/tasks_learning.py SIDE SEED MINUTES     # ours, sb3_sac or sb3_ppo: minutes until tracking 0.8
    python benchmarks/tasks_learning.py speed TASK N SECONDS  # control steps a second in a training run
"""

import json
import os
import sys
import time
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box

from velora_ros.models import LiquidDDPG
from velora_ros.policy.many_policies import ManyPolicies
from velora_ros.tasks.find_task import find
from velora_ros.tasks.record_episodes import record
from velora_ros.training import Callback, StopTraining
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.recipe import recipe

TASK, GOAL, SIMULATIONS, NEURONS = 'quadruped', 0.8, 64, 128
EVERY = 20_000
"""Transitions between two evaluations."""
EPISODES, SECONDS = 64, 10.0


class UntilTracking(Callback):
    """Ends a run when the policy tracks well enough, or when its time is over; evaluations stop the clock."""

    def __init__(self, task: Any, seconds: float) -> None:
        self._env, self._task, self._left = task.make_vec(EPISODES, undisturbed=True), task, seconds
        self._began, self._next = time.perf_counter(), EVERY
        self.minutes, self.tracking, self.steps, self.reached = seconds / 60, 0.0, 0, False
        self._total = seconds

    def due(self, step: int, act: Any) -> bool:
        """Evaluate if that is due; return whether the run is over."""
        now = time.perf_counter()
        self._left -= now - self._began
        if step >= self._next and self._left > 0:
            self._next += EVERY
            self.tracking = self._task.score(record(self._env, act(), seed=1, seconds=SECONDS))['tracking']
            self.steps, minutes = step, (self._total - self._left) / 60
            print(f'{step} steps, {minutes:.1f} min: tracking {self.tracking:.3f}', file=sys.stderr, flush=True)
            if self.tracking >= GOAL:
                self.minutes, self.reached = minutes, True
                return True
        self._began = time.perf_counter()
        return self._left <= 0

    def result(self, side: str, seed: int) -> dict[str, Any]:
        """Return how long it took, whether the goal was reached, and the last evaluation."""
        return {
            'side': side, 'seed': seed, 'minutes': round(self.minutes, 2), 'reached': self.reached, 'steps': self.steps,
            'tracking': round(self.tracking, 4),
        }  # fmt: skip


class Ours(UntilTracking):
    """Ends a run of our trainer in the same way."""

    model: LiquidDDPG

    def on_step(self, step: int) -> None:
        """Stop at the goal."""
        if self.due(step, lambda: ManyPolicies(self.model.agent.policy_file(), EPISODES).step):
            raise StopTraining('the goal is reached, or the time is over')


def simulations(task: Any) -> Any:
    """Return the simulations in which every agent trains; as in "velora_ros train", their variation grows."""
    return task.make_vec(SIMULATIONS, random_ages=True, growing=True)


def make_ours(task: Any, seed: int) -> tuple[LiquidDDPG, dict[str, Any]]:
    """Return an agent for a task and its arguments of ``train``."""
    config = TrainConfig.from_dict(recipe(TASK))
    agent, spec = config.agent_arguments(), task.policy_spec
    agent['n_neurons'] = NEURONS
    model = LiquidDDPG(spec.observation_dim, agent.pop('n_neurons'), spec.action_dim, seed=seed, **agent)
    return model, config.train_arguments()


def ours(seed: int, minutes: float) -> dict[str, Any]:
    """Train ours."""
    task = find(TASK)
    model, arguments = make_ours(task, seed)
    watch = Ours(task, 60 * minutes)
    arguments |= {'eval_every': 0, 'n_episodes': 10**9}
    model.train(simulations(task), **arguments, callbacks=[watch], progress=False)
    return watch.result('ours', seed)


def peer(side: str, seed: int, minutes: float) -> dict[str, Any]:
    """Train stable-baselines3's SAC with our batch and updates, or its PPO."""
    import stable_baselines3  # noqa: PLC0415
    from stable_baselines3.common.callbacks import BaseCallback  # noqa: PLC0415
    from stable_baselines3.common.vec_env import VecNormalize  # noqa: PLC0415

    task = find(TASK)
    vector = sb3_vector(simulations(task), seed)
    watch = UntilTracking(task, 60 * minutes)
    config = TrainConfig.from_dict(recipe(TASK))
    if side == 'sb3_sac':
        updates = max(1, round(config.samples_per_transition * SIMULATIONS / config.batch_size))
        model = stable_baselines3.SAC(
            'MlpPolicy', vector, seed=seed, batch_size=config.batch_size, gradient_steps=updates, train_freq=1,
            gamma=config.gamma, learning_starts=config.start_steps, buffer_size=config.buffer_size,
            policy_kwargs={'net_arch': [256, 256]},
        )  # fmt: skip
    else:  # rl-baselines3-zoo, hyperparams/ppo.yml, AntBulletEnv-v0; 64 simulations of 128 steps instead of 16 of 512
        vector = VecNormalize(vector, gamma=0.99)
        model = stable_baselines3.PPO(
            'MlpPolicy', vector, seed=seed, n_steps=128, batch_size=128, n_epochs=20, gamma=0.99, gae_lambda=0.9,
            ent_coef=0.0, learning_rate=3e-5, clip_range=0.4, use_sde=True, sde_sample_freq=4, policy_kwargs={
                'log_std_init': -1, 'ortho_init': False, 'activation_fn': torch.nn.ReLU,
                'net_arch': {'pi': [256, 256], 'vf': [256, 256]},
            },
        )  # fmt: skip

    def act(seen: Any) -> Any:
        seen = vector.normalize_obs(seen) if isinstance(vector, VecNormalize) else seen
        return model.predict(seen, deterministic=True)[0]

    class Watch(BaseCallback):
        def _on_step(self) -> bool:
            return not watch.due(self.num_timesteps, lambda: act)

    model.learn(10**9, callback=Watch())
    return watch.result(side, seed)


def sb3_vector(env: Any, seed: int) -> Any:
    """Return a task's vector with the interface of stable-baselines3: it begins the next episodes by itself."""
    from stable_baselines3.common.vec_env import VecEnv  # noqa: PLC0415

    class Vector(VecEnv):
        def __init__(self) -> None:
            low, high = env.single_action_space.low, env.single_action_space.high
            super().__init__(env.num_envs, env.single_observation_space, Box(low, high, dtype=np.float32))

        def reset(self) -> Any:
            return env.reset(seed=seed)[0].copy()

        def step_async(self, actions: Any) -> None:
            self._actions = actions

        def step_wait(self) -> Any:
            observations, rewards, terminated, truncated, _ = env.step(self._actions)
            ended, infos = terminated | truncated, [{} for _ in range(env.num_envs)]
            if ended.any():
                for stream in np.flatnonzero(ended):
                    infos[stream] = {
                        'terminal_observation': observations[stream].copy(),
                        'TimeLimit.truncated': bool(truncated[stream] and not terminated[stream]),
                    }
                observations, _ = env.reset(options={'reset_mask': ended})
            return observations.copy(), rewards.astype(np.float32), ended, infos

        def close(self) -> None:
            env.close()

        def get_attr(self, attr_name: str, indices: Any = None) -> Any:
            return [getattr(env, attr_name, None)] * env.num_envs

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
            raise NotImplementedError

        def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
            raise NotImplementedError

        def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
            return [False] * env.num_envs

    return Vector()


class Timed(Callback):
    """Measures a run between its first update and a number of seconds later."""

    def __init__(self, seconds: float, start_steps: int) -> None:
        self._seconds, self._start_steps = seconds, start_steps
        self._first = (0, 0.0)
        self.rate = 0.0

    def on_step(self, step: int) -> None:
        """Stop when the time is over."""
        if step > self._start_steps + 2 * SIMULATIONS:  # the kernels are compiled
            self._first = self._first if self._first[0] else (step, time.perf_counter())
            if (taken := time.perf_counter() - self._first[1]) > self._seconds:
                self.rate = (step - self._first[0]) / taken
                raise StopTraining('measured')


def speed(name: str, n: int, seconds: float) -> dict[str, Any]:
    """Measure the control steps a second of a training run."""
    task = find(name)
    model, arguments = make_ours(task, 0)
    arguments |= {'eval_every': 0, 'n_episodes': 10**9, 'start_steps': 1024}
    watch = Timed(seconds, arguments['start_steps'])
    model.train(task.make_vec(n), **arguments, callbacks=[watch], progress=False)
    return {'steps_per_s': watch.rate}


def main() -> None:
    """Run one side."""
    side, *arguments = sys.argv[1:]
    if side == 'speed':
        result = speed(arguments[0], int(arguments[1]), float(arguments[2]))
    elif side == 'ours':
        result = ours(int(arguments[0]), float(arguments[1]))
    else:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        result = peer(side, int(arguments[0]), float(arguments[1]))
    print(json.dumps(result))


if __name__ == '__main__':
    main()
