"""What changes while training goes on: the learning rates, and with them the exploration noise."""

from velora_ros.training import TrainConfig
from velora_ros.training.hyperparameters import STEPS


def progress(config: TrainConfig, steps: int, steps_of_full_episodes: int) -> float:
    """Return the share of ``lr_decay_steps`` that is over, 0 to 1; 0 where the rates stay."""
    if not config.lr_decay_steps:
        return 0.0
    counted = steps if config.lr_decay_counts == STEPS else steps_of_full_episodes
    return min(1.0, counted / config.lr_decay_steps)


def actor_share(warm_up: int, steps: int) -> float:
    """
    Return the share of its learning rate that the actor moves with after a start from a file.

    A critic that has seen little misleads: the actor waits for ``warm_up`` steps, and its rate then rises linearly over
    as many again.
    """
    return 1.0 if steps >= 2 * warm_up else max(0.0, steps / warm_up - 1.0)
