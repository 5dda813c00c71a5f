"""The parts of an agent (networks, optimisers, backend, replay, random streams): create, save and restore them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from velora_ros import __version__
from velora_ros.errors import ConfigError, DivergenceError, SpecError
from velora_ros.gym.make_env import id_of
from velora_ros.liquid import Wiring
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.agent_to_policy_file import default_spec, policy_file
from velora_ros.models.backends.choose_backend import Choice, choose_backend, make_backend
from velora_ros.models.backends.cuda_graph_learner import DeviceLearner
from velora_ros.models.backends.protocol import Backend
from velora_ros.models.fine_tuning import Start
from velora_ros.models.optimisers import make_optimiser, make_plain, optimiser_state, restore_optimiser, with_core_rate
from velora_ros.models.random_streams import Streams
from velora_ros.policy import PolicyFile
from velora_ros.replay_buffers import Batch, SequenceBuffer, StreamBuffer
from velora_ros.spec import PolicySpec
from velora_ros.training import TrainConfig
from velora_ros.training.diagnostics import Gathered
from velora_ros.training.numpy_view import Env

Array = np.ndarray

REPLAY = 'replay.rows'
REPLAY_RINGS = ('replay.positions', 'replay.sizes')
COUNTERS = ('steps', 'episodes', 'updates', 'steps_of_full_episodes', 'vector_steps')
NEWER_COUNTERS = COUNTERS[3:]  # files of earlier releases do not have them


class AgentState:
    """
    Networks, optimisers, backend, replay, random streams and counters of an agent, and its environment.

    Args:
        wiring: the actor's synapses.
        streams: all random sources.
        config: the constructor's hyperparameters; ``train`` sets its own before training.
        optim: the optimisers' class.
        device: the device to compute on.
    """

    def __init__(
        self, wiring: Wiring, streams: Streams, config: TrainConfig, *, optim: type[Optimizer], device: torch.device
    ) -> None:
        self.wiring, self.streams, self.config = wiring, streams, config
        self.optim, self.device = optim, device
        self.spec: PolicySpec | None = None
        self.environment: str | None = None
        self.steps = self.episodes = self.updates = self.steps_of_full_episodes = self.vector_steps = 0
        self.dt_range = (1.0, 1.0)  # dt/T, shortest and longest seen in training
        self.provenance: dict[str, Any] = {}
        self.privileged_dim = 0
        self.start: Start | None = None
        self.n_streams = 0
        """Number of environments of the vector that the replay is for; 0: a single environment."""
        self.gathered = Gathered()
        """Sums of what updates and episodes have measured since the last diagnostics."""
        self.build()

    def build(self, privileged_dim: int = 0) -> None:
        """
        Make networks, optimisers, backend and replay.

        Args:
            privileged_dim: entries of the privileged state that the critic sees; 0: it sees the observation.
        """
        config, wiring = self.config, self.wiring
        self.privileged_dim = privileged_dim
        self.networks = Networks(
            wiring,
            config.critic_sizes,
            state_dim=privileged_dim or wiring.n_sensory,
            n_critics=config.n_critics,
            averaged=config.policy_tau > 0,
            motor_init=config.motor_init,
            memory_wiring=self._memory_wiring(),
            generator=self.streams.torch_weights(),
        ).to(self.device)
        actor_parameters = with_core_rate(self.networks.actor, config.core_rate)
        self.actor_optimizer = make_optimiser(self.optim, actor_parameters, config.actor_lr)
        self.critic_optimizer = make_optimiser(self.optim, self.networks.critic_side().parameters(), config.critic_lr)
        self.backend_choice, self.backend = self._choose_backend()
        self.buffer = self._make_buffer()
        self._batch: Batch | None = None
        self._learner: DeviceLearner | None = None
        self._hidden_now = self.initial_hidden()  # after the latest observation that got an action
        if self.start is not None:
            self.start.put_into(self.networks, privileged=bool(privileged_dim))

    def _make_buffer(self) -> SequenceBuffer | StreamBuffer:
        capacity, wiring, state_dim = self.config.buffer_size, self.wiring, self.privileged_dim
        sizes = wiring.n_sensory, wiring.n_motor, self.hidden_size
        if self.n_streams:
            return StreamBuffer(capacity, self.n_streams, *sizes, state_dim=state_dim)
        return SequenceBuffer(capacity, *sizes, state_dim=state_dim)

    def set_streams(self, n_streams: int) -> None:
        """
        Make a replay for n streams or for a single environment.

        The content of the old replay is lost; an agent that continues with another number of environments fills the new
        one.

        Args:
            n_streams: number of environments of the vector; 0: a single environment.
        """
        if n_streams != self.n_streams:
            self.n_streams = n_streams
            self.buffer, self._batch, self._learner = self._make_buffer(), None, None

    def _move_to(self, device: torch.device) -> None:
        """Move networks and optimisers to a device, and choose a backend there."""
        self.networks.to(device)
        for optimizer in (self.actor_optimizer, self.critic_optimizer):
            make_plain(optimizer)
        self._learner = None
        self.backend_choice, self.backend = self._choose_backend()

    def _choose_backend(self) -> tuple[Choice, Backend]:
        optimizers = self.actor_optimizer, self.critic_optimizer
        choice = choose_backend(self.config, self.networks, optimizers)
        return choice, make_backend(choice, self.networks, *optimizers)

    def __getstate__(self) -> dict[str, Any]:
        """Omit the batch from copies, because the fields of a copied batch are not views of the copied rows."""
        return {**self.__dict__, '_batch': None, '_learner': None}

    @property
    def hidden_size(self) -> int:
        """Number of entries of the hidden state in training, of the actor and of the critics' memory."""
        return self.wiring.n_command + self.networks.memory_size

    def initial_hidden(self) -> Array:
        """Return the hidden state at the start of an episode: zeros, shape (hidden,)."""
        return np.zeros(self.hidden_size, dtype=np.float32)

    def _memory_wiring(self) -> Wiring | None:
        """Draw the wiring of the critics' memory, if the agent has one; the same at every call."""
        config, wiring = self.config, self.wiring
        if not config.critic_neurons:
            return None
        rng = np.random.default_rng(self.streams.weights_seed)
        return Wiring.random(wiring.n_sensory, config.critic_neurons, wiring.n_motor, rng=rng, sparsity=config.sparsity)

    def begin_from(self, start: Start) -> None:
        """
        Load the networks and the spec of a file, before the first step.

        Args:
            start: the content of the file; its wiring is this agent's.
        """
        self.start, file = start, start.file
        self.build(start.privileged_dim)
        self.spec, self.environment = file.spec, file.environment
        if file.policy is not None and self.config.dt_input:
            shortest, longest = file.policy.dt_range
            self.dt_range = (shortest / file.policy.spec.control_period, longest / file.policy.spec.control_period)
        self.provenance['from'] = file.summary()

    @property
    def began_from_file(self) -> bool:
        """Whether training began from a file; still true in a resumed run."""
        return 'from' in self.provenance

    def adopt(self, env: Env, spec: PolicySpec) -> None:
        """
        Adopt an environment's names, bounds and period.

        Raises:
            SpecError: the environment's sizes are not this agent's, or differ from an earlier environment's.
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

    def check_start_up(self, start_steps: int) -> None:
        """
        Check that the normalisers, if the agent has any, are frozen or will be frozen after the start-up steps.

        Args:
            start_steps: steps before the first update, over all calls of ``train``.

        Raises:
            ConfigError: the start-up ends before there are two transitions for the mean and the deviation.
        """
        least = self.steps + max(1, 2 - len(self.buffer))
        if self._normaliser_is_due and start_steps < least:
            raise ConfigError(
                f'start_steps is {start_steps} and the agent has taken {self.steps} steps, but normalise is True: the '
                f'normaliser is computed from the start-up steps. Use start_steps of at least {least}, usually a '
                'few hundred, or LiquidDDPG(normalise=False).'
            )

    @property
    def _normaliser_is_due(self) -> bool:
        return self.config.normalise and self.updates == 0 and not self.networks.observation_normaliser.frozen

    def check_weights(self) -> None:
        """
        Check that every weight is finite, before the saved networks are overwritten.

        Raises:
            DivergenceError: a weight is not finite.
        """
        for name, values in self.networks.state_dict().items():
            if not torch.isfinite(values).all():
                raise DivergenceError.of(f'after {self.updates} updates a weight of the networks ({name})')

    def policy_file(self) -> PolicyFile:
        """
        Return the current policy in deployable form; without a trained environment the bounds are [-1, 1].

        Raises:
            DivergenceError: a weight is not finite.
        """
        self.check_weights()
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

    def state(self, *, buffer: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """
        Return the whole agent for :meth:`restore`: tensors by name, and JSON-ready values.

        Args:
            buffer: whether to include the replay.
        """
        actor, actor_groups = optimiser_state('actor', self.actor_optimizer)
        critic, critic_groups = optimiser_state('critic', self.critic_optimizer)
        networks = {f'networks.{name}': value for name, value in self.networks.state_dict().items()}
        replay = self._replay_state() if buffer else {}
        values = {
            'spec': None if self.spec is None else self.spec.to_dict(),
            'environment': self.environment,
            'privileged_dim': self.privileged_dim,
            'dt_range': self.dt_range,
            'counters': {name: getattr(self, name) for name in COUNTERS},
            'provenance': self.provenance,
            'diagnostics': self.gathered.state(),
            'run_seed': self.streams.run_seed,
            'replay_position': self.buffer.position if buffer and isinstance(self.buffer, SequenceBuffer) else 0,
            'n_streams': self.n_streams,
            'random': self.streams.state(),
            'optimizer_groups': {'actor': actor_groups, 'critic': critic_groups},
        }
        return {**networks, **actor, **critic, **replay}, values

    def _replay_state(self) -> dict[str, Tensor]:
        if isinstance(self.buffer, SequenceBuffer):
            return {REPLAY: torch.from_numpy(self.buffer.rows[: len(self.buffer)])}
        rows, *rings = self.buffer.state().values()
        named = zip(REPLAY_RINGS, rings, strict=True)
        return {REPLAY: torch.from_numpy(np.ascontiguousarray(rows)), **{n: torch.from_numpy(v) for n, v in named}}

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """
        Restore the output of :meth:`state` of an agent with the same hyperparameters and wiring.

        Raises:
            KeyError, RuntimeError, ValueError, TypeError, SpecError: something is missing, or of the wrong shape.
        """
        if values['privileged_dim']:
            self.build(values['privileged_dim'])
        prefix = 'networks.'
        self.networks.load_state_dict(
            {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        )
        for name, optimizer in (('actor', self.actor_optimizer), ('critic', self.critic_optimizer)):
            restore_optimiser(name, optimizer, tensors, values['optimizer_groups'][name])
        self.backend.refresh()
        self._learner = None
        self.set_streams(values.get('n_streams', 0))  # older files have a single environment
        if REPLAY in tensors:
            rows = tensors[REPLAY].numpy()
            if isinstance(self.buffer, StreamBuffer):
                self.buffer.restore(rows, *(tensors[name].numpy() for name in REPLAY_RINGS))
            else:
                self.buffer.restore(rows, int(values['replay_position']))
        # ``train`` may have been given a different seed from the constructor.
        self.streams = Streams.restore(values['run_seed'], values['random'])
        self.spec = None if values['spec'] is None else PolicySpec.from_dict(values['spec'])
        self.environment = values['environment']
        shortest, longest = values['dt_range']
        self.dt_range = float(shortest), float(longest)
        self.provenance = dict(values['provenance'])
        self.gathered.restore(values.get('diagnostics', {}))  # older files have none
        counters = values['counters']
        for name in COUNTERS:
            setattr(self, name, counters.get(name, 0) if name in NEWER_COUNTERS else counters[name])
