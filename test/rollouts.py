"""Steps of an environment under random actions or a simple policy, for tests of the wrappers."""

import numpy as np


def balance(observation):
    """Keeps the pendulum up for long enough to see time pass."""
    x, angle, velocity, rate = observation
    return np.clip([0.3 * x + 12 * angle + 0.6 * velocity + 2 * rate], -3, 3).astype(np.float32)


def rollout(env, seed, steps=30, policy=None):
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    seen = [(observation, 0.0, False, False, info)]
    for _ in range(steps):
        action = policy(observation) if policy else rng.uniform(-0.5, 0.5, env.action_space.shape).astype(np.float32)
        seen.append(env.step(action))
        observation = seen[-1][0]
        if seen[-1][2] or seen[-1][3]:
            break
    return seen
