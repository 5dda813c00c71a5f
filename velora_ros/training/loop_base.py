"""What training in one environment and in many have in common: budgets, evaluations, records, callbacks."""

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium

from velora_ros.errors import ConfigError
from velora_ros.training.agent_protocol import Agent
from velora_ros.training.callbacks import Callback, StopTraining, call_each
from velora_ros.training.diagnostics import RECORD_EVERY, DiagnosticsRecord, complete
from velora_ros.training.evaluation_schedule import Evaluations
from velora_ros.training.hyperparameters import TrainConfig, live_changes
from velora_ros.training.records import EpisodeSums, RunState, Stopwatch, TrainResult
from velora_ros.training.reward_terms import TermMeans
from velora_ros.training.update_schedule import UpdateSchedule


@dataclass(frozen=True)
class RunOptions:
    """
    The options of a training run besides its agent, environment and hyperparameters.

    Args:
        seed: the run's seed, from which the seed of each reset is drawn.
        eval_seed: the seed of the evaluations, which training does not use.
        total_steps: largest number of transitions; None: no limit.
        begins_trained: whether the agent began from a file: then it acts without random actions in the start-up steps
            too, and its policy is evaluated before the first step, so that it is the best policy until there is a
            better one.
        eval_env: the environment of the evaluations, which stays open; None: no evaluations.
        callbacks: called in this order.
        privileged_dim: entries of ``info['privileged_state']``; 0: there are none; None: as many as at the first reset.
        steps_before: transitions of the agent in earlier runs.
        episodes_before: episodes of the agent in earlier runs.
        resumed: the state of this run when the agent was saved; the budget includes what was done before.
        clock: returns seconds, for throughput only; training never depends on it.
    """

    seed: int
    eval_seed: int
    total_steps: int | None = None
    begins_trained: bool = False
    eval_env: gymnasium.Env[Any, Any] | None = None
    callbacks: Sequence[Callback] = ()
    privileged_dim: int | None = None
    steps_before: int = 0
    episodes_before: int = 0
    resumed: RunState | None = None
    clock: Callable[[], float] = time.perf_counter


class LoopBase(ABC):
    """
    One training run of an agent; :meth:`run` runs it part by part.

    Args:
        agent: the agent to train.
        config: the hyperparameters; the groups ``agent`` and ``env`` are not used.
        options: everything else.
    """

    def __init__(self, agent: Agent, config: TrainConfig, options: RunOptions) -> None:
        self._agent, self._config, self._seed = agent, config, options.seed
        self._total_steps, self._begins_trained = options.total_steps, options.begins_trained
        self._callbacks, resumed = options.callbacks, options.resumed
        self._step, self._episode = options.steps_before, options.episodes_before
        self._steps_before, self._updates, self._result = options.steps_before, UpdateSchedule(), TrainResult()
        self._can_rest = True  # at the start, and whenever the run can be saved
        self._is_resumed = resumed is not None
        self._terms = TermMeans()
        self._watch = Stopwatch(options.clock, already=0.0 if resumed is None else resumed.seconds)
        if resumed is not None:
            self._steps_before, self._updates = resumed.steps_before, UpdateSchedule(resumed.credit)
            self._config = dataclasses.replace(config, **resumed.live)
            self._terms.restore(resumed.terms)
            self._result = dataclasses.replace(resumed.result, stopped='', stopped_by='', reason='')
        self._evaluations = Evaluations(
            agent, options.eval_env, config, self._result,
            seed=options.eval_seed, steps_before=self._steps_before, callbacks=options.callbacks, watch=self._watch,
        )  # fmt: skip

    def run(self) -> TrainResult:
        """
        Train until the budget is spent or a callback stops it.

        Raises:
            UnsupportedEnvironmentError: the environment failed, or returned something invalid.
            DivergenceError: an action, a loss or a weight is not finite.
            ConfigError: a callback changed a setting that cannot change, or returned an invalid value.
        """
        result = self._result
        try:
            call_each(self._callbacks, self._start)
            if self._begins_trained and not (result.episodes or result.evaluations):
                self._evaluations.before_the_start(self._step, self._episode)
            self._rest(last=False)
            while not (self._episodes_done() or self._budget_spent()):
                self._run_part()
            self._note_budget()
        except StopTraining as stop:
            self._note(stop)
        result.steps, result.seconds = self._step - self._steps_before, self._watch.seconds()
        if self._can_rest:
            try:
                self._rest(last=True)
            except StopTraining as stop:
                self._note(stop)
        self._evaluations.at_the_end(self._step, self._episode, cut_off=not self._can_rest)
        self._last_diagnostics()
        for callback in self._callbacks:
            callback.on_train_end(result)
        return result

    @abstractmethod
    def _run_part(self) -> None:
        """Train until the run can be saved again, or its budget is spent."""

    def _after_step(self, taken: int = 1) -> None:
        if self._step // RECORD_EVERY > (self._step - taken) // RECORD_EVERY:
            self._record_diagnostics()
        for callback in self._callbacks:
            callback.on_step(self._step - self._steps_before)
        self._evaluations.after_step(self._step, self._episode, taken)

    def _record_episode(self, sums: EpisodeSums) -> None:
        seconds = self._watch.seconds()
        steps_per_s = (self._step - self._steps_before) / max(seconds, 1e-9)
        record = sums.record(self._episode, self._step, steps_per_s=steps_per_s, seconds=seconds)
        self._result.episodes.append(record)
        for callback in self._callbacks:
            callback.on_episode_end(record)

    def _change_hyperparameters(self) -> None:
        """
        Apply the changes that callbacks return; the agent gets all of them.

        Raises:
            ConfigError: a callback changed a setting that cannot change, or returned an invalid value.
        """
        for callback in self._callbacks:
            if wanted := callback.on_episode_start():
                try:
                    changes = live_changes(wanted)
                except ConfigError as error:
                    raise ConfigError(
                        f'{type(callback).__name__}.on_episode_start returned {wanted}: {error}'
                    ) from error
                self._config = dataclasses.replace(self._config, **changes)
                self._agent.change(changes)

    def _record_diagnostics(self) -> None:
        values = complete(self._agent.diagnostics())
        record = DiagnosticsRecord(self._step, self._episode, self._watch.seconds(), values, self._terms.take())
        self._result.diagnostics.append(record)
        for callback in self._callbacks:
            callback.on_diagnostics(record)

    def _last_diagnostics(self) -> None:
        """Record the steps since the last record; if the run is resumed, its next record contains them instead."""
        if self._step > self._steps_before and self._step % RECORD_EVERY:
            try:
                self._record_diagnostics()
            except StopTraining as stop:
                self._note(stop)

    def _start(self, callback: Callback) -> None:
        callback.on_train_start(self._config.n_episodes, self._total_steps)
        if self._is_resumed:
            callback.on_resume(self._state())

    def _rest(self, *, last: bool) -> None:
        state = self._state()
        call_each(self._callbacks, lambda callback: callback.on_between_episodes(state, last=last))

    def _state(self) -> RunState:
        live = {'noise_scale': self._config.noise_scale, 'update_ratio': self._config.update_ratio}
        episodes = self._result.episodes
        seconds = episodes[-1].seconds if episodes else 0.0
        return RunState(
            self._steps_before, self._updates.credit, seconds, live, self._result, terms=self._terms.state()
        )

    def _episodes_done(self) -> bool:
        return len(self._result.episodes) >= self._config.n_episodes

    def _budget_spent(self) -> bool:
        return self._total_steps is not None and self._step - self._steps_before >= self._total_steps

    def _note_budget(self) -> None:
        """Record which budget has been spent."""
        result = self._result
        if self._budget_spent():
            result.stopped_by, result.reason = 'steps', f'total_steps, {self._total_steps}'
        else:
            short = '' if self._total_steps is None else f' before total_steps, {self._total_steps}'
            result.stopped_by, result.reason = 'episodes', f'n_episodes, {self._config.n_episodes}{short}'

    def _note(self, stop: StopTraining) -> None:
        """Record why training ends; the first reason counts."""
        result = self._result
        if not result.stopped:
            result.stopped = result.reason = str(stop) or 'stopped by a callback'
            result.stopped_by = stop.by
