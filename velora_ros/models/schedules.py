"""Schedules: how the learning rates, and with them the exploration noise, change during training."""

from velora_ros.training import TrainConfig
from velora_ros.training.hyperparameters import STEPS


def progress(config: TrainConfig, steps: int, steps_of_full_episodes: int) -> float:
    """Return the completed share of ``lr_decay_steps``, 0 to 1; 0 if the rates are constant."""
    if not config.lr_decay_steps:
        return 0.0
    counted = steps if config.lr_decay_counts == STEPS else steps_of_full_episodes
    return min(1.0, counted / config.lr_decay_steps)


def learning_rates(config: TrainConfig, progress: float, steps: int, *, began_from_file: bool) -> tuple[float, float]:
    """
    Return the learning rates of the actor and the critic; both fall geometrically by the factor ``lr_final``.

    Args:
        config: the hyperparameters.
        progress: the completed share of the schedule, from :func:`progress`.
        steps: environment steps so far.
        began_from_file: whether training began from a file; then the actor waits (:func:`actor_share`).
    """
    factor = config.lr_final**progress
    share = actor_share(config.critic_warm_up, steps) if began_from_file else 1.0
    return share * factor * config.actor_lr, factor * config.critic_lr


def actor_share(warm_up: int, steps: int) -> float:
    """
    Return the factor of the actor's learning rate when training starts from a file.

    A new critic misleads the actor, so the rate is 0 for ``warm_up`` steps and then rises linearly over as many more.
    """
    return 1.0 if steps >= 2 * warm_up else max(0.0, steps / warm_up - 1.0)
