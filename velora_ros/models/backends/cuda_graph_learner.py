"""
Updates that never leave the device, from the replay to the optimisers' steps; on CUDA they are two graphs.

A graph is one launch instead of hundreds; otherwise an update of this size mostly waits for launches. Everything that
a graph reads is at fixed addresses: random numbers are drawn there in advance, learning rates are tensors. torch's
compiler fuses the small operations in a graph: 250 kernels instead of 800. Nothing waits for the device except
:meth:`DeviceLearner.metrics`. The same code runs without graphs on the CPU, where tests compare it with the torch
backend.
"""

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor
from torch.optim import Optimizer

from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.backends.torch_backend import TensorBatch, TorchBackend, take_step
from velora_ros.models.optimisers import make_capturable, set_learning_rate
from velora_ros.models.targets import soft_update
from velora_ros.replay_buffers import SequenceBuffer, StreamBuffer
from velora_ros.replay_buffers.device_copy import DeviceRows
from velora_ros.training import TrainConfig
from velora_ros.training.diagnostics import SATURATED

logger = logging.getLogger(__name__)

Loss = Callable[[], tuple[Tensor, Tensor]]
WARM_UP = 3
"""Number of updates before a graph is recorded, in which torch allocates what it needs; they are undone."""


class DeviceLearner:
    """
    Samples and updates on the networks' device.

    Args:
        backend: the torch backend, with the networks and optimisers.
        buffer: the replay, which stays on the host; its rows are copied to the device as they arrive.
        config: the hyperparameters of the updates; other values need another learner.
        seed: seed of the run; the random numbers of an update are a function of this and the update's number.
        graphs: whether to record CUDA graphs; False: call the same functions directly.
    """

    def __init__(
        self,
        backend: TorchBackend,
        buffer: SequenceBuffer | StreamBuffer,
        config: TrainConfig,
        *,
        seed: int,
        graphs: bool,
    ) -> None:
        self._backend, self._config, self._seed = backend, config, seed
        self._networks: Networks = backend.networks
        device = self._networks.device
        self._rows = DeviceRows(buffer, device)
        self._generator = torch.Generator(device)
        steps = config.sequence_length
        n_actions = self._networks.actor.motor.weight.shape[0]
        self.places = torch.zeros(config.n_sequences, dtype=torch.float64, device=device)
        self.noise = torch.zeros(config.n_sequences, steps, n_actions, device=device)
        self._critic_metrics, self._actor_metrics = torch.zeros(5, device=device), torch.zeros(4, device=device)
        self._critic: Callable[[], object] = self._update_critic
        self._actor: Callable[[], object] = self._update_actor
        self._losses: tuple[Loss, ...] = self._critic_loss, self._actor_loss
        self._graphs, self._rates = graphs, (math.nan, math.nan)
        if graphs:
            for optimizer in (backend.actor_optimizer, backend.critic_optimizer):
                make_capturable(optimizer)

    def set_learning_rates(self, actor: float, critic: float) -> None:
        """Set both learning rates if they have changed."""
        if self._rates != (actor, critic):
            self._rates = actor, critic
            set_learning_rate(self._backend.actor_optimizer, actor)
            set_learning_rate(self._backend.critic_optimizer, critic)

    def update(self, number: int, *, actor: bool) -> None:
        """
        Run one update.

        Args:
            number: number of the update, from 1.
            actor: whether the actor is updated too.
        """
        self._rows.update()
        if self._graphs:
            self._record()
        self.draw(number)
        self._critic()
        if actor:
            self._actor()

    def draw(self, number: int) -> None:
        """Draw the starts of the sequences and the smoothing noise of an update, into their fixed memory."""
        self._generator.manual_seed((self._seed * 1_000_003 + number) % 2**63)
        self.places.uniform_(generator=self._generator)
        scale = self._config.target_noise
        if scale:
            self.noise.normal_(generator=self._generator).mul_(scale).clamp_(-2.5 * scale, 2.5 * scale)

    def metrics(self) -> dict[str, float]:
        """Return losses and diagnostics of the last update, by name; this waits for the device."""
        loss, norm, mean, target, gap = self._critic_metrics.tolist()
        actor_loss, actor_norm, actions, states = self._actor_metrics.tolist()
        diagnostics = {'q_mean': mean, 'target_mean': target, 'critic_gradient': norm}
        diagnostics |= {'twin_gap': gap} if len(self._networks.critics) > 1 else {}
        diagnostics |= {'action_saturation': actions, 'hidden_saturation': states, 'actor_gradient': actor_norm}
        return {'critic_loss': loss, 'actor_loss': actor_loss, **diagnostics}

    def batch(self) -> TensorBatch:
        """Return the sequences at :attr:`places`, normalised."""
        config, networks, at = self._config, self._networks, self._rows.columns
        rows = self._rows.gather(self.places, config.burn_in + config.sequence_length)
        observed, seen = networks.observation_normaliser, networks.state_normaliser
        privileged, size = at['state'].stop > at['state'].start, networks.actor.hidden_size
        state, following = ('state', 'next_state') if privileged else ('observation', 'next_observation')
        nominal = torch.ones_like(rows[..., 0])
        hidden = rows[:, 0, at['hidden']]
        return TensorBatch(
            observation=observed(rows[..., at['observation']]),
            next_observation=observed(rows[..., at['next_observation']]),
            state=seen(rows[..., at[state]]),
            next_state=seen(rows[..., at[following]]),
            action=rows[..., at['action']],
            dt=rows[..., at['dt'].start] if config.dt_input else nominal,
            next_dt=rows[..., at['next_dt'].start] if config.dt_input else nominal,
            hidden=hidden[:, :size],
            memory=hidden[:, size:],
            first=rows[..., at['first'].start],
            elapsed=rows[..., at['next_dt'].start],
            reward=rows[..., at['reward'].start],
            terminated=rows[..., at['terminated'].start],
        )

    @torch.no_grad()
    def targets(self, data: TensorBatch) -> Tensor:
        """Return the critics' targets, (B, L - burn-in), like ``Backend.targets`` but without leaving the device."""
        config, burn_in = self._config, self._config.burn_in
        assert data.reward is not None
        assert data.terminated is not None
        assert data.elapsed is not None
        values, policy = self._backend.next_values(data, self.noise, burn_in)
        value = torch.stack(values)
        smallest = value.amin(dim=0)
        value = smallest + config.mean_share * (value.mean(dim=0) - smallest)
        trace = torch.full_like(value, config.trace)
        if config.trace_width:
            distance = (data.action[:, burn_in:] - policy).square().mean(dim=-1)
            trace = config.trace * torch.exp(distance * (-0.5 / config.trace_width**2))
        trace = trace * (1 - data.first[:, burn_in:])
        reward = config.reward_scale * data.reward[:, burn_in:]
        discount = config.gamma ** data.elapsed[:, burn_in:] * (1 - data.terminated[:, burn_in:])
        last = value.shape[1] - 1
        returns = [reward[:, last] + discount[:, last] * value[:, last]]
        for t in range(last - 1, -1, -1):
            following = value[:, t] + trace[:, t + 1] * (returns[-1] - value[:, t])
            returns.append(reward[:, t] + discount[:, t] * following)
        return torch.stack(returns[::-1], dim=1)

    def _critic_loss(self) -> tuple[Tensor, Tensor]:
        """Return the critics' loss, and the diagnostics of a critic step except the gradient's norm, shape (3,)."""
        data = self.batch()
        target = self.targets(data)
        loss, values = self._backend.critic_loss(data, target, self._config)
        gap = (values[0] - values[-1]).abs().mean()
        return loss, torch.stack([values[0].mean(), target.mean(), gap]).detach()

    def _actor_loss(self) -> tuple[Tensor, Tensor]:
        """Return the actor's loss, and the shares of saturated actions and hidden states, shape (2,)."""
        loss, action, states = self._backend.actor_loss(self.batch(), self._config)
        return loss, torch.stack([(values.abs() > SATURATED).float().mean() for values in (action, states)]).detach()

    def _update_critic(self) -> None:
        backend, networks, config = self._backend, self._networks, self._config
        loss, seen = self._losses[0]()
        norm = take_step(backend.critic_optimizer, networks.critic_side(), loss, config.max_grad_norm, measure=True)
        assert norm is not None
        self._critic_metrics.copy_(torch.cat([torch.stack([loss.detach(), norm]), seen]))
        soft_update(networks.critic_side(target=True), networks.critic_side(), config.tau)

    def _update_actor(self) -> None:
        backend, networks, config = self._backend, self._networks, self._config
        loss, seen = self._losses[1]()
        norm = take_step(backend.actor_optimizer, networks.actor, loss, config.max_grad_norm, measure=True)
        assert norm is not None
        self._actor_metrics.copy_(torch.cat([torch.stack([loss.detach(), norm]), seen]))
        soft_update(networks.actor_target, networks.actor, config.tau)

    def compile(self) -> None:
        """
        Fuse the many small operations of both losses, which halves the time of an update; log one line on failure.

        torch needs a C compiler and Python's headers for that. The first compilation on a machine takes up to half a
        minute. It needs an update of critics and actor, which is undone.
        """
        logger.info('compiling the updates for the GPU; the first time on a machine this takes up to half a minute')
        plain = self._losses
        self._losses = tuple(torch.compile(loss, dynamic=False) for loss in plain)
        try:
            with self._undone(), warnings.catch_warnings():
                warnings.filterwarnings('ignore', message='TensorFloat32 tensor cores')  # which would change results
                self._update_critic()
                self._update_actor()
        except RuntimeError as error:  # an error of torch's compiler; any other error is raised again without it
            self._losses = plain
            reason = str(error).strip().partition('\n')[0]
            logger.warning(
                'torch cannot compile on this machine (%s); updates take about twice as long. Compiling needs a C '
                "compiler and Python's headers.",
                reason,
            )

    def _undone(self) -> AbstractContextManager[None]:
        return undone(self._networks, (self._backend.critic_optimizer, self._backend.actor_optimizer))

    def _record(self) -> None:
        """Record both graphs at the first update, after some updates that are undone."""
        self._graphs = False
        self.compile()
        with self._undone():
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP):
                    self._update_critic()
                    self._update_actor()
            torch.cuda.current_stream().wait_stream(stream)
        critic, actor = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with torch.cuda.graph(critic):
            self._update_critic()
        with torch.cuda.graph(actor):
            self._update_actor()
        self._critic, self._actor = critic.replay, actor.replay


@contextmanager
def undone(networks: Networks, optimizers: Sequence[Optimizer]) -> Iterator[None]:
    """At the end of the block, undo all changes of weights and optimiser states in place; new states become zero."""
    weights = [(tensor, tensor.clone()) for tensor in networks.state_dict().values()]
    before = {
        id(parameter): {name: value.clone() for name, value in state.items()}
        for optimizer in optimizers
        for parameter, state in optimizer.state.items()
    }
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in weights:
                tensor.copy_(value)
            for optimizer in optimizers:
                for parameter, state in optimizer.state.items():
                    old = before.get(id(parameter), {})
                    for name, tensor in state.items():
                        tensor.copy_(old[name]) if name in old else tensor.zero_()
