"""
A gait of a legged robot: its clock, the reward terms that encourage it, and observations of it for a critic.

The clock says when each foot should be on the ground, as in Siekmann et al. 2021 (arXiv 2011.01387) and Margolis and
Agrawal 2022, "Walk These Ways" (arXiv 2212.03238). The clock needs no sensor, only the time since the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from velora_ros.contract.gait_clock import sine_and_cosine, strides
from velora_ros.spec import Source
from velora_ros.spec.robot_contract import GAIT_CLOCK
from velora_ros.tasks.mujoco_simulations import Array, Sim
from velora_ros.tasks.observation_sources import Reading
from velora_ros.tasks.robot_model import RobotModel
from velora_ros.tasks.terms.reward import MOVING, motion_of, moving
from velora_ros.tasks.terms.term import Observation, Term

_FASTEST_SLIP = 1.0  # m/s


@dataclass(frozen=True)
class Gait:
    """
    When each foot is on the ground: a clock with a period, in which every foot has its own phase.

    Args:
        feet: the geoms of the feet.
        offsets: the share of a period by which each foot is ahead; a trot has 0 and 0.5 for the two pairs of diagonal
            feet.
        period: duration of a stride [s].
        ground: share of a stride on the ground.
        height: height of a foot's centre at the top of its swing [m].
        rest: height of a foot's centre on the ground [m].
        command: name of the twist command; while it is close to zero, all feet stay on the ground.
    """

    feet: Sequence[str]
    offsets: Sequence[float]
    period: float
    ground: float
    height: float
    rest: float
    command: str = 'twist'

    def phase(self, sim: Sim) -> Array:
        """Return the share of its stride that each foot has completed, shape (n, feet), in [0, 1)."""
        return strides(sim.time[:, None], self.period, self.offsets)

    def clock(self) -> Observation:
        """Sine and cosine of the first foot's phase, (n, 2); 0 while the command is zero. policy_node computes them."""

        def read(sim: Sim) -> Array:
            return sine_and_cosine(self.phase(sim)[:, 0], moving(sim, self.command))

        def find(sim: Sim) -> Reading | None:
            told = sim.command_sources.get(self.command)
            if told is None:
                return None
            source = Source(
                'clock', '', GAIT_CLOCK, period_s=self.period, phase=self.offsets[0], moves_with=told.name,
                moves_above=MOVING,
            )  # fmt: skip
            return Reading((told, source), ('clock:sin', 'clock:cos'))

        return Observation(
            'clock', read, entries=('clock.sin', 'clock.cos'), source='the time since the start', sensed=False,
            find=find,
        )  # fmt: skip

    def in_time(self) -> Term:
        """Return the share of feet that are in the air or on the ground as the clock says, in [0, 1]."""

        def compute(sim: Sim) -> Array:
            wanted = (self.phase(sim) < self.ground) | ~moving(sim, self.command)[:, None]
            agreed: Array = (self._contacts(sim) == wanted).mean(axis=1)
            return agreed

        return Term('in_time', compute, '', self._prepare)

    def lift(self) -> Term:
        """Return the sum of the squared distances of swinging feet from the wanted height [m^2]."""

        def compute(sim: Sim) -> Array:
            swing = np.clip((self.phase(sim) - self.ground) / (1 - self.ground), 0, 1)
            swing *= moving(sim, self.command)[:, None]
            wanted = self.rest + (self.height - self.rest) * np.sin(np.pi * swing)
            missed = sim_heights(sim, self.feet) - wanted
            squared: Array = (missed**2 * (swing > 0)).sum(axis=1)
            return squared

        return Term('lift', compute, 'm^2', self._prepare)

    def _contacts(self, sim: Sim) -> Any:
        return np.concatenate([sim.contacts(foot) for foot in self.feet], axis=1)

    def _prepare(self, model: RobotModel) -> None:
        for foot in self.feet:
            for name in model.geom_names(foot, 'gait'):
                model.contact(name)


def sim_heights(sim: Sim, feet: Sequence[str]) -> Array:
    """Return the heights of the feet's centres, shape (n, feet) [m]."""
    return np.concatenate([sim.geom_positions(foot)[:, :, 2] for foot in feet], axis=1)


def slip_speed(feet: str) -> Term:
    """Return the sum of the horizontal speeds of feet in contact, each clipped to 1 m/s [m/s]."""

    def compute(sim: Sim) -> Array:
        slipped: Array = (np.minimum(speeds(sim, feet), _FASTEST_SLIP) * sim.contacts(feet)).sum(axis=1)
        return slipped

    return Term('slip_speed', compute, 'm/s', motion_of(feet, 'slip_speed'))


def phases(feet: str, longest: float = 0.5) -> Observation:
    """How long each foot has been in the air (positive) or on the ground (negative), (n, feet) [s], for a critic."""

    def read(sim: Sim) -> Array:
        signed: Array = np.minimum(times(sim, feet), longest) * np.where(sim.contacts(feet), -1.0, 1.0)
        return signed

    def entries(sim: Sim) -> list[str]:
        return [f'{name}/phase' for name in sim.geoms(feet)]

    return Observation('phases', read, 's', motion_of(feet, 'phases'), entries=entries, scale=1 / longest)


def foot_motion(feet: str) -> Observation:
    """Ten times the height [m] and the horizontal speed [m/s] of each foot, (n, 2 * feet), for a critic."""

    def read(sim: Sim) -> Array:
        found: Array = np.concatenate([sim.geom_positions(feet)[:, :, 2] * 10, speeds(sim, feet)], axis=1)
        return found

    return Observation('foot_motion', read, '', motion_of(feet, 'foot_motion'))


def times(sim: Sim, feet: str) -> Array:
    """Return how long each foot has been in its current part of the stride, shape (n, feet) [s]."""
    key, was, size = f'part: {feet}', f'part of before: {feet}', len(sim.geoms(feet))

    def update(sim: Sim) -> None:
        spent, before, touching = sim.remember(key, size), sim.remember(was, size), sim.contacts(feet)
        spent[:] = np.where(before == touching, spent + sim.period, sim.period)
        before[:] = touching

    sim.after_physics(key, update)
    return sim.remember(key, size)


def speeds(sim: Sim, feet: str) -> Array:
    """Return the horizontal speed of each foot, shape (n, feet) [m/s]."""
    velocity = sim.geom_velocities(feet)[:, :, :2]
    found: Array = np.sqrt(np.einsum('nfi,nfi->nf', velocity, velocity))
    return found
