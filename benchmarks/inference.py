"""
How long one step of a policy takes from Python, by engine and size. `make bench-inference` runs it.

The same network in numba and numpy (what policy_node runs), ONNX Runtime and torch, and the peers' own networks of the
same size: ncps' wired CfC, and velora's ``predict`` without noise (``velora_noisy``: with its default noise). All run
on one thread. The engines take turns, so that other load affects all of them equally. Compilation is not counted; its
time is printed. ``ours_c`` is the exported C code, called and timed in C, where a C compiler is installed. The engines
of one network are first compared with each other. The last line is JSON: medians and 99th percentiles of single steps
[us], and the ratio of each median to ours.
"""

import argparse
import json
import time

import numpy as np
import torch
from inference_c import measure_c
from inference_engines import OBSERVATIONS, Step, engines, random_policy
from measuring import machine, p50_p99

SIZES = (20, 64)
SAME_NETWORK = ('ours_numpy', 'onnxruntime', 'torch', 'torch_jit')
TOLERANCE = 2e-5  # 1e-5 of the action range


def check_parity(steps: dict[str, Step], observations: np.ndarray) -> float:
    """
    Return the largest difference from our engine over a sequence.

    Raises:
        SystemExit: the engines disagree, so that comparing their times would mean nothing.
    """
    reference = np.array([float(steps['ours'](observation)[0]) for observation in observations])
    differences = {
        name: float(np.abs([float(steps[name](o)[0]) for o in observations] - reference).max()) for name in SAME_NETWORK
    }
    if max(differences.values()) > TOLERANCE:
        raise SystemExit(f'the engines disagree: {differences}')
    return max(differences.values())


def check_c(step: Step, observations: np.ndarray, actions: np.ndarray) -> None:
    """
    Compare the actions of the C code with the actions of a step whose hidden state comes from other observations.

    Raises:
        SystemExit: the last actions disagree; by then the hidden states no longer depend on how they began.
    """
    expected = [float(step(observation)[0]) for observation in observations]
    difference = np.abs(np.array(expected) - actions)[-100:].max()
    if difference > TOLERANCE:
        raise SystemExit(f'the C code disagrees by {difference}')


def durations(step: Step, observations: np.ndarray) -> list[float]:
    """Return how long each single step took [us]."""
    taken = []
    for observation in observations:
        began = time.perf_counter_ns()
        step(observation)
        taken.append((time.perf_counter_ns() - began) / 1000)
    return taken


def measure(size: int, rounds: int, observations: np.ndarray) -> dict[str, dict[str, float]]:
    """Return median and 99th percentile of every engine [us]."""
    began = time.perf_counter()
    steps = engines(size)
    ready = time.perf_counter() - began
    difference = check_parity(steps, observations)
    print(f'{size} neurons: engines ready in {ready:.1f} s, largest difference {difference:.1e}', flush=True)
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(rounds + 1):
        for name, step in steps.items():
            values = durations(step, observations)
            taken[name] += values if round_ else []  # the first round warms up
    if (in_c := measure_c(random_policy(size)[1], rounds, observations)) is not None:
        taken['ours_c'], actions = in_c
        check_c(steps['ours_numpy'], observations, actions)
    result = {name: p50_p99(values) for name, values in taken.items()}
    for name, one in result.items():
        ratio = one['p50'] / result['ours']['p50']
        print(f'  {name:12} median {one["p50"]:8.2f} us, 99th percentile {one["p99"]:8.2f} us, {ratio:6.1f} times ours')
    return result


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='a tenth of the rounds')
    rounds = 2 if parser.parse_args().quick else 20
    torch.set_num_threads(1)
    print(machine('numba', 'numpy', 'onnxruntime', 'torch', 'velora', 'ncps'))
    observations = np.random.default_rng(1).normal(size=(500, OBSERVATIONS))
    by_size = {str(size): measure(size, rounds, observations) for size in SIZES}
    us = {name: {size: values[name] for size, values in by_size.items()} for name in by_size[str(SIZES[0])]}
    ratio = {
        name: {size: round(one[size]['p50'] / us['ours'][size]['p50'], 2) for size in one}
        for name, one in us.items()
        if name != 'ours'
    }
    print(json.dumps({'benchmark': 'inference', 'us': us, 'ratio': ratio}))


if __name__ == '__main__':
    main()
