"""
Trains in a vector of environments: ``run_in_vector.py KIND FOLDER [KILL_AT]``.

KIND is ``saved`` (gymnasium's MuJoCo environments), ``task`` or ``cut`` (environments whose state cannot be saved).
With KILL_AT the process is killed with SIGKILL at that step, in the middle of episodes.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from toy_tasks import reacher
from toy_vector import Walk, walks

from velora_ros import utils
from velora_ros.models import LiquidDDPG
from velora_ros.training import Callback, RunPaths

SETTINGS: dict[str, Any] = {
    'start_steps': 40, 'boost_steps': 0, 'samples_per_transition': 8, 'sequence_length': 4, 'noise_low': 0.3,
    'eval_every': 700, 'eval_episodes': 1, 'progress': False, 'checkpoint_every': 0.0, 'batch_size': 32,
}  # fmt: skip


class Kill(Callback):
    def __init__(self, at: int) -> None:
        self._at = at

    def on_step(self, steps: int) -> None:
        if steps >= self._at:
            os.kill(os.getpid(), signal.SIGKILL)


def vector(kind: str) -> Any:
    if kind == 'saved':
        return SyncVectorEnv([lambda: gymnasium.make('InvertedPendulum-v5')] * 3, autoreset_mode=AutoresetMode.DISABLED)
    return reacher().make_vec(3) if kind == 'task' else walks(3, length=400)


def train(kind: str, folder: Path, kill_at: int = 0) -> LiquidDDPG:
    """Begin a run in a folder, or go on with it."""
    utils.set_seed(3)
    env = vector(kind)
    sizes = env.single_observation_space.shape[0], 4, env.single_action_space.shape[0]
    model = LiquidDDPG(*sizes, critic_sizes=(8,), n_critics=2, buffer_size=600, policy_tau=0.02, seed=3)
    steps = {'total_steps': 6500 if kind == 'cut' else 1100, 'eval_env': Walk() if kind == 'cut' else None}
    kill = [Kill(kill_at)] if kill_at else []
    model.train(env, run_dir=folder, resume=RunPaths(folder).holds_run, callbacks=kill, **steps, **SETTINGS)
    env.close()
    return model


if __name__ == '__main__':
    train(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
