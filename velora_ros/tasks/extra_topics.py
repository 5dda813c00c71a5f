"""Topics that a task's policies read besides the usual sensors: poses of bodies, and user-defined terms."""

from typing import Any

import numpy as np

from velora_ros.tasks.episodes import Episodes
from velora_ros.tasks.mujoco_simulations import Array
from velora_ros.tasks.observation_sources import identifier
from velora_ros.tasks.terms.term import Observation


class RobotSources:
    """
    The poses and user-defined terms in the contract of a task.

    Args:
        task: the task.
        episodes: its simulations.
    """

    def __init__(self, task: Any, episodes: Episodes) -> None:
        self._sim = episodes.sim
        contract = task.policy_spec.contract
        told = {one.read_from.name for one in task.commands.values() if one.read_from is not None}
        sources = [] if contract is None else [one for one in contract.sources if one.name not in told]
        bodies = {identifier(name): name for kind in ('site', 'body') for name in self._sim.names(kind)}
        terms = {identifier(term.name).strip('_'): term for term in episodes.observer.terms}
        self.poses: dict[str, str] = {
            one.topic: bodies[one.name] for one in sources if one.type == 'PoseStamped' and one.name in bodies
        }
        """Name of the body or site whose pose is published, by topic."""
        self.terms: dict[str, Observation] = {
            one.topic: terms[one.name] for one in sources if one.type == 'Float64MultiArray' and one.name in terms
        }
        """The term whose values are published as a Float64MultiArray, by topic."""

    def values(self, topic: str) -> Array:
        """Return the current values of a term, in its own unit and without noise, shape (entries,)."""
        found: Array = np.ravel(self.terms[topic].compute(self._sim)[0]).astype(np.float64)
        return found
