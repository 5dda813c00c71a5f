"""Episodes of a task in many simulations at once: their beginning, and one step of all of them."""

from typing import Any, NamedTuple

import mujoco
import numpy as np
import numpy.typing as npt

from velora_ros.errors import TaskError
from velora_ros.tasks.built_task import BuiltTask
from velora_ros.tasks.curriculum import Strengths
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.named_parts import bound
from velora_ros.tasks.observation_noise_and_delay import Observer, evaluated
from velora_ros.tasks.observation_sources import last_action
from velora_ros.tasks.random_numbers import Words
from velora_ros.tasks.terms.command import Commands
from velora_ros.tasks.terms.term import Term
from velora_ros.tasks.terms.vary import Bias, Delay, DroppedFrames, Period, Variation

Mask = npt.NDArray[np.bool_]

UNSTABLE = 'unstable'
_NO_STAGE = int(mujoco.mjtStage.mjSTAGE_NONE)
_OPTION = 'opt.'
_ELAPSED = 'time of the simulation'
_PENDING, _DELAY, _SENSED_DELAY = 'pending actions', 'delay of actions', 'delay of observations'


class Outcome(NamedTuple):
    """The outcome of a step: arrays of shape (n,), or such arrays by name."""

    reward: Array
    failed: Mask
    terms: dict[str, Array]
    metrics: dict[str, Array]
    failures: dict[str, Mask]


class Episodes:
    """
    Many simulations of a task.

    Args:
        task: the task.
        built: the task with its compiled model.
        n: number of simulations.
        threads: threads of the physics; 0: one for each CPU.
        undisturbed: whether variation, noise and bias are off.
        growing: whether the variation starts at zero and grows as the task's ``curriculum`` specifies.
    """

    def __init__(
        self,
        task: Any,
        built: BuiltTask,
        n: int,
        *,
        threads: int = 0,
        undisturbed: bool = False,
        growing: bool = False,
    ) -> None:
        self.built, self._floor, self.undisturbed = built, task.reward_floor, undisturbed
        self.sim = sim = Sim(built.model, n, task.period, threads)
        sim.start_qpos = built.start_qpos
        sim.strength[:] = 0 if undisturbed else 1
        self._clock = bound(sim.batch, 'time')
        sim.batch.reset(keyframe=built.key)
        sim.qpos[:] = built.start_qpos
        sim.batch.forward()
        self.drive = task.act.bind(sim)
        sim.action, sim.last_action = (np.zeros((n, len(self.drive.signals))) for _ in range(2))
        self._commands = Commands(sim, dict(task.commands))
        self._read_delays(built.vary)
        self._vary = [one for one in built.vary if one.always or not undisturbed]
        self._uneven = next((one for one in self._vary if isinstance(one, Period)), None)
        self.durations: Array | None = None if self._uneven is None else np.full(n, task.period)
        """Duration of the last step in each simulation, shape (n,) [s]; None: the period."""
        self._constants = any(one.constants for one in self._vary)
        self._begin_all()  # binds every field that a term reads
        biases = {one.observation: one.deviation for one in built.vary if isinstance(one, Bias)}
        self.observer = Observer(sim, built.observe, biases, disturbed=not undisturbed, latest=self._late[1])
        self.critic = Observer(sim, built.critic, {}, disturbed=False)
        for term in (*(one for one, _ in built.reward), *built.fail):
            _check_shape(term, evaluated(term, sim), n)
        for term in built.metrics:
            evaluated(term, sim)
        grows = growing and task.curriculum is not None and not undisturbed
        self.strengths = Strengths(sim, task.curriculum) if grows else None

    def begin(self, ids: Ids, keys: Words) -> None:
        """Begin episodes in these simulations, with new random streams."""
        if self.strengths is not None:
            self.strengths.judge(ids)
        self.sim.draws.begin(ids, keys)
        self._begin(ids)

    def step(self, actions: Array) -> Outcome:
        """Simulate a period under actions in [-1, 1], shape (n, action)."""
        sim = self.sim
        sim.last_action[:] = sim.action
        np.clip(actions, -1, 1, out=sim.action)
        self.vary()
        self._set_durations()
        self.drive.apply(self._delayed(sim.action))
        sim.advance(self.built.substeps)
        outcome = self.judge()
        if self.strengths is not None:
            self.strengths.follow(outcome.metrics, outcome.failed)
        self._commands.update()
        sim.forget()
        return outcome

    def vary(self) -> None:
        """Change what varies during an episode, before the physics of a step."""
        for one in self._vary:
            if one.step is not None:
                one.step(self.sim)

    def spend(self, seconds: float) -> None:
        """Record the duration of a step's physics [s], from which :meth:`judge` detects divergence."""
        self.sim.remember(_ELAPSED)[:] += seconds

    def switch(self, *, disturbed: bool) -> None:
        """Switch variation on or off for episodes that begin from now on; observations keep their noise."""
        self.undisturbed = not disturbed
        self.sim.strength[:] = int(disturbed)
        self._vary = [one for one in self.built.vary if one.always or disturbed]
        self._read_delays(self.built.vary)
        if not disturbed:
            self._restore_model()
            self.sim.batch.set_const()

    @property
    def action_delay(self) -> int:
        """Delay of the first simulation's actions in this episode, in periods."""
        return int(self.sim.memory[_DELAY][0]) if self._late[0] else 0

    def observe(self, ids: Ids | None = None) -> Array:
        """Return the current observations, shape (n, observation); if ids are given, their episodes are new."""
        delay = self.sim.memory[_SENSED_DELAY] if self._late[1] else None
        seen = self.observer.read(ids, delay, self._dropped(ids))
        self.observer.check_finite(seen)
        return seen

    def privileged(self) -> Array:
        """Return the state of the simulations that a critic sees, shape (n, state); call :meth:`observe` first."""
        parts = [self.observer.clean, self.critic.read(), *(one.reshape(self.sim.n, -1) for one in self._drawn())]
        if self._late[0]:
            seen = any(term.find is last_action for term in self.observer.terms)  # then the first part has the newest
            parts.append(self.sim.memory[_PENDING][:, int(seen) :].reshape(self.sim.n, -1))
        return np.concatenate(parts, axis=1)

    def resume(self) -> None:
        """Compute everything that is derived from the physics state; call this after writing the state."""
        self.sim.batch.forward()
        self.sim.forget()

    def _begin(self, ids: Ids) -> None:
        sim = self.sim
        sim.batch.reset(ids, keyframe=self.built.key, stage=_NO_STAGE)
        sim.qpos[ids] = self.built.start_qpos
        self._clock[ids] = sim.steps[ids] = 0
        sim.action[ids] = sim.last_action[ids] = 0
        for array in sim.memory.values():
            array[ids] = 0
        sim.forget()
        for one in self._vary:
            self._note(one, ids, one.begin(sim, ids))
        if self._constants:
            sim.batch.set_const(ids)
        self._draw_delays(ids)
        self.drive.begin(ids)
        sim.batch.forward(ids)
        sim.forget()
        self._commands.begin(ids)
        if hasattr(self, 'observer'):
            self.observer.begin(ids)

    def _begin_all(self) -> None:
        """Let every variation draw once, even if it is off, so that the shapes of the drawn values are known."""
        sim = self.sim
        if not self.undisturbed:
            self._begin(sim.everyone)
            return
        present = sim.qpos.copy()
        for one in self.built.vary:
            self._note(one, sim.everyone, one.begin(sim, sim.everyone))
        self._restore_model()
        sim.qpos[:] = present
        self._begin(sim.everyone)

    def _restore_model(self) -> None:
        """Restore the model's own values in the fields that variations wrote."""
        sim = self.sim
        for field in {field for one in self.built.vary for field in one.fields}:
            own = sim.model.opt if field.startswith(_OPTION) else sim.model
            sim.batch.expand(field)[:] = getattr(own, field.removeprefix(_OPTION))
        for drawn in sim.drawn.values():
            drawn[:] = 0

    def _note(self, variation: Variation, ids: Ids, drawn: Any) -> None:
        if drawn is not None:
            values = np.asarray(drawn, np.float64)
            if variation.name not in self.sim.drawn:
                self.sim.drawn[variation.name] = np.zeros((self.sim.n, *values.shape[1:]))
            self.sim.drawn[variation.name][ids] = values

    def _drawn(self) -> list[Array]:
        return list(self.sim.drawn.values())

    def judge(self) -> Outcome:
        """Return the rewards and failures of the new state, under the command that the policy read."""
        sim, n = self.sim, self.sim.n
        # MuJoCo resets a simulation that diverges, including its time.
        unstable = np.abs(self._clock - sim.remember(_ELAPSED)) > sim.period / 2
        total, terms = np.zeros(n), {}
        for term, weight in self.built.reward:
            terms[term.name] = values = weight * np.asarray(term.compute(sim), np.float64)
            total += values
        if not np.isfinite(total).all():
            self._refuse_reward(terms, ~unstable)
            total[unstable] = 0
        failures: dict[str, Mask] = {term.name: np.asarray(term.compute(sim), bool) for term in self.built.fail}
        failures[UNSTABLE] = unstable
        failed = np.logical_or.reduce(list(failures.values()))
        if self._floor is not None:
            total = np.where(failed, self._floor, np.maximum(total, self._floor))
        metrics = {term.name: np.asarray(term.compute(sim), np.float64) for term in self.built.metrics}
        return Outcome(total, failed, terms, metrics, failures)

    def _refuse_reward(self, terms: dict[str, Array], stable: Mask) -> None:
        for name, values in terms.items():
            wrong = np.flatnonzero(~np.isfinite(values) & stable)
            if len(wrong):
                raise TaskError(
                    f"the reward term '{name}' is {values[wrong[0]]} in simulation {wrong[0]}; correct the term, which "
                    'must be finite in every state.'
                )

    def _read_delays(self, vary: tuple[Variation, ...]) -> None:
        """Prepare delays and lost frames; without disturbances both are zero, but all shapes are the same."""
        sim, off = self.sim, self.undisturbed
        delays = [one for one in vary if isinstance(one, Delay)]
        actions = [one.action for one in delays] or [(0, 0)]
        sensed = [one.observation for one in delays] or [(0, 0)]
        self._late = (actions[0][1], sensed[0][1])
        self._delays = ((0, 0), (0, 0)) if off else (actions[0], sensed[0])
        if self._late[0]:
            sim.remember(_DELAY)
            sim.remember(_PENDING, self._late[0] + 1, sim.action.shape[1])
        if self._late[1]:
            sim.remember(_SENSED_DELAY)
        lost = [one.probability for one in vary if isinstance(one, DroppedFrames)]
        self._loss = 0.0 if off or not lost else lost[0]

    def _draw_delays(self, ids: Ids) -> None:
        for name, late, (least, most) in zip((_DELAY, _SENSED_DELAY), self._late, self._delays, strict=True):
            if late:
                above = least + 1 + self.sim.strength[ids, None] * (most - least)
                drawn = np.floor(self.sim.draws.uniform(ids, least, above, 1))[:, 0]
                self.sim.memory[name][ids] = drawn
                self._note(Variation(name), ids, drawn)

    def _set_durations(self) -> None:
        """Draw the duration of this step in each simulation."""
        sim = self.sim
        if self._uneven is None:
            self.spend(sim.period)
            return
        drawn = sim.draws.uniform(sim.everyone, *self._uneven.by, 1)
        factor = sim.weaken(sim.everyone, drawn, 1.0)[:, 0]
        self.durations = factor * sim.period
        sim.batch.expand('opt.timestep')[:] = factor * sim.model.opt.timestep
        sim.remember(_ELAPSED)[:] += self.durations

    def _delayed(self, action: Array) -> Array:
        """Return the actions that take effect now, shape (n, action); zero before the first action arrives."""
        if not self._late[0]:
            return action
        pending = self.sim.memory[_PENDING]
        pending[:, 1:] = pending[:, :-1].copy()
        pending[:, 0] = action
        arrived: Array = pending[self.sim.everyone, self.sim.memory[_DELAY].astype(np.intp)]
        return arrived

    def _dropped(self, ids: Ids | None) -> Mask | None:
        if not self._loss:
            return None
        if ids is not None:
            return np.zeros(self.sim.n, bool)
        lost: Mask = self.sim.draws.uniform(self.sim.everyone, 0, 1, 1)[:, 0] < self._loss * self.sim.strength
        return lost


def _check_shape(term: Term, values: Any, n: int) -> None:
    if values.shape != (n,):
        raise TaskError(
            f"the term '{term.name}' has the shape {values.shape}; it must be ({n},), one for each simulation."
        )
