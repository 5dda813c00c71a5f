"""The training loop: act, remember, learn."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from velora_ros.errors import ConfigError
from velora_ros.policy import Policy
from velora_ros.replay import Transition
from velora_ros.spec import PolicySpec
from velora_ros.training import evaluation_schedule
from velora_ros.training.agent_protocol import Agent
from velora_ros.training.callbacks import LIVE, Callback, StopTraining
from velora_ros.training.checked_env import CheckedEnv
from velora_ros.training.diagnostics import RECORD_EVERY, DiagnosticsRecord, complete
from velora_ros.training.evaluation import episode_seed, evaluate
from velora_ros.training.hyperparameters import IN_PROPORTION, TrainConfig, live_changes
from velora_ros.training.means import Means
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, RunState, TrainResult

NOISE = 1  # (seed, episode, NOISE) seeds the share of an episode's noise; (seed, episode) its reset
# Share of the best mean return within which a later policy is as good: an evaluation tells no finer, and the later one
# has met more. Of two policies of the double pendulum, half a point of 9,358 apart, the earlier one lost 11 % of new
# starts, the later one 0.1 %.
AS_GOOD = 0.001


@dataclass(frozen=True)
class LoopSettings:
    """
    How long and how to train; the public names and defaults are those of ``LiquidDDPG.train``.

    Args:
        n_episodes: episodes at most.
        max_steps: steps of an episode at most; hitting it is a truncation, never a termination.
        total_steps: environment steps at most; None: no limit.
        noise_scale: standard deviation of the exploration noise, as a share of half the range of each action.
        noise_low: each episode draws its share of ``noise_scale`` evenly from here to 1: strong noise shows much of the
            space, weak noise how the policy fares by itself.
        start_steps: steps with random actions, before the first update.
        update_ratio: updates per environment step, after the boost.
        boost_ratio: updates per environment step at the beginning.
        boost_steps: how many steps after the start-up the boost lasts.
        eval_every: steps between evaluations; 0: none; -1: in proportion, see :mod:`.evaluation_schedule`.
        eval_episodes: episodes per evaluation.
        longest_evaluation: steps of their episodes at most.
        seed: the run's seed; each reset gets one drawn from (seed, episode).
        eval_seed: the evaluations' seed, unknown to training.
        knows: the agent began from a file: it acts by itself in the start-up steps too, and is evaluated before the
            first one, so that what it began with is the best policy until there is a better one.
    """

    n_episodes: int
    max_steps: int
    total_steps: int | None
    noise_scale: float
    noise_low: float
    start_steps: int
    update_ratio: float
    boost_ratio: float
    boost_steps: int
    eval_every: int
    eval_episodes: int
    longest_evaluation: int
    seed: int
    eval_seed: int
    knows: bool = False

    @classmethod
    def of(
        cls, config: TrainConfig, total_steps: int | None, seed: int, eval_seed: int, *, knows: bool = False
    ) -> 'LoopSettings':
        """Take the fields of the same names from a configuration."""
        own: dict[str, Any] = {'total_steps': total_steps, 'seed': seed, 'eval_seed': eval_seed, 'knows': knows}
        named = {field.name for field in dataclasses.fields(cls)} - own.keys()
        return cls(**{name: getattr(config, name) for name in named}, **own)

    def ratio(self, step: int) -> float:
        """Return the updates due at a step, counted from 0 over all calls."""
        if step < self.start_steps:
            return 0.0
        return self.boost_ratio if step < self.start_steps + self.boost_steps else self.update_ratio

    def episode_noise(self, episode: int) -> float:
        """Return the noise of one episode: a function of seed and episode, so that a resumed run agrees."""
        if self.noise_low == 1:
            return self.noise_scale
        return self.noise_scale * float(np.random.default_rng((self.seed, episode, NOISE)).uniform(self.noise_low, 1))


def run(
    agent: Agent,
    env: gymnasium.Env[Any, Any],
    spec: PolicySpec,
    settings: LoopSettings,
    *,
    eval_env: gymnasium.Env[Any, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    privileged_dim: int | None = None,
    steps_before: int = 0,
    episodes_before: int = 0,
    resumed: RunState | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> TrainResult:
    """
    Train an agent; the environments stay open.

    Args:
        agent: learns.
        env: is acted in.
        spec: bounds and nominal period of ``env``.
        settings: how long and how.
        eval_env: for evaluations; None: there are none.
        callbacks: called in their order.
        privileged_dim: entries of ``info['privileged_state']``; 0: there is none, None: as many as at the first reset.
        steps_before: environment steps of earlier calls.
        episodes_before: episodes of earlier calls.
        resumed: where this run stood when the agent's state was saved; the budget counts what was done before.
        clock: seconds, for throughput alone; training never depends on it.

    Raises:
        UnsupportedEnvironmentError: what the environment returned cannot be used, or the environment itself failed.
        DivergenceError: an action, a loss or a weight is not finite.
        ConfigError: a callback changes what may not change, or to a value that is not valid.
    """
    checked = CheckedEnv(env, spec, privileged_dim)
    state = _Run(agent, checked, settings, eval_env=eval_env, callbacks=callbacks, clock=clock)
    state.step = state.steps_before = steps_before
    state.episode = episodes_before
    if resumed is not None:
        state.resume(resumed)
    return state.run()


class _Run:
    """One call of :func:`run`: its counters and records."""

    def __init__(
        self,
        agent: Agent,
        env: CheckedEnv,
        settings: LoopSettings,
        *,
        eval_env: gymnasium.Env[Any, Any] | None,
        callbacks: Sequence[Callback],
        clock: Callable[[], float],
    ) -> None:
        self.agent, self.env, self.settings = agent, env, settings
        self.eval_env, self.callbacks, self.clock = eval_env, callbacks, clock
        self.step = self.steps_before = self.episode = 0
        self.credit = 0.0
        self.evaluation_time = 0.0
        self.result = TrainResult()
        self.start = clock()
        self.at_rest, self.resumed = True, False  # at rest: between two episodes that came to their own end

    def resume(self, state: RunState) -> None:
        self.steps_before, self.credit, self.start = state.steps_before, state.credit, self.start - state.seconds
        self.settings = dataclasses.replace(self.settings, **state.live)
        self.result, self.resumed = dataclasses.replace(state.result, stopped='', stopped_by='', reason=''), True

    def run(self) -> TrainResult:
        settings, result = self.settings, self.result
        try:
            self._tell_all(self._begin)
            if settings.knows and not (result.episodes or result.evaluations):
                self._evaluate_before_the_start()
            self._rest(last=False)
            while len(result.episodes) < settings.n_episodes and not self._budget_spent():
                self._run_episode()
            self._note_budget()
        except StopTraining as stop:
            self._note(stop)
        result.steps, result.seconds = self.step - self.steps_before, self._seconds()
        if self.at_rest:
            try:
                self._rest(last=True)
            except StopTraining as stop:
                self._note(stop)
        self._evaluate_at_the_end()
        self._last_diagnostics()
        for callback in self.callbacks:
            callback.on_train_end(result)
        return result

    def state(self) -> RunState:
        live = {'noise_scale': self.settings.noise_scale, 'update_ratio': self.settings.update_ratio}
        episodes = self.result.episodes
        return RunState(self.steps_before, self.credit, episodes[-1].seconds if episodes else 0.0, live, self.result)

    def _note(self, stop: StopTraining) -> None:
        """Write down why training ends; the first reason is the one that counts."""
        result = self.result
        if not result.stopped:
            result.stopped = result.reason = str(stop) or 'stopped by a callback'
            result.stopped_by = stop.by

    def _note_budget(self) -> None:
        """Write down which budget is used up."""
        settings, result = self.settings, self.result
        if self._budget_spent():
            result.stopped_by, result.reason = 'steps', f'total_steps, {settings.total_steps}'
        else:
            short = '' if settings.total_steps is None else f' before total_steps, {settings.total_steps}'
            result.stopped_by, result.reason = 'episodes', f'n_episodes, {settings.n_episodes}{short}'

    def _begin(self, callback: Callback) -> None:
        callback.on_train_start(self.settings.n_episodes, self.settings.total_steps)
        if self.resumed:
            callback.on_resume(self.state())

    def _rest(self, *, last: bool) -> None:
        state = self.state()
        self._tell_all(lambda callback: callback.on_between_episodes(state, last=last))

    def _tell_all(self, tell: Callable[[Callback], None]) -> None:
        """
        Tell every callback, even after one that wants to end training: the others are told of its end too.

        Raises:
            StopTraining: the first one's.
        """
        stop: StopTraining | None = None
        for callback in self.callbacks:
            try:
                tell(callback)
            except StopTraining as request:
                stop = stop or request
        if stop is not None:
            raise stop

    def _run_episode(self) -> None:
        self._change_hyperparameters()
        settings, agent = self.settings, self.agent
        self.episode, self.at_rest = self.episode + 1, False
        observation, state = self.env.reset(episode_seed(settings.seed, self.episode), self.episode)
        hidden, dt = agent.initial_hidden(), 1.0
        total, length, losses = 0.0, 0, Means()
        noise_scale = settings.episode_noise(self.episode)
        ended = False
        while not ended:
            action, next_hidden = agent.act(observation, hidden, dt, noise_scale)
            if self.step < settings.start_steps and not settings.knows:
                action = agent.random_action()
            next_observation, next_state, reward, terminated, truncated, next_dt = self.env.step(action, self.step + 1)
            agent.remember(
                Transition(
                    observation, action, reward, terminated, next_observation, dt, next_dt,
                    hidden, length == 0, state, next_state,
                )
            )  # fmt: skip
            self.step += 1
            length += 1
            total += reward
            losses.add(self._learn())
            observation, state, hidden, dt = next_observation, next_state, next_hidden, next_dt
            self._after_step()
            self.at_rest = terminated or truncated or length >= settings.max_steps
            ended = self.at_rest or self._budget_spent()
        if self.at_rest:
            agent.end_episode(length, full=not terminated)
        self._end_episode(total, length, losses)
        if self.at_rest:
            self._rest(last=False)

    def _change_hyperparameters(self) -> None:
        """
        Take the changes that callbacks want; the agent is told of all of them.

        Raises:
            ConfigError: a callback wants what may not change, or a value that is not valid.
        """
        for callback in self.callbacks:
            if wanted := callback.on_episode_start():
                try:
                    changes = live_changes(wanted, LIVE)
                except ConfigError as error:
                    raise ConfigError(
                        f'{type(callback).__name__}.on_episode_start returned {wanted}: {error}'
                    ) from error
                settings = self.settings
                self.settings = dataclasses.replace(
                    settings,
                    noise_scale=changes.get('noise_scale', settings.noise_scale),
                    update_ratio=changes.get('update_ratio', settings.update_ratio),
                )
                self.agent.change(changes)

    def _learn(self) -> dict[str, float] | None:
        if self.step == self.settings.start_steps:
            self.agent.end_warm_up()
        self.credit += self.settings.ratio(self.step)
        metrics = None
        while self.credit >= 1:
            self.credit -= 1
            metrics = self.agent.learn()
        return metrics

    def _after_step(self) -> None:
        if self.step % RECORD_EVERY == 0:
            self._diagnose()
        for callback in self.callbacks:
            callback.on_step(self.step - self.steps_before)
        every = self.settings.eval_every
        if self.eval_env is None or not every:
            return
        if every == IN_PROPORTION:
            if evaluation_schedule.is_due(self.step, self.steps_before, self.result, self.settings):
                left = evaluation_schedule.steps_left(self.step - self.steps_before, self.result)
                self._evaluate(self.eval_env, left)
        elif self.step % every == 0:
            self._evaluate(self.eval_env)

    def _evaluate_before_the_start(self) -> None:
        if self.eval_env is not None and self.settings.eval_every:
            self._evaluate(self.eval_env)

    def _evaluate_at_the_end(self) -> None:
        """Evaluate the last policy where evaluations are in proportion, and nobody asked for an early end."""
        result, settings = self.result, self.settings
        if self.eval_env is None or settings.eval_every != IN_PROPORTION or result.stopped:
            return
        cut_off = not self.at_rest
        if evaluation_schedule.is_due_at_the_end(self.step, self.steps_before, result, settings, cut_off=cut_off):
            left = evaluation_schedule.steps_left(self.step - self.steps_before, result, at_the_end=True)
            with contextlib.suppress(StopTraining):  # it is over already
                self._evaluate(self.eval_env, left)

    def _diagnose(self) -> None:
        values = complete(self.agent.diagnostics())
        record = DiagnosticsRecord(self.step, self.episode, self._seconds(), values)
        self.result.diagnostics.append(record)
        for callback in self.callbacks:
            callback.on_diagnostics(record)

    def _last_diagnostics(self) -> None:
        """Record what came after the last record; a run that goes on with more steps has it in its next one."""
        if self.step > self.steps_before and self.step % RECORD_EVERY:
            try:
                self._diagnose()
            except StopTraining as stop:
                self._note(stop)

    def _evaluate(self, env: gymnasium.Env[Any, Any], enough_steps: float = math.inf) -> None:
        seconds, began = self._seconds(), self.clock()
        settings, result = self.settings, self.result
        policy_file = self.agent.policy_file()
        outcome = evaluate(
            Policy(policy_file),
            env,
            episodes=settings.eval_episodes,
            seed=settings.eval_seed,
            max_steps=settings.longest_evaluation,
            enough_steps=enough_steps,
        )
        record = EvaluationRecord(self.step, self.episode, seconds, outcome)
        best = max((one.result.mean for one in result.evaluations), default=-math.inf)
        is_best = outcome.mean >= best - AS_GOOD * abs(best)
        result.evaluations.append(record)
        if is_best:
            result.best_policy, result.best_evaluation = policy_file, record
        self.evaluation_time += self.clock() - began
        for callback in self.callbacks:
            callback.on_evaluation(record, policy_file, is_best=is_best)

    def _end_episode(self, total: float, length: int, losses: Means) -> None:
        seconds = self._seconds()
        record = EpisodeRecord(
            episode=self.episode,
            steps=self.step,
            episode_return=total,
            length=length,
            critic_loss=losses.mean('critic_loss'),
            actor_loss=losses.mean('actor_loss'),
            steps_per_s=(self.step - self.steps_before) / max(seconds, 1e-9),
            seconds=seconds,
        )
        self.result.episodes.append(record)
        for callback in self.callbacks:
            callback.on_episode_end(record)

    def _budget_spent(self) -> bool:
        limit = self.settings.total_steps
        return limit is not None and self.step - self.steps_before >= limit

    def _seconds(self) -> float:
        return self.clock() - self.start - self.evaluation_time
