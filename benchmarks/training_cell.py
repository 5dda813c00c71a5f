"""
The recurrent layer and the whole update: ours against the same in torch with ``ncps.torch.CfCCell(backbone_layers=0)``.

    python benchmarks/training_cell.py [ROUNDS]

Command layer alone on both sides: 32 sequences of 16, inputs from the inter neurons in, states out, then the gradients
of all weights and of the inputs. Whole update: 16 sequences of 8, critic and optimisers included. Both sides hold the
same weights, and their states and gradients are compared before the timing. The last line is JSON.
"""

import functools
import json
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from measuring import machine
from ncps.torch import CfCCell as NcpsCell
from torch import Tensor, nn

from velora_ros.liquid import Wiring
from velora_ros.liquid.cfc_cell import CfCCell
from velora_ros.liquid.kernels import cfc, layers
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.backends.numba_backend import NumbaBackend
from velora_ros.models.backends.protocol import Backend
from velora_ros.models.backends.torch_backend import TorchBackend
from velora_ros.models.threads_and_denormals import flushing, single_thread
from velora_ros.replay_buffers import Batch
from velora_ros.training import TrainConfig

OBSERVATIONS, ACTIONS = 4, 1
GATES = ('ff1', 'ff2', 'time_a', 'time_b')  # the order in which our cell stacks them
Gradients = tuple[np.ndarray, np.ndarray, np.ndarray]


class NcpsCommand(nn.Module):
    """A command layer of ncps' cell, dense, called step by step; it has the methods that our network calls."""

    def __init__(self, cell: CfCCell) -> None:
        super().__init__()
        self.hidden_size = cell.hidden_size
        self.cell = NcpsCell(cell.input_size, cell.hidden_size, backbone_layers=0)
        with torch.no_grad():
            for gate, weight, bias in zip(GATES, cell.weight.chunk(4), cell.bias.chunk(4), strict=True):
                layer = getattr(self.cell, gate)
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)

    def forward(self, inputs: Tensor, hidden: Tensor, dt: Tensor | float = 1.0) -> Tensor:
        """Take one step, shape (B, hidden); dt of shape (B,) gets the axis that ncps' cell needs to broadcast."""
        return self.cell(inputs, hidden, dt[:, None] if isinstance(dt, Tensor) else dt)[0]

    def sequence(self, inputs: Tensor, hidden: Tensor, dt: Tensor, first: Tensor | None = None) -> Tensor:
        """Run a sequence, shape (B, L, hidden)."""
        states = []
        for step in range(inputs.shape[1]):
            if first is not None:
                hidden = hidden * (1 - first[:, step, None])
            hidden = self(inputs[:, step], hidden, dt[:, step])
            states.append(hidden)
        return torch.stack(states, dim=1)


def torch_pass(layer: CfCCell | NcpsCommand, data: SimpleNamespace) -> tuple[np.ndarray, Gradients]:
    """Run forward and backward in torch; return states and the gradients of weight, bias and inputs."""
    inputs, hidden, dt, first = (torch.from_numpy(x) for x in (data.inputs, data.hidden, data.dt, data.first))
    inputs.requires_grad_()
    states = layer.sequence(inputs, hidden, dt, first)
    parameters = dict(layer.named_parameters())
    gradients = torch.autograd.grad(states, [inputs, *parameters.values()], torch.from_numpy(data.d_states))
    d_inputs, by_name = gradients[0], dict(zip(parameters, gradients[1:], strict=True))
    if isinstance(layer, CfCCell):
        weight, bias = by_name['weight'], by_name['bias']
    else:
        weight, bias = (torch.cat([by_name[f'cell.{gate}.{part}'] for gate in GATES]) for part in ('weight', 'bias'))
    return states.detach().numpy(), (weight.numpy(), bias.numpy(), d_inputs.numpy())


def compiled_pass(weight: np.ndarray, bias: np.ndarray, data: SimpleNamespace) -> tuple[np.ndarray, Gradients]:
    """Do the same as :func:`torch_pass` with the compiled loops of training, on data in their layout."""
    length, size, b = data.fast.d_states.shape
    before, states = np.empty((2, length, size, b), np.float32)
    gates, d_gates = np.empty((2, length, 4 * size, b), np.float32)
    fast = data.fast
    cfc.recurrence(fast.inputs, weight, bias, fast.hidden, fast.dt, fast.first, before, gates, states)
    cfc.recurrence_backward(fast.d_states.copy(), 0, weight, gates, fast.dt, fast.first, d_gates)
    d_weight, d_bias, d_inputs = np.empty_like(weight), np.empty_like(bias), np.empty_like(fast.inputs)
    cfc.command_gradients(d_gates, fast.inputs, before, np.ones_like(weight), d_weight, d_bias)
    layers.from_gates(weight, d_gates, d_inputs)
    return states, (d_weight, d_bias, d_inputs)


def cell_sides(n_neurons: int, *, n_sequences: int = 32, length: int = 16) -> dict[str, Callable[[], Any]]:
    """Return a forward and backward pass of the command layer per side, checked against each other."""
    rng = np.random.default_rng(0)
    wiring = Wiring.random(OBSERVATIONS, n_neurons, ACTIONS, rng=rng, sparsity=0.0)  # dense: ncps masks no time gates
    cell = CfCCell(wiring.command, generator=torch.Generator().manual_seed(0))
    normal = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    data = SimpleNamespace(
        inputs=normal(n_sequences, length, wiring.n_inter),
        hidden=np.tanh(normal(n_sequences, wiring.n_command)),
        dt=np.ones((n_sequences, length), np.float32),
        first=np.zeros((n_sequences, length), np.float32),
        d_states=normal(n_sequences, length, wiring.n_command),
    )
    by_step = {name: getattr(data, name).transpose(1, 2, 0).copy() for name in ('inputs', 'd_states')}
    data.fast = SimpleNamespace(**by_step, hidden=data.hidden.T.copy(), dt=data.dt.T.copy(), first=data.first.T.copy())
    ncps = NcpsCommand(cell)
    weight, bias = cell.weight.detach().numpy(), cell.bias.detach().numpy()
    sides = {
        'ours': lambda: compiled_pass(weight, bias, data),
        'ours in torch': lambda: torch_pass(cell, data),
        'ncps': lambda: torch_pass(ncps, data),
    }
    states, gradients = sides['ours']()
    states, gradients = states.transpose(2, 0, 1), (*gradients[:2], gradients[2].transpose(2, 0, 1))
    for name in ('ours in torch', 'ncps'):
        other_states, others = sides[name]()
        np.testing.assert_allclose(states, other_states, atol=1e-5, err_msg=name)
        for mine, theirs in zip(gradients, others, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=2e-4, rtol=1e-3, err_msg=name)
    return sides


def update_sides(n_neurons: int, *, n_sequences: int = 16, length: int = 8) -> dict[str, Callable[[], Any]]:
    """Return a whole update per side: ours, ours in torch, and in torch with ncps' cell in both actors."""
    rng = np.random.default_rng(0)
    wiring = Wiring.random(OBSERVATIONS, n_neurons, ACTIONS, rng=rng)
    normal = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    rows = (n_sequences, length)
    observation, following = normal(*rows, OBSERVATIONS), normal(*rows, OBSERVATIONS)
    batch = Batch(
        observation=observation,
        action=np.tanh(normal(*rows, ACTIONS)),
        reward=np.ones(rows, np.float32),
        terminated=np.zeros(rows, np.float32),
        next_observation=following,
        dt=np.ones(rows, np.float32),
        next_dt=np.ones(rows, np.float32),
        hidden=np.tanh(normal(n_sequences, wiring.n_command)),
        first=np.zeros(rows, np.float32),
        state=observation,
        next_state=following,
    )
    noise = np.clip(0.2 * normal(*rows, ACTIONS), -0.5, 0.5)
    config = TrainConfig(trace=0.0)

    def side(kind: type[NumbaBackend] | type[TorchBackend], *, ncps: bool = False) -> Callable[[], Any]:
        networks = Networks(
            wiring, (64, 64), state_dim=OBSERVATIONS, n_critics=1, generator=torch.Generator().manual_seed(0)
        )
        if ncps:
            networks.actor.command = NcpsCommand(networks.actor.command)
            networks.actor_target.command = NcpsCommand(networks.actor_target.command).requires_grad_(False)
        actor, critics = (torch.optim.Adam(m.parameters(), lr=1e-6) for m in (networks.actor, networks.critics))
        return functools.partial(update_once, kind(networks, actor, critics), batch, noise, config)

    return {'ours': side(NumbaBackend), 'ours in torch': side(TorchBackend), 'ncps': side(TorchBackend, ncps=True)}


def update_once(backend: Backend, batch: Batch, noise: np.ndarray, config: TrainConfig) -> None:
    """Take the steps of ``DDPGAgent.learn``."""
    data = backend.prepare(batch, config.burn_in)
    backend.critic_step(data, backend.targets(data, noise, config), config)
    backend.actor_step(data, config)
    backend.follow_targets(config.tau)


@flushing
def rates(sides: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return calls per second of each side: medians over rounds in which the sides take turns."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(rounds + 2):
        for name, call in sides.items():
            n_calls = 20 if name == 'ours' else 5
            began = time.perf_counter()
            for _ in range(n_calls):
                call()
            if round_ > 1:  # the first rounds compile and warm up
                taken[name].append((time.perf_counter() - began) / n_calls)
    return {name: round(1 / float(np.median(values)), 1) for name, values in taken.items()}


def main() -> None:
    """Measure and print the results."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    print(machine('numba', 'numpy', 'torch', 'ncps'))
    result: dict[str, dict[str, dict[str, float]]] = {}
    with single_thread():
        for what, sides in (('command layer', cell_sides), ('whole update', update_sides)):
            for n_neurons in (20, 64):
                per_second = rates(sides(n_neurons), rounds)
                ratio = per_second['ours'] / per_second['ncps']
                print(f'{what}, {n_neurons} neurons: {per_second} a second, ours {ratio:.1f} times ncps')
                result.setdefault(what, {})[str(n_neurons)] = {**per_second, 'ratio': round(ratio, 2)}
    print(json.dumps({'benchmark': 'cell', **result}))


if __name__ == '__main__':
    main()
