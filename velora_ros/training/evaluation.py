"""Evaluation of a policy: deterministic, as deployed, in a separate environment."""

import math
from typing import Any, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import VectorEnv

from velora_ros.errors import ConfigError
from velora_ros.gym.describe_env_errors import FAILURES
from velora_ros.gym.flattening import flat
from velora_ros.policy import PolicyFile
from velora_ros.policy.many_policies import ManyPolicies
from velora_ros.training.checked_env import REPAIR, env_failure, reward_of
from velora_ros.training.records import EvaluationResult


class Stepper(Protocol):
    """A policy that can be evaluated; :class:`velora_ros.policy.Policy` is one."""

    def reset(self) -> None:
        """Reset the hidden state."""
        ...

    def step(self, observation: npt.ArrayLike, dt: float | None = None) -> np.ndarray:
        """Return the action in the environment's units, shape (action,)."""
        ...


def evaluate(
    policy: Stepper,
    env: gymnasium.Env[Any, Any],
    *,
    episodes: int = 10,
    seed: int = 0,
    max_steps: int | None = None,
    enough_steps: float = math.inf,
) -> EvaluationResult:
    """
    Run whole episodes without exploration noise.

    Args:
        policy: its hidden state is reset before each episode.
        env: stays open; observations that are a dictionary or a tuple are flattened, and an elapsed time in
            ``info['dt']`` [s] reaches the policy.
        episodes: number of episodes, at least 1.
        seed: episode i is reset with a seed drawn from (seed, i).
        max_steps: maximum length of an episode; None: no limit.
        enough_steps: no new episode begins after this many steps; the first episode always runs.

    Raises:
        ConfigError: ``episodes`` is below 1.
        UnsupportedEnvironmentError: the environment failed.
    """
    if episodes < 1:
        raise ConfigError(f'the number of evaluation episodes is {episodes}; it must be at least 1.')
    env = flat(env)
    outcomes: list[tuple[float, int]] = []
    while not outcomes or (len(outcomes) < episodes and sum(length for _, length in outcomes) < enough_steps):
        outcomes.append(_episode(policy, env, episode_seed(seed, len(outcomes)), max_steps))
    returns, lengths = zip(*outcomes, strict=True)
    return EvaluationResult(returns, lengths)


def evaluate_together(
    file: PolicyFile, env: VectorEnv[Any, Any, Any], *, seed: int = 0, max_steps: int | None = None
) -> EvaluationResult:
    """
    Run an episode in each environment of a vector at once, without exploration noise.

    Args:
        file: the policy.
        env: a vector without autoreset, of as many environments as there are episodes.
        seed: episode i is reset with a seed drawn from (seed, i), as in :func:`evaluate`.
        max_steps: maximum length of an episode; None: no limit.

    Raises:
        UnsupportedEnvironmentError: the vector failed.
    """
    n, spec = env.num_envs, file.spec
    policies, running = ManyPolicies(file, n), np.ones(n, bool)
    returns, lengths, ratio = np.zeros(n), np.zeros(n, np.int64), np.ones((n, 1))
    try:
        seeds: Any = [episode_seed(seed, episode) for episode in range(n)]
        observations, _ = env.reset(seed=seeds)
        while running.any() and (max_steps is None or lengths.max() < max_steps):
            actions = policies.step(observations, ratio).astype(env.single_action_space.dtype)
            observations, rewards, terminated, truncated, infos = env.step(actions)
            returns[running] += rewards[running]
            lengths += running
            if (ended := terminated | truncated).any():  # finished environments continue, but do not count
                running &= ~ended
                observations, _ = env.reset(options={'reset_mask': ended})
                policies.reset(ended)
            told = np.asarray(infos.get('_dt', 'dt' in infos)) & ~ended
            seconds = np.clip(np.where(told, infos.get('dt', 0.0), spec.control_period), *file.dt_range)
            ratio = np.where(ended, 1.0, seconds / spec.control_period)[:, None]
    except FAILURES as error:
        raise env_failure(error, f'in step {int(lengths.max()) + 1} of an evaluation') from error
    return EvaluationResult(tuple(returns.tolist()), tuple(lengths.tolist()))


def episode_seed(seed: int, episode: int) -> int:
    """Return the seed with which to reset the environment for one episode of a run."""
    return int(np.random.SeedSequence((seed, episode)).generate_state(1)[0] >> 1)


def _episode(policy: Stepper, env: gymnasium.Env[Any, Any], seed: int, max_steps: int | None) -> tuple[float, int]:
    policy.reset()
    try:
        observation, _ = env.reset(seed=seed)
    except FAILURES as error:
        raise env_failure(error, 'at the start of an evaluation', REPAIR) from error
    total, length, dt = 0.0, 0, None
    while max_steps is None or length < max_steps:
        action = policy.step(observation, dt).astype(env.action_space.dtype)
        try:
            observation, reward, terminated, truncated, info = env.step(action)
        except FAILURES as error:
            raise env_failure(error, f'in step {length + 1} of an evaluation') from error
        total += reward_of(reward, f'in step {length + 1} of an evaluation')
        length += 1
        dt = info.get('dt')
        if terminated or truncated:
            break
    return total, length
