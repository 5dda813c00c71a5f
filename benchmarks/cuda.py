"""
What a GPU contributes: updates a second, agreement with the CPU, and the first example on both. Takes up to 8 minutes.

    python benchmarks/cuda.py [--updates 1000] [--seed 100]

1. Updates a second of the agent with 128 and 4,096 transitions, sampling included, timed over 1,000 updates between two
   synchronisations, three times; 64 streams, 64 liquid neurons, two critics of 256x256 that see a privileged state.
2. Agreement: weights after 5 updates on CUDA, with and without graphs, and in torch on the CPU, from equal weights on
   equal batches and noise, without TF32; the largest difference over the largest weight.
3. Training time of InvertedPendulum-v5 until it stays solved, with ``set_device()`` and on the CPU
   (training_time_to_solve.py).

The last line is JSON. Without a GPU the script prints a message and exits with status 1.
"""

import argparse
import json
import sys
import time
from typing import Any

import numpy as np
import torch
from measuring import in_own_process, machine

from velora_ros.models import LiquidDDPG
from velora_ros.models.backends.cuda_graph_learner import DeviceLearner
from velora_ros.models.backends.torch_backend import TorchBackend
from velora_ros.replay_buffers import StreamBuffer, Transitions
from velora_ros.training import TrainConfig

N_STREAMS, OBSERVATIONS, STATES, ACTIONS, NEURONS = 64, 45, 53, 12, 64
BATCHES = (128, 4096)
SIZES: dict[str, Any] = {'critic_sizes': (256, 256), 'n_critics': 2, 'buffer_size': 200_000, 'policy_tau': 0.005}


def agent_with_replay(device: str, batch: int, steps: int = 1000) -> Any:
    """Return an agent whose replay holds random transitions of all streams."""
    agent = LiquidDDPG(OBSERVATIONS, NEURONS, ACTIONS, device=device, seed=0, backend='torch', **SIZES).agent
    agent.set_streams(N_STREAMS)
    agent.build(STATES)
    agent.configure(TrainConfig(batch_size=batch, sequence_length=8))
    rng = np.random.default_rng(0)
    for step in range(steps):
        agent.remember_batch(random_transitions(rng, agent.hidden_size, step), np.ones(N_STREAMS, bool))
    agent.end_warm_up()
    return agent


def random_transitions(rng: np.random.Generator, hidden: int, step: int) -> Transitions:
    """Return a transition of each stream; episodes have 100 steps."""
    normal = lambda width: rng.standard_normal((N_STREAMS, width), np.float32)  # noqa: E731
    ones = np.ones(N_STREAMS, np.float32)
    return Transitions(
        normal(OBSERVATIONS), np.tanh(normal(ACTIONS)), normal(1)[:, 0], rng.random(N_STREAMS) < 0.01,
        normal(OBSERVATIONS), ones, ones, np.tanh(normal(hidden)), np.full(N_STREAMS, step % 100 == 0),
        normal(STATES), normal(STATES),
    )  # fmt: skip


def updates_per_second(batch: int, updates: int) -> tuple[float, list[float]]:
    """Return the seconds of the first update, which compiles, and three rates between two synchronisations each."""
    agent, rates = agent_with_replay('cuda', batch), []
    began = time.perf_counter()
    agent.learn()
    torch.cuda.synchronize()
    first = round(time.perf_counter() - began, 1)
    for _ in range(50):
        agent.learn()
    for _ in range(3):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(updates):
            agent.learn()
        torch.cuda.synchronize()
        rates.append(round(updates / (time.perf_counter() - began), 1))
    return first, rates


def agreement(device: str, modes: tuple[bool, ...] = (True, False), updates: int = 5) -> dict[str, float]:
    """
    Return the largest difference between the weights on the device and in torch on the CPU, over the largest weight.

    Args:
        device: the device to compare with the CPU.
        modes: whether graphs are used, one entry for each comparison.
        updates: number of updates.
    """
    host = agent_with_replay('cpu', 128)
    differences = {}
    for graphs in modes:
        cuda, plain = agent_with_replay(device, 128), agent_with_replay('cpu', 128)
        learner = DeviceLearner(cuda.backend, cuda.buffer, cuda.config, seed=0, graphs=graphs)
        for number in range(1, updates + 1):
            learner.update(number, actor=True)
            update_on_host(plain, learner, host.buffer)
        ours, theirs = (agent.networks.state_dict() for agent in (cuda, plain))
        largest = max(float(value.abs().max()) for value in theirs.values())
        differences['graphs' if graphs else 'no graphs'] = (
            max(float((ours[key].cpu() - theirs[key]).abs().max()) for key in theirs) / largest
        )
    return differences


def update_on_host(agent: Any, learner: DeviceLearner, buffer: StreamBuffer) -> None:
    """Take the same update in torch on the CPU, with the same sequences and the same noise."""
    config, backend = agent.config, agent.backend
    assert isinstance(backend, TorchBackend)
    places, noise = learner.places.cpu().numpy(), learner.noise.cpu().numpy()
    drawn: Any = type('Drawn', (), {'random': lambda _, size: places[:size].copy()})()
    data = backend.prepare(buffer.sample(config.n_sequences, config.sequence_length, drawn), config.burn_in)
    backend.critic_step(data, backend.targets(data, noise, config), config)
    backend.actor_step(data, config)
    backend.follow_targets(config.tau)


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--updates', type=int, default=1000, help='updates between two synchronisations')
    parser.add_argument('--seed', type=int, default=100, help='seed of the training')
    options = parser.parse_args()
    print(machine('torch', 'numpy', 'mujoco'), flush=True)
    if not torch.cuda.is_available():
        sys.exit('this machine has no GPU that torch can use: nothing was measured')
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    result: dict[str, Any] = {'benchmark': 'cuda', 'device': torch.cuda.get_device_name()}
    print(result['device'], flush=True)
    result['agreement'] = agreement('cuda')
    print(f'largest difference from the CPU over the largest weight: {result["agreement"]}', flush=True)
    result['updates_per_s'] = {}
    for batch in BATCHES:
        first, rates = updates_per_second(batch, options.updates)
        result['updates_per_s'][batch] = rates
        print(f'{batch} transitions: {rates} updates a second; the first takes {first} s to compile', flush=True)
    result['solve'] = {}
    for device in ('auto', 'cpu'):
        result['solve'][device] = in_own_process('training_time_to_solve.py', options.seed, device)
        print(f'InvertedPendulum-v5, device {device}: {result["solve"][device]}', flush=True)
    print(json.dumps(result))


if __name__ == '__main__':
    main()
