"""The curriculum: a simulation is varied more after each episode that went well, and less after any other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import TaskError, did_you_mean
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.terms.term import Observation, Term, named


@dataclass(frozen=True)
class Curriculum:
    """
    How the variation of a simulation grows in training, from none to full: with success, not with time.

    A robot that is pushed before it can walk learns to stand (docs/experiments.md, experiment 38). Rudin et al. 2022
    (arXiv 2109.11978) use the same rule for terrains.

    Args:
        metric: the metric of the task whose mean judges an episode.
        above: an episode is a success if the mean is at least this and the episode did not fail.
        by: amount by which the strength of the variation, from 0 to 1, grows after a success and falls after any other
            episode of the simulation.
    """

    metric: str
    above: float
    by: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.by <= 1:
            raise TaskError(f'curriculum: by is {self.by}; it must be above 0 and at most 1.')

    def check(self, metrics: list[str]) -> None:
        """
        Check that the task has the metric.

        Raises:
            TaskError: the task does not have it; the message suggests the nearest name.
        """
        if self.metric not in metrics:
            raise TaskError(f"curriculum: the task has no metric '{self.metric}'.{did_you_mean(self.metric, metrics)}")


def late(term: Any) -> Term:
    """
    Return a reward term multiplied by the strength of the variation, so that it counts only once the policy does well.

    A cost on how the robot moves, such as slip, makes it stand still if it counts from the start.
    """
    own = named(term, 'reward')
    return Term(f'late({own.name})', lambda sim: sim.strength * own.compute(sim), own.unit, own.prepare)


def strength() -> Observation:
    """Return the strength of the variation, 0 to 1, (n, 1), for a critic, whose other inputs do not show pushes."""
    return Observation('strength', lambda sim: sim.strength, sensed=False)


class Strengths:
    """
    The strength of the variation in each simulation, ``sim.strength``: zero at first.

    Args:
        sim: the simulations.
        curriculum: how the strength grows.
    """

    def __init__(self, sim: Sim, curriculum: Curriculum) -> None:
        self._sim, self._curriculum = sim, curriculum
        self._sum, self._failed = np.zeros(sim.n), np.zeros(sim.n, np.bool_)
        sim.strength[:] = 0

    def follow(self, metrics: Mapping[str, Array], failed: npt.NDArray[np.bool_]) -> None:
        """Record the outcome of a step; metrics and failures have the shape (n,)."""
        self._sum += metrics[self._curriculum.metric]
        self._failed |= failed

    def judge(self, ids: Ids) -> None:
        """Change the strength in simulations whose episode has ended, before the next one begins."""
        sim, curriculum = self._sim, self._curriculum
        ended = ids[sim.steps[ids] > 0]
        went_well = (self._sum[ended] >= curriculum.above * sim.steps[ended]) & ~self._failed[ended]
        sim.strength[ended] = np.clip(sim.strength[ended] + np.where(went_well, curriculum.by, -curriculum.by), 0, 1)
        self._sum[ids], self._failed[ids] = 0, False

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the live arrays that a saved state must contain, by name."""
        return {'strength': self._sim.strength, 'growth.sum': self._sum, 'growth.failed': self._failed}
