"""The learning half of LiquidDDPG: networks, optimisers, replay and random streams behind the training loop's verbs."""

import contextlib
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

from velora_ros import __version__
from velora_ros.errors import ConfigError, SpecError
from velora_ros.gym.make_env import id_of
from velora_ros.liquid import Wiring
from velora_ros.liquid.cell_registry import CFC, cell_kind
from velora_ros.models.agent_diagnostics import Outcome
from velora_ros.models.backends.numba_adam import supports
from velora_ros.models.backends.numba_backend import NumbaBackend
from velora_ros.models.backends.torch_backend import TorchBackend, UpdateSettings, smoothing_noise
from velora_ros.models.exploration import add_and_clip
from velora_ros.models.export import policy_file
from velora_ros.models.fine_tuning import Start
from velora_ros.models.networks import Networks
from velora_ros.models.optimisers import without_compiler
from velora_ros.models.random_streams import Streams
from velora_ros.models.torch_settings import flushing
from velora_ros.policy import PolicyFile
from velora_ros.replay import SequenceBuffer, Transition
from velora_ros.spec import PolicySpec
from velora_ros.training.agent_protocol import Array
from velora_ros.training.diagnostics import SAMPLE_EVERY, Gathered
from velora_ros.training.divergence import diverged
from velora_ros.training.environments import Env
from velora_ros.training.hyperparameters import STEPS
from velora_ros.utils import slow_step

COMPILING = 'compiling the loops of the training for this processor; after an install that takes up to a minute, once'

CHECK_EVERY = 1000
"""Updates between two at which weights are taken over that a callback has put in place of others; takes 0.1 ms."""
PLACES, UNROLLED = 16, 64
"""How many stored hidden states are compared to new ones, and over how many steps those are brought up to date."""


@dataclass(frozen=True)
class AgentSettings:
    """The constructor's hyperparameters of ``LiquidDDPG``, whose docstring explains them."""

    optim: type[Optimizer]
    actor_lr: float
    critic_lr: float
    buffer_size: int
    critic_sizes: tuple[int, ...]
    n_critics: int
    critic_neurons: int
    policy_tau: float
    normalise: bool
    sparsity: float
    device: torch.device
    cell: str = CFC
    dt_input: bool = True

    def arguments(self) -> dict[str, Any]:
        """Return them as JSON-ready keywords; the device belongs to a machine and is left out."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del values['device']
        return {**values, 'optim': self.optim.__name__, 'critic_sizes': list(self.critic_sizes)}


class DDPGAgent:
    """
    Implements :class:`velora_ros.training.Agent`.

    Args:
        wiring: the actor's synapses.
        streams: every random source.
        settings: the hyperparameters that stay.
    """

    def __init__(self, wiring: Wiring, streams: Streams, settings: AgentSettings) -> None:
        self.wiring, self.streams, self.settings = wiring, streams, settings
        self.spec: PolicySpec | None = None
        self.environment: str | None = None
        self.steps = 0
        self.episodes = 0
        self.updates = 0
        self.dt_range = (1.0, 1.0)  # dt/T, shortest and longest seen in training
        self.provenance: dict[str, Any] = {}
        self.update_settings, self.episode_share = UpdateSettings(), 0.0
        self.n_sequences, self.sequence_length = 16, 8
        self.lr_decay_steps, self.lr_final, self.lr_decay_counts = 0, 0.1, STEPS
        self.steps_of_full_episodes, self.noise_final = 0, 1.0
        self.privileged_dim = self.critic_warm_up = 0
        self.start: Start | None = None
        self.gathered = Gathered()
        """What the updates and episodes since the last diagnostics have shown."""
        self._outcome, self._noise = Outcome(), 0.0
        self._last: Transition | None = None
        self._compiled = False
        self.build()

    def build(self, privileged_dim: int = 0) -> None:
        """Make networks, optimisers and replay; 0: the critic sees the observation, else a privileged state."""
        settings, wiring = self.settings, self.wiring
        self.privileged_dim = privileged_dim
        self.networks = Networks(
            wiring,
            settings.critic_sizes,
            state_dim=privileged_dim or wiring.n_sensory,
            n_critics=settings.n_critics,
            averaged=settings.policy_tau > 0,
            memory_wiring=self._memory_wiring(),
            generator=self.streams.torch_weights(),
        ).to(settings.device)
        optim: Any = settings.optim  # optimisers share no typed constructor
        with without_compiler():
            self.actor_optimizer: Optimizer = optim(self.networks.actor.parameters(), lr=settings.actor_lr)
            self.critic_optimizer: Optimizer = optim(self.networks.critic_side().parameters(), lr=settings.critic_lr)
        optimizers = (self.actor_optimizer, self.critic_optimizer)
        update = NumbaBackend if supports(optimizers, settings.device) else TorchBackend
        self.backend: NumbaBackend | TorchBackend = update(self.networks, *optimizers)
        self.buffer = SequenceBuffer(
            settings.buffer_size, wiring.n_sensory, wiring.n_motor, self.hidden_size, state_dim=privileged_dim
        )
        self._hidden_now = self.initial_hidden()  # after the last observation that was acted on
        if self.start is not None:
            self.start.put_into(self.networks, privileged=bool(privileged_dim))

    def begin_from(self, start: Start) -> None:
        """
        Take over networks and contract of a file, before the first step.

        Args:
            start: what the file holds; its wiring is this learner's.
        """
        self.start, file = start, start.file
        self.build(start.privileged_dim)
        self.spec, self.environment = file.spec, file.environment
        if file.policy is not None and self.settings.dt_input:
            shortest, longest = file.policy.dt_range
            self.dt_range = (shortest / file.policy.spec.control_period, longest / file.policy.spec.control_period)
        self.provenance['from'] = file.summary()

    @property
    def began_from_file(self) -> bool:
        """Whether it began with what another training had learnt; a resumed run knows it too."""
        return 'from' in self.provenance

    @property
    def hidden_size(self) -> int:
        """Entries of the hidden state in training: the actor's, and those of the critics' memory."""
        return self.wiring.n_command + self.networks.memory_size

    def _memory_wiring(self) -> Wiring | None:
        """Draw the wiring of the critics' memory, if the agent has one; the same at every call."""
        settings, wiring = self.settings, self.wiring
        if not settings.critic_neurons:
            return None
        rng = np.random.default_rng(self.streams.weights_seed)
        return Wiring.random(
            wiring.n_sensory, settings.critic_neurons, wiring.n_motor, rng=rng, sparsity=settings.sparsity
        )

    def adopt(self, env: Env, spec: PolicySpec) -> None:
        """
        Take over an environment's names, bounds and period.

        Raises:
            SpecError: its sizes are not this agent's, or it is not like the one trained in before.
        """
        wiring, known = self.wiring, self.spec
        fresh = self.start if self.steps == 0 else None
        if fresh is not None:
            fresh.file.refuse_other_contract(spec)
        if (spec.observation_dim, spec.action_dim) != (wiring.n_sensory, wiring.n_motor):
            raise SpecError(
                f'the environment has {spec.observation_dim} observations and {spec.action_dim} actions; this agent '
                f'was made for {wiring.n_sensory} and {wiring.n_motor}. Make it with '
                f'LiquidDDPG({spec.observation_dim}, {wiring.n_inter + wiring.n_command}, {spec.action_dim}).'
            )
        if known is not None and (known.action_low, known.action_high) != (spec.action_low, spec.action_high):
            raise SpecError(
                f'the environment has the action bounds {spec.action_low} to {spec.action_high}; this agent was '
                f'trained with {known.action_low} to {known.action_high}. Train a new agent, or rescale the actions.'
            )
        _, info = env.reset(seed=0)
        state = info.get('privileged_state')
        privileged = 0 if state is None else np.size(state)
        if privileged != self.privileged_dim:
            if known is not None and (fresh is None or fresh.has_critic):
                raise SpecError(
                    f'the environment offers the critic {privileged} privileged entries; this agent was trained with '
                    f'{self.privileged_dim}. Use the same wrappers.'
                )
            self.build(privileged)
        self.spec = spec
        self.environment = id_of(env)

    def configure(
        self,
        settings: UpdateSettings,
        n_sequences: int,
        sequence_length: int,
        *,
        lr_decay_steps: int = 0,
        lr_final: float = 0.1,
        lr_decay_counts: str = STEPS,
        episode_share: float = 0.0,
        noise_final: float = 1.0,
        critic_warm_up: int = 0,
    ) -> None:
        """Set the numbers of the updates to come; ``sequence_length`` counts the steps that carry loss."""
        self.backend.rebind()  # somebody may have put other weights or another optimiser's state in since the last call
        self.lr_decay_steps, self.lr_final, self.lr_decay_counts = lr_decay_steps, lr_final, lr_decay_counts
        self.update_settings, self.episode_share, self.noise_final = settings, episode_share, noise_final
        self.n_sequences, self.sequence_length = n_sequences, sequence_length
        self.critic_warm_up = critic_warm_up

    @flushing
    def warm_up(self) -> None:
        """Compile what acts, before the first episode."""
        with slow_step(COMPILING):
            self.backend.act(np.zeros(self.wiring.n_sensory, np.float32), self.initial_hidden(), 1.0)

    def initial_hidden(self) -> Array:
        """Return zeros, shape (hidden,)."""
        return np.zeros(self.hidden_size, dtype=np.float32)

    @flushing
    def act(self, observation: Array, hidden: Array, dt: float, noise_scale: float) -> tuple[Array, Array]:
        """Choose an action; see :class:`velora_ros.training.Agent`."""
        action, state = self.backend.act(observation, hidden, dt if self.settings.dt_input else 1.0)
        self._hidden_now, self._noise = state, 0.0
        if noise_scale > 0:
            deviation = self._noise = noise_scale * self.noise_final ** self._progress()
            add_and_clip(action, deviation * self.streams.noise.standard_normal(action.shape, dtype=np.float32))
        return action, state

    def random_action(self) -> Array:
        """Draw an action uniformly from [-1, 1], shape (action,)."""
        return self.streams.action.uniform(-1, 1, self.wiring.n_motor).astype(np.float32)

    def remember(self, transition: Transition) -> None:
        """Store one transition, and the range of elapsed times seen."""
        self.steps += 1
        self.episodes += transition.first
        if self.settings.dt_input:
            shortest, longest = self.dt_range
            self.dt_range = min(shortest, transition.next_dt), max(longest, transition.next_dt)
        self.buffer.add(transition)
        if transition.first:
            self._outcome.begin(self._value(transition) if self.updates else math.nan)
        settings = self.update_settings
        self._outcome.add(settings.reward_scale * transition.reward, settings.gamma, transition.next_dt)
        self._last = transition

    @flushing
    def end_episode(self, length: int, *, full: bool) -> None:
        """
        Count the steps of episodes that lasted their full time, by which the learning rates may fall.

        One that failed takes half of the count back: a search is not over while some starts still fail.
        """
        self.steps_of_full_episodes = self.steps_of_full_episodes + length if full else self.steps_of_full_episodes // 2
        if math.isfinite(self._outcome.expected):
            self.gathered.add(self._outcome.end(self._value_of_the_rest() if full else 0.0))

    def end_warm_up(self) -> None:
        """
        Freeze the normalisers at what the start-up steps have shown, if the agent has any.

        Once: the networks have learnt with what they were, or were not, frozen at.
        """
        if self._normaliser_is_due and len(self.buffer) > 1:
            seen = self.buffer.latest(len(self.buffer))
            self.networks.observation_normaliser.freeze(seen.observation[0])
            self.networks.state_normaliser.freeze(seen.state[0])
        elif self.began_from_file and self.settings.normalise and not self.networks.state_normaliser.frozen:
            self.networks.state_normaliser.freeze(self.buffer.latest(len(self.buffer)).state[0])  # of a new critic

    def check_start_up(self, start_steps: int) -> None:
        """
        Check that the normalisers, if the agent has any, will be frozen or are.

        Args:
            start_steps: steps before the first update, over all calls of ``train``.

        Raises:
            ConfigError: the start-up is over before two transitions are there to take mean and deviation from.
        """
        least = self.steps + max(1, 2 - len(self.buffer))
        if self._normaliser_is_due and start_steps < least:
            raise ConfigError(
                f'start_steps is {start_steps} and the agent has taken {self.steps} steps, but normalise is True: the '
                f'normaliser is frozen at what the start-up shows. Take start_steps of at least {least}, some hundred '
                'by custom, or LiquidDDPG(normalise=False).'
            )

    @property
    def _normaliser_is_due(self) -> bool:
        return self.settings.normalise and self.updates == 0 and not self.networks.observation_normaliser.frozen

    @flushing
    def learn(self) -> dict[str, float] | None:
        """Run one update on fresh sequences; None while the replay holds fewer transitions than a batch carries."""
        settings = self.update_settings
        if len(self.buffer) < max(self.n_sequences * self.sequence_length, settings.burn_in + self.sequence_length):
            return None
        batch = self.buffer.sample(
            self.n_sequences,
            settings.burn_in + self.sequence_length,
            self.streams.replay,
            episode_share=self.episode_share,
            reuse=True,
        )
        if not self.settings.dt_input:  # the discount still counts the time that passed
            nominal = np.ones_like(batch.dt)
            batch = dataclasses.replace(batch, dt=nominal, next_dt=nominal, elapsed=batch.next_dt)
        self.updates += 1
        self._set_learning_rates()
        seen: dict[str, float] | None = {} if self.updates % SAMPLE_EVERY == 0 else None
        if self.updates % CHECK_EVERY == 0:
            self.backend.attach()
        noise = smoothing_noise(batch, settings, self.streams.noise)
        with contextlib.nullcontext() if self._compiled else slow_step(COMPILING):
            metrics = self.backend(batch, noise, settings, seen)
        self._compiled = True
        if seen is not None:
            self.gathered.add({'q_mean': metrics['q_mean'], **seen})
        self.networks.average_actor(self.settings.policy_tau, self.updates)
        return metrics

    @flushing
    def diagnostics(self) -> dict[str, float]:
        """Return what :data:`velora_ros.training.diagnostics.DIAGNOSTICS` names, of the time since the last call."""
        rates = [optimizer.param_groups[0]['lr'] for optimizer in (self.actor_optimizer, self.critic_optimizer)]
        return {
            **self.gathered.take(),
            'hidden_staleness': self._staleness() if self.updates else math.nan,
            'noise': self._noise,
            'actor_lr': rates[0],
            'critic_lr': rates[1],
            'updates': self.updates,
        }

    def _value(self, transition: Transition) -> float:
        """Return the first critic's Q of a transition that was just acted on."""
        state = transition.state if self.privileged_dim else transition.observation
        return self._critic_value(state, np.asarray(transition.action, np.float32))

    def _value_of_the_rest(self) -> float:
        """Return Q of the state that the last transition led to, and of the action that the actor would take there."""
        assert self._last is not None
        observation = np.asarray(self._last.next_observation, np.float32)
        dt = self._last.next_dt if self.settings.dt_input else 1.0
        action, self._hidden_now = self.backend.act(observation, self._hidden_now, dt)
        return self._critic_value(self._last.next_state if self.privileged_dim else observation, action)

    def _critic_value(self, state: Any, action: Array) -> float:
        memory = self._hidden_now[self.wiring.n_command :]
        return self.backend.value(np.asarray(state, np.float32), memory, action)

    def _staleness(self) -> float:
        """
        Return how far stored hidden states are from those that the present network reaches, over the latter's size.

        The places are spread evenly over the replay. The network runs over the steps before each, from the start of
        the episode where that is among them, else from what was stored.
        """
        length, own = min(UNROLLED, len(self.buffer) - 1), self.wiring.n_command
        remembers = np.ones(self.hidden_size, bool)
        remembers[:own] = cell_kind(self.wiring.cell).recurrent
        if length < 1 or not remembers.any():
            return math.nan
        batch, stored, begins = self.buffer.spread(PLACES, length)
        if not self.settings.dt_input:
            batch = dataclasses.replace(batch, dt=np.ones_like(batch.dt))
        present = self.backend.states(batch)[begins == 0][:, remembers]
        size = float(np.linalg.norm(present))
        return float(np.linalg.norm(present - stored[begins == 0][:, remembers])) / size if size else math.nan

    def change(self, values: Mapping[str, float]) -> None:
        """Take other learning rates; whatever changes is written down in the policy's provenance."""
        settings = self.settings
        self.settings = dataclasses.replace(
            settings,
            actor_lr=values.get('actor_lr', settings.actor_lr),
            critic_lr=values.get('critic_lr', settings.critic_lr),
        )
        self.provenance['changes'] = [*self.provenance.get('changes', []), {'steps': self.steps, **values}]

    def _set_learning_rates(self) -> None:
        """Let both rates fall geometrically to ``lr_final`` over ``lr_decay_steps``: fast at first, steady later."""
        factor = self.lr_final ** self._progress()
        self.actor_optimizer.param_groups[0]['lr'] = self._actor_share() * factor * self.settings.actor_lr
        self.critic_optimizer.param_groups[0]['lr'] = factor * self.settings.critic_lr

    def _actor_share(self) -> float:
        """
        Return the share of its learning rate that the actor moves with: less than 1 only after a start from a file.

        A critic that has seen little misleads: the actor waits for ``critic_warm_up`` steps, and its rate rises
        linearly over as many again.
        """
        waits = self.critic_warm_up
        if not self.began_from_file or self.steps >= 2 * waits:
            return 1.0
        return max(0.0, self.steps / waits - 1.0)

    def _progress(self) -> float:
        """Return how much of the learning rates' fall is over, 0 to 1."""
        if not self.lr_decay_steps:
            return 0.0
        counted = self.steps if self.lr_decay_counts == STEPS else self.steps_of_full_episodes
        return min(1.0, counted / self.lr_decay_steps)

    def refuse_divergence(self) -> None:
        """
        Check that every weight is a number, before one that is not takes the place of what was saved.

        Raises:
            DivergenceError: one is not finite.
        """
        for name, values in self.networks.state_dict().items():
            if not torch.isfinite(values).all():
                raise diverged(f'after {self.updates} updates a weight of the networks ({name})')

    def policy_file(self) -> PolicyFile:
        """
        Return the current policy in deployable form; without a trained environment the bounds are [-1, 1].

        Raises:
            DivergenceError: a weight is not finite.
        """
        self.refuse_divergence()
        spec = self.spec or default_spec(self.wiring.n_sensory, self.wiring.n_motor)
        shortest, longest = self.dt_range
        return policy_file(
            self.networks.deployed,
            self.networks.observation_normaliser,
            spec,
            dt_range=(shortest * spec.control_period, longest * spec.control_period),
            environment=self.environment,
            provenance=self._provenance(),
            seed=self.streams.run_seed,
        )

    def _provenance(self) -> Mapping[str, Any]:
        return {
            'algorithm': 'LiquidDDPG',
            'velora_ros': __version__,
            'torch': torch.__version__,
            'seed': self.streams.run_seed,
            'steps': self.steps,
            'episodes': self.episodes,
            'updates': self.updates,
            **self.provenance,
        }


def default_spec(n_observations: int, n_actions: int) -> PolicySpec:
    """Return what is assumed before an environment is known: no names, bounds [-1, 1], a period of 1 s."""
    return PolicySpec(
        observation_names=tuple(f'obs_{index}' for index in range(n_observations)),
        observation_units=('',) * n_observations,
        action_names=tuple(f'action_{index}' for index in range(n_actions)),
        action_units=('',) * n_actions,
        action_low=(-1.0,) * n_actions,
        action_high=(1.0,) * n_actions,
        control_period=1.0,
        control_period_assumed=True,
    )
