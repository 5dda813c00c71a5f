"""An inverted pendulum that takes its time: ``env:=unhurried:UnhurriedPendulum-v0``, with this folder on PYTHONPATH."""

import time
from typing import Any

import gymnasium
from gymnasium.envs.mujoco.inverted_pendulum_v5 import InvertedPendulumEnv

STEP_S = 0.004


class UnhurriedPendulum(InvertedPendulumEnv):
    """For training runs that go on until a test has seen enough: they leave the processor to the other tests."""

    def step(self, action: Any) -> Any:
        time.sleep(STEP_S)
        return super().step(action)


gymnasium.register('UnhurriedPendulum-v0', 'unhurried:UnhurriedPendulum', max_episode_steps=1000)
