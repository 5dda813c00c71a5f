"""The numba backend works on the memory that torch sees."""

import copy

import numpy as np
import torch
from backend_updates import numbers, update
from batches import random_batch

from velora_ros.liquid import Wiring
from velora_ros.models.actor_and_critics import Networks
from velora_ros.models.backends.numba_backend import NumbaBackend


def test_torch_sees_the_parameters_and_the_adam_state() -> None:
    wiring = Wiring.random(5, 12, 2, rng=np.random.default_rng(1))
    nets = Networks(wiring, (16, 24), state_dim=5, n_critics=1, generator=torch.Generator().manual_seed(2))
    actor_adam = torch.optim.Adam(nets.actor.parameters(), lr=1e-3)
    fast = NumbaBackend(nets, actor_adam, torch.optim.Adam(nets.critics.parameters(), lr=1e-3))
    before = copy.deepcopy(nets.actor.state_dict())
    batch = random_batch(np.random.default_rng(6), 5, 4)
    update(fast, batch, np.zeros((6, 4, 2), dtype=np.float32), numbers())
    assert not torch.equal(before['command.weight'], nets.actor.command.weight)
    state = actor_adam.state_dict()['state'][2]
    assert state['step'] == 1
    assert state['exp_avg'].abs().max() > 0
