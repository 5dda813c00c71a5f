"""
How long one step of a policy takes, by engine and size, next to the same network in torch. `make bench` runs it.

The engines take turns, so that a busy machine troubles all of them alike. Compilation is left out and printed.
The last line is JSON: medians and 99th percentiles of single steps [us].
"""

import json
import time
from collections.abc import Callable

import numpy as np
import torch

from velora_ros.liquid import LiquidNetwork, Wiring
from velora_ros.models.export import policy_file
from velora_ros.models.networks import Normaliser
from velora_ros.policy import Policy
from velora_ros.spec import PolicySpec

SIZES = (20, 64)
OBSERVATIONS, ACTIONS = 4, 1
ROUNDS, STEPS = 20, 500
Step = Callable[[np.ndarray], object]


def network(n_neurons: int) -> tuple[LiquidNetwork, PolicySpec]:
    """Return a network with random weights, and a spec for it."""
    wiring = Wiring.random(OBSERVATIONS, n_neurons, ACTIONS, rng=np.random.default_rng(0))
    spec = PolicySpec(
        observation_names=tuple(f'obs_{i}' for i in range(OBSERVATIONS)),
        observation_units=('',) * OBSERVATIONS,
        action_names=('action_0',),
        action_units=('',),
        action_low=(-1.0,),
        action_high=(1.0,),
        control_period=0.04,
    )
    return LiquidNetwork(wiring, generator=torch.Generator().manual_seed(0)), spec


def torch_step(actor: LiquidNetwork) -> Step:
    """Return a step of the network in eager torch, array in and array out."""
    hidden = torch.zeros(1, actor.hidden_size)

    @torch.inference_mode()
    def step(observation: np.ndarray) -> np.ndarray:
        nonlocal hidden
        action, hidden = actor.step(torch.as_tensor(observation, dtype=torch.float32)[None], hidden)
        return action[0].numpy()

    return step


def engines(n_neurons: int) -> dict[str, Step]:
    """Return a warm step function for each engine."""
    actor, spec = network(n_neurons)
    file = policy_file(
        actor,
        Normaliser(OBSERVATIONS),
        spec,
        dt_range=(0.04, 0.04),
        environment=None,
        provenance={},
        seed=0,
    )
    steps: dict[str, Step] = {}
    for name in ('numba', 'numpy'):
        began = time.perf_counter()
        policy = Policy(file, engine=name)
        policy.warm_up()
        print(f'{n_neurons} neurons, {name}: ready in {time.perf_counter() - began:.2f} s')
        steps[name] = policy.step
    return {**steps, 'torch': torch_step(actor)}


def durations(step: Step, observations: np.ndarray) -> list[float]:
    """Return how long each single step took [us]."""
    taken = []
    for observation in observations:
        began = time.perf_counter_ns()
        step(observation)
        taken.append((time.perf_counter_ns() - began) / 1000)
    return taken


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    observations = np.random.default_rng(1).normal(size=(STEPS, OBSERVATIONS))
    result: dict[str, dict[str, dict[str, float]]] = {}
    for size in SIZES:
        steps = engines(size)
        taken: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(ROUNDS):
            for name, step in steps.items():
                taken[name] += durations(step, observations)
        for name, values in taken.items():
            p50, p99 = np.percentile(values, (50, 99))
            result.setdefault(name, {})[str(size)] = {'p50': round(p50, 2), 'p99': round(p99, 2)}
            print(f'{size} neurons, {name}: median {p50:.2f} us, 99th percentile {p99:.2f} us')
    print(json.dumps({'benchmark': 'inference', 'us': result}))


if __name__ == '__main__':
    main()
