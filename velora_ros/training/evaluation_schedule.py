"""
When to evaluate where ``eval_every`` is -1: evaluations take about a tenth as many steps as training.

An evaluation is due when all of them, the next one included, will have taken at most a tenth of the training steps so
far, and at least 500 steps after the last one. How long the next one takes is estimated from the training episodes and
the last evaluation. One that takes longer begins no other episode once evaluations have had a quarter of the training
steps. One more follows at the end of training; all of them together then have at most half of the training steps, or
one episode more. It is left out if a single episode would let evaluations take more steps than training.

Everything here depends on the records of the run alone, so a resumed run evaluates where an uninterrupted one does.
"""

import dataclasses
from statistics import mean
from typing import Protocol

from velora_ros.training.records import TrainResult

SHARE = 0.1
LARGEST_SHARE = 0.25  # of evaluations that turn out longer than was expected
SHARE_AT_THE_END = 0.5
LEAST_GAP = 500  # steps
LOOK = 100  # steps; it is looked at so often whether one is due
LATEST = 10  # episodes that the estimate is made of


class Limits(Protocol):
    """What it needs of :class:`velora_ros.training.LoopSettings`."""

    @property
    def eval_episodes(self) -> int:
        """Episodes of an evaluation."""
        ...

    @property
    def longest_evaluation(self) -> int:
        """Steps of each at most."""
        ...


def is_due(step: int, steps_before: int, result: TrainResult, limits: Limits) -> bool:
    """
    Return whether to evaluate.

    Args:
        step: steps of the agent so far.
        steps_before: those that it had taken before this run.
        result: what the run has brought so far.
        limits: of an evaluation.
    """
    done, last = step - steps_before, result.evaluations[-1].steps if result.evaluations else steps_before
    if done % LOOK:
        return False
    return step - last >= LEAST_GAP and spent(result) + limits.eval_episodes * _length(result, limits) <= SHARE * done


def is_due_at_the_end(step: int, steps_before: int, result: TrainResult, limits: Limits, *, cut_off: bool) -> bool:
    """
    Return whether to evaluate the policy that training ended with.

    Args:
        step: as for :func:`is_due`, like the next three.
        steps_before: likewise.
        result: likewise.
        limits: likewise.
        cut_off: whether the budget ended the last training episode, which then says little about the length of one.
    """
    if result.evaluations and result.evaluations[-1].steps == step:
        return False
    whole = dataclasses.replace(result, episodes=result.episodes[:-1] if cut_off else result.episodes)
    return spent(result) + _length(whole, limits) <= step - steps_before


def steps_left(done: int, result: TrainResult, *, at_the_end: bool = False) -> float:
    """Return after how many steps an evaluation begins no other episode."""
    return (SHARE_AT_THE_END if at_the_end else LARGEST_SHARE) * done - spent(result)


def spent(result: TrainResult) -> int:
    """Return the steps that the evaluations of a run have taken; one before the first episode does not count."""
    return sum(sum(one.result.lengths) for one in result.evaluations if one.episode or one is not result.evaluations[0])


def _length(result: TrainResult, limits: Limits) -> float:
    """Return the steps that an episode of the next evaluation is expected to have."""
    lengths = [[one.length for one in result.episodes[-LATEST:]]] if result.episodes else []
    if result.evaluations:
        lengths.append(list(result.evaluations[-1].result.lengths))
    return min([float(limits.longest_evaluation), *([max(mean(one) for one in lengths)] if lengths else [])])
