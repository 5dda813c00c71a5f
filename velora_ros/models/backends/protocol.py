"""The interface of a backend: acting, and the values, gradients and steps of one update."""

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from velora_ros.errors import DivergenceError
from velora_ros.replay_buffers import Batch
from velora_ros.training import TrainConfig

Array = npt.NDArray[np.float32]


class Backend(Protocol):
    """
    Computes with the agent's networks and optimisers, in place.

    B sequences have L steps each; the first ``burn_in`` of them only bring the hidden state up to date and carry no
    loss. Each method that takes ``config`` reads the settings of the update from it.
    """

    def act(self, observation: Array, hidden: Array, dt: float) -> tuple[Array, Array]:
        """
        Run the actor on one observation.

        Args:
            observation: the observation in the environment's units, shape (observation,).
            hidden: shape (hidden,).
            dt: dt/T.

        Returns:
            action in [-1, 1], shape (action,), and the next hidden state, shape (hidden,): the actor's part, then the
            part of the critics' memory if there is one.
        """
        ...

    def act_batch(self, observation: Array, hidden: Array, dt: Array) -> tuple[Array, Array]:
        """
        Run the actor on one observation of each of n streams.

        Args:
            observation: the observation in the environment's units, shape (n, observation).
            hidden: shape (n, hidden).
            dt: dt/T, shape (n,).

        Returns:
            actions in [-1, 1], shape (n, action), and the next hidden states, shape (n, hidden).
        """
        ...

    def value(self, state: Array, memory: Array, action: Array) -> float:
        """
        Return the first critic's Q.

        Args:
            state: what the critic sees, in the environment's units, shape (state,).
            memory: hidden state of the critics' memory after that state, shape (memory,); empty if there is no memory.
            action: the action in [-1, 1], shape (action,).
        """
        ...

    def states(self, batch: Batch) -> Array:
        """Run the sequences of a batch and return the hidden state after the last step, shape (B, hidden)."""
        ...

    def prepare(self, batch: Batch, burn_in: int) -> Any:
        """Return a batch in the layout that the methods below take; it is valid until the next call."""
        ...

    def targets(self, data: Any, noise: Array, config: TrainConfig) -> Any:
        """
        Return the targets of the critics for the B * (L - burn-in) steps that carry loss.

        y = r + gamma^(dt'/T) (1 - terminated) Q'(s', mu'(o', h) + noise), where Q' is the value of all critics
        (:func:`velora_ros.models.targets.value_of_critics`), mixed with the rewards that follow in the sequence
        (:func:`velora_ros.models.targets.lambda_returns`). The target actor runs over the same steps as
        the actor; from its state after o it takes one step on o'.

        Args:
            data: the batch from :meth:`prepare`.
            noise: the smoothing noise from :func:`velora_ros.models.targets.smoothing_noise`, shape (B, L - burn-in,
                action).
            config: ``gamma``, ``trace``, ``trace_width``, ``mean_share``, ``reward_scale``, ``burn_in``.
        """
        ...

    def critic_step(
        self, data: Any, target: Any, config: TrainConfig, *, measure: bool = False
    ) -> tuple[dict[str, float], dict[str, float]]:
        """
        Take one optimiser step of every critic and their memory, on the mean squared error.

        Args:
            data: the batch from :meth:`prepare`.
            target: the targets from :meth:`targets`.
            config: ``burn_in``, ``max_grad_norm``.
            measure: whether to return diagnostics too; the step stays the same.

        Returns:
            ``critic_loss`` and ``q_mean``; and the diagnostics of the step, named as in
            :data:`velora_ros.training.diagnostics.DIAGNOSTICS`, empty unless ``measure``.

        Raises:
            DivergenceError: the loss is not finite; no step is taken.
        """
        ...

    def actor_step(
        self, data: Any, config: TrainConfig, *, measure: bool = False
    ) -> tuple[dict[str, float], dict[str, float]]:
        """
        Take one optimiser step of the actor to raise the first critic's Q, with backpropagation through time.

        Args:
            data: the batch from :meth:`prepare`; the actions in it may be overwritten.
            config: ``burn_in``, ``max_grad_norm``.
            measure: whether to return diagnostics too; the step stays the same.

        Returns:
            ``actor_loss``; and the diagnostics of the step, empty unless ``measure``.

        Raises:
            DivergenceError: the loss is not finite; no step is taken.
        """
        ...

    def actor_states(self) -> Array:
        """
        Return the actor's hidden states after the steps that carried loss in the last :meth:`actor_step`.

        They were computed before that step, have the shape (L - burn-in, hidden, B), and are valid until the next call.
        """
        ...

    def follow_targets(self, tau: float, *, actor: bool = True) -> None:
        """
        Let the target networks follow their online networks: theta' <- (1 - tau) theta' + tau theta.

        Args:
            tau: share of the online weights.
            actor: whether the actor's target follows too, besides the targets of the critics and their memory.
        """
        ...

    def refresh(self) -> None:
        """
        Adopt weights and optimiser states that were replaced, either loaded from a file or assigned by a program.

        Raises:
            ConfigError: see :meth:`refresh_weights`.
        """
        ...

    def refresh_weights(self) -> None:
        """
        Adopt replaced weights only; this takes 20 us if none was replaced.

        Raises:
            ConfigError: a parameter is another object, or of another type, shape or device.
        """
        ...


def check_loss(network: str, loss: float) -> None:
    """
    Check that a loss is finite, because a step along its gradient would otherwise make every weight NaN.

    Raises:
        DivergenceError: the loss is not finite.
    """
    if not math.isfinite(loss):
        raise DivergenceError.of(f"the {network}'s loss")
