"""
When the policy is evaluated during training, and which policy is the best.

With ``eval_every`` -1 evaluations take about a tenth as many steps as training. An evaluation is due when at least 500
steps have passed since the last one, and all evaluations, including the next one, are expected to take at most a tenth
of the training steps so far. The length of the next evaluation is estimated from the training episodes and the last
evaluation. If it takes longer than estimated, no new episode starts once all evaluations have taken a quarter of the
training steps.

There is a final evaluation at the end of training; all evaluations together then take at most half of the training
steps, or one episode more. The final evaluation is omitted if a single episode of it would make evaluations take more
steps than training.

The schedule depends only on the records of the run, so a resumed run evaluates at the same steps as an uninterrupted
one.
"""

import contextlib
import dataclasses
import math
from collections.abc import Sequence
from statistics import mean
from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from velora_ros.gym.make_vector import make_many_of
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training.agent_protocol import Agent
from velora_ros.training.callbacks import Callback, StopTraining
from velora_ros.training.evaluation import evaluate, evaluate_together
from velora_ros.training.hyperparameters import IN_PROPORTION, TrainConfig
from velora_ros.training.records import EvaluationRecord, EvaluationResult, Stopwatch, TrainResult

SHARE = 0.1
LARGEST_SHARE = 0.25  # for evaluations that take longer than expected
SHARE_AT_THE_END = 0.5
LEAST_GAP = 500  # steps
CHECK_EVERY = 100  # steps between two checks whether an evaluation is due
LATEST = 10  # training episodes that the estimate uses
# A later policy counts as equally good if its mean return is within this share of the best: an evaluation cannot
# resolve smaller differences, and the later policy has seen more. Of two policies of the double pendulum, half a point
# of 9,358 apart, the earlier one failed from 11 % of new starts, the later one from 0.1 %.
AS_GOOD = 0.001


class Evaluations:
    """
    Evaluates an agent's policy when an evaluation is due, and adds the records and the best policy to the result.

    Args:
        agent: provides the policy.
        env: the environment of the evaluations; None: no evaluations.
        config: how often, how many episodes, and how long they may be.
        result: the records so far, to which new records are appended.
        seed: the seed of each evaluation.
        steps_before: steps that the agent had taken before this run.
        callbacks: called after each evaluation.
        watch: measures training time without evaluations.
    """

    def __init__(
        self,
        agent: Agent,
        env: 'gymnasium.Env[Any, Any] | None',
        config: TrainConfig,
        result: TrainResult,
        *,
        seed: int,
        steps_before: int,
        callbacks: Sequence[Callback],
        watch: Stopwatch,
    ) -> None:
        self._agent, self._env, self._config, self._result = agent, env, config, result
        self._seed, self._steps_before, self._callbacks, self._watch = seed, steps_before, callbacks, watch
        self._together: VectorEnv[Any, Any, Any] | None = None  # for a task: all episodes are simulated at once

    def before_the_start(self, step: int, episode: int) -> None:
        """Evaluate the policy that training begins with, unless there are no evaluations."""
        if self._config.eval_every:
            self._evaluate(step, episode)

    def after_step(self, step: int, episode: int, taken: int = 1) -> None:
        """Evaluate if that is due after the last ``taken`` transitions."""
        every = self._config.eval_every
        if self._env is None or not every:
            return
        if every != IN_PROPORTION:
            if step // every > (step - taken) // every:
                self._evaluate(step, episode)
        elif self._is_due(step, taken):
            self._evaluate(step, episode, LARGEST_SHARE * (step - self._steps_before) - spent(self._result))

    def at_the_end(self, step: int, episode: int, *, cut_off: bool) -> None:
        """
        Evaluate the last policy, unless a callback stopped training early.

        With an ``eval_every`` above 0 only if there was an evaluation: the best policy would otherwise be an older one.

        Args:
            step: steps of the agent.
            episode: number of the last episode.
            cut_off: whether the budget ended this episode, so that it is shorter than a whole episode.
        """
        result, done = self._result, step - self._steps_before
        if self._env is None or not self._config.eval_every or result.stopped:
            return
        if result.evaluations and result.evaluations[-1].steps == step:
            return
        if self._config.eval_every != IN_PROPORTION:
            if result.evaluations:
                self._evaluate_after_training(step, episode)
            return
        whole = dataclasses.replace(result, episodes=result.episodes[:-1] if cut_off else result.episodes)
        if spent(result) + self._expected_length(whole) <= done:
            self._evaluate_after_training(step, episode, SHARE_AT_THE_END * done - spent(result))

    def _evaluate_after_training(self, step: int, episode: int, enough_steps: float = math.inf) -> None:
        with contextlib.suppress(StopTraining):  # training is already over
            self._evaluate(step, episode, enough_steps)

    def _is_due(self, step: int, taken: int) -> bool:
        result, done = self._result, step - self._steps_before
        if done // CHECK_EVERY == (done - taken) // CHECK_EVERY:
            return False
        last = result.evaluations[-1].steps if result.evaluations else self._steps_before
        expected = self._config.eval_episodes * self._expected_length(result)
        return step - last >= LEAST_GAP and spent(result) + expected <= SHARE * done

    def _expected_length(self, result: TrainResult) -> float:
        """Return the expected length of an episode in the next evaluation [steps]."""
        lengths = [[one.length for one in result.episodes[-LATEST:]]] if result.episodes else []
        if result.evaluations:
            lengths.append(list(result.evaluations[-1].result.lengths))
        return min([float(self._config.longest_evaluation), *([max(mean(one) for one in lengths)] if lengths else [])])

    def _evaluate(self, step: int, episode: int, enough_steps: float = math.inf) -> None:
        if self._env is None:
            return
        result, seconds = self._result, self._watch.seconds()
        with self._watch.paused():
            policy_file = self._agent.policy_file()
            outcome = self._outcome(policy_file, enough_steps)
            record = EvaluationRecord(step, episode, seconds, outcome)
            best = max((one.result.mean for one in result.evaluations), default=-math.inf)
            is_best = outcome.mean >= best - AS_GOOD * abs(best)
            result.evaluations.append(record)
            if is_best:
                result.best_policy, result.best_evaluation = policy_file, record
        for callback in self._callbacks:
            callback.on_evaluation(record, policy_file, is_best=is_best)

    def _outcome(self, policy: PolicyFile, enough_steps: float) -> EvaluationResult:
        assert self._env is not None
        config, options = self._config, {'seed': self._seed, 'max_steps': self._config.longest_evaluation}
        if math.isinf(enough_steps) and (make_many := make_many_of(self._env)) is not None:
            self._together = self._together or make_many(config.eval_episodes)
            return evaluate_together(policy, self._together, **options)
        return evaluate(Policy(policy), self._env, episodes=config.eval_episodes, enough_steps=enough_steps, **options)


def spent(result: TrainResult) -> int:
    """Return the number of steps of a run's evaluations, without an evaluation before the first episode."""
    return sum(sum(one.result.lengths) for one in result.evaluations if one.episode or one is not result.evaluations[0])
