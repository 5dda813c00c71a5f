"""Hooks into the training loop; derive from :class:`Callback` and override what you need."""

from collections.abc import Mapping

from velora_ros.policy import PolicyFile
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, RunState, TrainResult

LIVE = ('noise_scale', 'update_ratio', 'actor_lr', 'critic_lr')
"""The hyperparameters that may change between two episodes."""


class StopTraining(Exception):  # noqa: N818 - a request, no error
    """Raise it from any callback to end training cleanly; the message becomes ``TrainResult.stopped``."""


class Callback:
    """Does nothing; every method is optional. The methods are called in the order of this class."""

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Training is about to begin; the budget is in episodes, in steps, or both."""

    def on_resume(self, state: RunState) -> None:
        """Note that a run goes on which had got so far; what was seen after ``state`` comes again."""

    def on_episode_start(self) -> Mapping[str, float]:
        """Return hyperparameters of :data:`LIVE` that change with the episode about to begin; usually none."""
        return {}

    def on_step(self, steps: int) -> None:
        """Note that the environment has taken its ``steps``-th step of this call and the updates due are done."""

    def on_episode_end(self, record: EpisodeRecord) -> None:
        """Note that an episode is over."""

    def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
        """Note that a policy was evaluated; ``is_best``: no earlier one of this call did better."""

    def on_between_episodes(self, state: RunState, *, last: bool) -> None:
        """
        Note that everything is at rest: before the first episode, and after each one that came to its own end.

        ``last``: training is over; not called so when it ended in the middle of an episode.
        """

    def on_train_end(self, result: TrainResult) -> None:
        """Training is over, for whatever reason."""
