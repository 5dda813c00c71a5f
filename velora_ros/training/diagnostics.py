"""Diagnostics of learning, in addition to returns and losses: their table, and their means between two records."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

RECORD_EVERY = 1_000
"""Environment steps between two records. A record takes about 0.8 ms, 0.25 % of the time of these steps."""
SAMPLE_EVERY = 200
"""Updates between two sampled updates. A sample takes about 0.2 ms."""
SATURATED = 0.95
"""Share of tanh's range beyond which less than a tenth of the gradient passes through a neuron."""


@dataclass(frozen=True)
class Diagnostic:
    """
    One diagnostic.

    Args:
        name: column of ``diagnostics.csv``, key of ``~/metrics``, and TensorBoard's tag after ``diagnostics/``.
        unit: unit of the values.
        meaning: explanation in one sentence.
        healthy: how the values develop in a successful run.
    """

    name: str
    unit: str
    meaning: str
    healthy: str


DIAGNOSTICS = (
    Diagnostic(
        'q_mean', 'scaled return',
        'mean Q of the first critic over the batches from the replay',
        'rises to the magnitude of the discounted return, then stays there',
    ),
    Diagnostic(
        'target_mean', 'scaled return',
        "mean of the critics' targets, over the same batches",
        'within a few percent of `q_mean`; if it stays above `q_mean` for a long time, Q chases its own targets',
    ),
    Diagnostic(
        'twin_gap', 'scaled return',
        'mean absolute difference between the two critics; empty with one critic',
        'small compared with `q_mean`',
    ),
    Diagnostic(
        'q_start', 'scaled return',
        'Q of the first state and action of the training episodes that ended',
        'follows the discounted return',
    ),
    Diagnostic(
        'q_bias', 'scaled return',
        '`q_start` minus the actual discounted return; for a truncated episode, the critic estimates the rest',
        'around 0; negative while Q still rises; large and positive compared with `q_start` means overestimation',
    ),
    Diagnostic(
        'action_saturation', 'fraction',
        f"actor outputs whose magnitude is above {SATURATED} of tanh's range, over the batches",
        'below 0.5, unless the task needs full force; near 1, little gradient passes',
    ),
    Diagnostic(
        'hidden_saturation', 'fraction',
        f'elements of the hidden state whose magnitude is above {SATURATED}, over the batches',
        'below 0.3; near 1, the neurons act as switches and hardly learn, so lower `actor_lr`',
    ),
    Diagnostic(
        'hidden_staleness', 'ratio',
        'distance between the stored hidden states and those that the current network computes for the same '
        'observations, relative to the magnitude of the current ones; empty for an actor without a hidden state',
        '0.4 to 0.9, because the replay contains hidden states of earlier networks; if above 1, try `burn_in` or '
        'a smaller replay',
    ),
    Diagnostic(
        'actor_gradient', 'norm',
        "norm of the actor's gradient before clipping to `max_grad_norm`",
        'keeps its order of magnitude; if 0, the actor is dead; if it grows, lower the learning rates or set '
        '`max_grad_norm`',
    ),
    Diagnostic(
        'critic_gradient', 'norm',
        "norm of the critics' gradient before clipping to `max_grad_norm`",
        'grows with Q, then levels off; if it grows while Q is constant, lower `critic_lr`',
    ),
    Diagnostic(
        'noise', 'fraction of half the range of the actions',
        'current standard deviation of the exploration noise',
        'as configured',
    ),
    Diagnostic(
        'actor_lr', '',
        "the actor's current learning rate",
        'as configured',
    ),
    Diagnostic(
        'critic_lr', '',
        "the critics' current learning rate",
        'as configured',
    ),
    Diagnostic(
        'updates', 'count',
        'updates so far',
        'rises by `update_ratio` per step after the first `boost_steps`, or as `samples_per_transition` says',
    ),
)  # fmt: skip
NAMES = tuple(one.name for one in DIAGNOSTICS)


@dataclass(frozen=True)
class DiagnosticsRecord:
    """
    The diagnostics of the steps since the last record.

    Args:
        steps: environment steps so far, over all calls of ``train``.
        episode: number of the current episode, from 1.
        seconds: training time so far [s], evaluations excluded.
        values: a value for each name in :data:`DIAGNOSTICS`; NaN where there was nothing to measure.
        terms: means of a task's reward terms and metrics, named as in
            :class:`velora_ros.training.reward_terms.TermMeans`.
    """

    steps: int
    episode: int
    seconds: float
    values: Mapping[str, float]
    terms: Mapping[str, float] = field(default_factory=dict)


class Gathered:
    """Means of samples by name, since the last :meth:`take`."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, values: Mapping[str, float]) -> None:
        """Add one sample of each value, unless it is not finite."""
        for name, value in values.items():
            if math.isfinite(value):
                total, count = self._sums.get(name, (0.0, 0))
                self._sums[name] = total + value, count + 1

    def take(self) -> dict[str, float]:
        """Return the means and start over."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        return means

    def state(self) -> dict[str, Sequence[float]]:
        """Return the sums and the numbers of samples for :meth:`restore`, JSON-ready."""
        return {name: list(pair) for name, pair in self._sums.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from the output of :meth:`state`."""
        self._sums = {name: (float(total), int(count)) for name, (total, count) in state.items()}


def complete(values: Mapping[str, float]) -> dict[str, float]:
    """Return a value for each of :data:`DIAGNOSTICS`, in its order; NaN where ``values`` has none."""
    return {name: float(values.get(name, math.nan)) for name in NAMES}
