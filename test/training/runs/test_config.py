"""The configuration of a run."""

from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.runs.config import TASK_ENV, RunConfig


def test_the_command_of_a_task_names_its_simulations_because_their_default_is_not_one():
    given = {'seed': 3, 'hyperparameters': TrainConfig(), 'total_steps': 9, 'flags': ''}
    task = RunConfig(env=TASK_ENV, env_args={'task': 'rover'}, **given)
    assert task.command == 'velora_ros train --task rover --seed 3 --steps 9 --num-envs 1'
    env = RunConfig(env='Hopper-v5', **given)
    assert env.command == 'velora_ros train --env Hopper-v5 --seed 3 --steps 9'
