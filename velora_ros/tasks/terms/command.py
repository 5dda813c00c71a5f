"""What a policy must do: commands that are drawn again during an episode, for each simulation independently."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import TaskError
from velora_ros.spec import Source
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.observation_sources import identifier

Range = tuple[float, float]
Sample = Callable[[Sim, Ids], Any]
When = Callable[[Sim], npt.NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Command:
    """
    A command that is drawn at the start of an episode and again after a random time.

    Args:
        entries: name of each entry.
        unit: unit of each entry.
        sample: function ``(sim, ids) -> (ids, entries)`` that draws new commands for the simulations ``ids``.
        every: shortest and longest time until the next command [s]; None: one command for the whole episode.
        source: message type and topic on the robot.
        still: share of commands that are zero.
        timeout: age after which a robot treats the command as zero [s]; None: it never becomes stale.
        low: lowest value of each entry; empty: not bounded.
        high: highest value of each entry; empty: not bounded.
        when: function ``(sim) -> (n,)``, called once per step: true for simulations that get a new command before the
            time is over; None: no simulation does.
        read_from: where a robot provides the command, for the policy file; None: no message has it.
    """

    entries: Sequence[str]
    unit: Sequence[str]
    sample: Sample
    every: Range | None = None
    source: str = ''
    still: float = 0.0
    timeout: float | None = None
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    when: When | None = None
    read_from: Source | None = None

    def __post_init__(self) -> None:
        if self.every is not None and not 0 < self.every[0] <= self.every[1]:
            raise TaskError(
                f"command: 'every' is {self.every}; give the shortest and the longest time in seconds, "
                'with 0 < shortest <= longest.'
            )
        if not 0 <= self.still <= 1:
            raise TaskError(f"command: 'still' is {self.still}; it must be a share between 0 and 1.")


def twist(
    x: Range, y: Range = (0.0, 0.0), yaw: Range = (0.0, 0.0), *, every: Range = (3.0, 8.0), still: float,
    topic: str = 'cmd_vel', timeout: float = 0.5,
) -> Command:  # fmt: skip
    """
    Return a velocity in the base's own frame: x, y [m/s] and yaw [rad/s], (n, 3), uniformly distributed in the ranges.

    Args:
        x: range of the forward speed [m/s].
        y: range of the speed to the left [m/s].
        yaw: range of the angular speed [rad/s].
        every: shortest and longest time until the next command [s].
        still: share of commands that are zero; above 0, because a command that is too old counts as zero.
        topic: topic of the robot's Twist or TwistStamped messages.
        timeout: age after which a command counts as zero [s].
    """
    if still <= 0:
        raise TaskError(
            'command.twist: still is 0, but a robot whose command is too old gets zero; give still > 0, such as 0.1, '
            'so that zero occurs in training.'
        )
    low, high = (np.array([pair[i] for pair in (x, y, yaw)], np.float64) for i in (0, 1))
    if (low > high).any() or not np.isfinite([low, high]).all():
        raise TaskError(f'command.twist: x {x}, y {y}, yaw {yaw} must each be (lowest, highest).')

    def sample(sim: Sim, ids: Ids) -> Array:
        return sim.draws.uniform(ids, low, high, 3)

    limits = tuple(low.tolist()), tuple(high.tolist())
    source = Source(identifier(topic), topic, 'Twist', (0.0,), max_age_s=timeout, low=limits[0], high=limits[1])
    return Command(
        ('linear.x', 'linear.y', 'angular.z'), ('m/s', 'm/s', 'rad/s'), sample, every,
        f'Twist or TwistStamped, {topic}', still, timeout, *limits, read_from=source,
    )  # fmt: skip


def goal(
    sample: Sample | None = None,
    *,
    box: Sequence[Range] = (),
    every: Range | None = None,
    when: When | None = None,
    topic: str = 'goal_pose',
) -> Command:
    """
    Return a goal: a position in the world, x, y, z [m], (n, 3).

    Args:
        sample: function ``(sim, ids) -> (ids, 3)``; None: uniformly distributed in the box.
        box: range of x, y and z [m].
        every: shortest and longest time until the next goal [s]; None: one goal for the whole episode.
        when: function ``(sim) -> (n,)``: true for simulations that get the next goal, for example because they reached
            the last goal.
        topic: topic of the robot's PoseStamped or PointStamped messages.
    """
    limits: tuple[tuple[float, ...], ...] = ((), ())
    if sample is None:
        if len(box) != 3:
            raise TaskError(
                f'command.goal: box is {box}; give a function that samples goals, or a box of three ranges.'
            )
        low, high = np.array(box, np.float64).T
        limits = tuple(low.tolist()), tuple(high.tolist())

        def sample(sim: Sim, ids: Ids) -> Array:
            return sim.draws.uniform(ids, low, high, 3)

    source = Source(identifier(topic), topic, 'PoseStamped', max_age_s=0.0, low=limits[0], high=limits[1])
    where = f'PoseStamped or PointStamped, {topic}'
    return Command(('x', 'y', 'z'), ('m', 'm', 'm'), sample, every, where, when=when, read_from=source)


class Commands:
    """The commands of all simulations, drawn when an episode begins and whenever a new command is due."""

    def __init__(self, sim: Sim, commands: dict[str, Command]) -> None:
        self._sim, self._commands = sim, commands
        for name, one in commands.items():
            sim.command_entries[name] = tuple(zip(one.entries, one.unit, strict=True))
            sim.commands[name] = np.zeros((sim.n, len(one.entries)))
            if one.read_from is not None:
                sim.command_sources[name] = one.read_from
            sim.remember(_due(name))
            sim.remember(_changed(name))

    def begin(self, ids: Ids) -> None:
        """Draw all commands of simulations whose episode begins."""
        for name in self._commands:
            self._draw(name, ids)

    def update(self) -> None:
        """Draw the commands that are due, after the reward of the step was computed."""
        for name, one in self._commands.items():
            due = np.zeros(self._sim.n, bool)
            if one.every is not None:
                due |= self._sim.time >= self._sim.memory[_due(name)]
            if one.when is not None:
                due |= one.when(self._sim)
            if due.any():
                self._draw(name, np.flatnonzero(due))

    def _draw(self, name: str, ids: Ids) -> None:
        sim, one = self._sim, self._commands[name]
        drawn = np.array(one.sample(sim, ids), np.float64)
        if drawn.shape != (len(ids), len(one.entries)):
            raise TaskError(
                f"the command '{name}' has the shape {drawn.shape}; it must be {(len(ids), len(one.entries))}."
            )
        if one.still:
            drawn[sim.draws.uniform(ids, 0, 1, 1)[:, 0] < one.still] = 0
        sim.commands[name][ids] = drawn
        sim.memory[_changed(name)][ids] = sim.time[ids]
        if one.every is not None:
            sim.memory[_due(name)][ids] = sim.time[ids] + sim.draws.uniform(ids, *one.every, 1)[:, 0] - sim.period / 2


def since_change(sim: Sim, name: str) -> npt.NDArray[np.float64]:
    """Return the time since a command last changed, shape (n,) [s]."""
    return sim.time - sim.memory[_changed(name)]


def note_change(sim: Sim, name: str, ids: Ids) -> None:
    """Record that a command changes now."""
    sim.memory[_changed(name)][ids] = sim.time[ids]


def _due(name: str) -> str:
    return f'command {name}: next at'


def _changed(name: str) -> str:
    return f'command {name}: since'
