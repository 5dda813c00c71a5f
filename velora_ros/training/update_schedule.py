"""The number of updates due after a step of the environment."""

from velora_ros.training.hyperparameters import TrainConfig


class UpdateSchedule:
    """
    Counts updates in fractions; a fraction of an update is kept for later.

    Args:
        credit: the fraction of an update that was kept when a run was saved.
    """

    def __init__(self, credit: float = 0.0) -> None:
        self.credit = credit

    def due(self, config: TrainConfig, step: int, taken: int = 1) -> int:
        """Return the number of updates due after ``taken`` transitions, ``step`` in all; none in the start-up steps."""
        if step >= config.start_steps:
            self.credit += taken * _per_transition(config, step)
        due = int(self.credit)
        self.credit -= due
        return due


def _per_transition(config: TrainConfig, step: int) -> float:
    if config.samples_per_transition:
        return config.samples_per_transition / config.batch_size
    boosted = step < config.start_steps + config.boost_steps
    return config.boost_ratio if boosted else config.update_ratio
