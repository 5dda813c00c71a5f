"""Schedules: how the learning rates, and with them the exploration noise, change in the course of training."""

from velora_ros.training import TrainConfig
from velora_ros.training.hyperparameters import STEPS


def progress(config: TrainConfig, steps: int, steps_of_full_episodes: int) -> float:
    """Return the completed share of ``lr_decay_steps``, 0 to 1; 0 if the rates are constant."""
    if not config.lr_decay_steps:
        return 0.0
    counted = steps if config.lr_decay_counts == STEPS else steps_of_full_episodes
    return min(1.0, counted / config.lr_decay_steps)


def actor_share(warm_up: int, steps: int) -> float:
    """
    Return the factor on the actor's learning rate after a start from a file.

    A new critic misleads the actor. So the rate is 0 for ``warm_up`` steps, and then rises linearly over as many steps.
    """
    return 1.0 if steps >= 2 * warm_up else max(0.0, steps / warm_up - 1.0)
