"""
How long a robot waits for its command: policy_node beside a bare echo. `make bench-node` runs it.

    python benchmarks/node.py [--quick] [--only joints|onnx|quadruped] [--beside TREE] [--runs 5] [--seconds 15]

A second process is the robot. It sends states over loopback on a separate ROS domain, and times each round trip from
just before the state is published to the callback of its command. Each side has its own robot, and the sides run in
turns of one second. There are three comparisons:

    joints: 12 joints, states at 100, 500 and 1,000 Hz;
        ours: policy_node, autostarted and armed, a policy of 64 neurons, 24 observations and 12 actions with T = 10 ms,
            its limits as shipped (states at most 30 ms old, watchdog 100 ms), diagnostics listened to, slew limit on;
        echo: JointState in, Float64MultiArray out, the same qualities of service, the same executor, nothing else;
        default_echo: the same echo under rclpy.spin();
    onnx: at 500 Hz; ours and echo as above, and ours_onnx: the same policy as an ONNX model, run by onnxruntime;
    quadruped: at 500 Hz, with an Imu before each state and cmd_vel at 50 Hz; ours: the contract of the quadruped's
        policy that ships (47 observations, 12 position targets, T = 20 ms) with 64 neurons, every state answered;
        echo: subscribes the same three topics.

`--beside` adds ours_beside, the policy_node of another checkout of this package.

Reported are medians, over the runs, of each run's median and 99th percentile, and the sum of lost states. A start is
measured right after another one, with a warm disk cache. The last line is JSON.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from measuring import FOLDER, machine
from node_sides import OURS, Start, counted_turn

RATES = (100, 500, 1000)


@dataclass(frozen=True)
class Comparison:
    """
    Sides that run in turns.

    Args:
        starts: how each side is started.
        rates: rates of the states [Hz].
        seconds: default duration of each rate in each run [s].
    """

    starts: Mapping[str, Start]
    rates: Sequence[int]
    seconds: int


def commands(policy: Path, *, is_quadruped: bool = False) -> dict[str, list[str]]:
    """Return the command that starts each side."""
    parameters = {
        'policy': policy,
        'autostart': 'true',
        'arm_on_activate': 'true',
        'slew_rate': '[1000000.0]',  # computed for every command, and so large that it never limits the marks
    }
    if is_quadruped:
        parameters |= {'rate_hz': '0.0', 'gains_confirmed': 'true', 'start_when_ready': 'true'}
    ours = [sys.executable, '-m', OURS, '--ros-args']
    for name, value in parameters.items():
        ours += ['-p', f'{name}:={value}']
    echo, robot = [sys.executable, str(FOLDER / 'node_echo.py')], ['quadruped'] if is_quadruped else []
    return {
        'ours': ours,
        'echo': [*echo, 'events', *robot],
        'default_echo': [*echo, 'default', *robot],
        'ours_numpy': [*ours, '-p', 'engine:=numpy'],
    }


def comparison(name: str, folder: Path) -> Comparison:
    """Return a comparison; its policies are written to the folder."""
    from node_quadruped import LARGEST, quadruped_policy  # noqa: PLC0415 - they need the environment that main() sets
    from node_robot import MARKS, expected_commands, policy_file  # noqa: PLC0415

    from velora_ros.policy.onnx_export import save_onnx  # noqa: PLC0415

    path = folder / f'{name}.safetensors'
    if name == 'quadruped':
        file, answers = quadruped_policy()
        file.save(path)
        started = commands(path, is_quadruped=True)
        found = {'ours': Start(started['ours'], answers, True), 'echo': Start(started['echo'], LARGEST * MARKS, True)}
        return Comparison(found, (500,), 12)
    file = policy_file()
    file.save(path)
    started, answers = commands(path), expected_commands(file)
    starts = {side: Start(one, answers if side.startswith('ours') else MARKS) for side, one in started.items()}
    if name == 'joints':
        return Comparison(starts, RATES, 15)
    save_onnx(file, folder / 'policy.onnx')
    model = Start(commands(folder / 'policy.onnx')['ours'], answers)
    return Comparison({'ours': starts['ours'], 'ours_onnx': model, 'echo': starts['echo']}, (500,), 8)


def can_run(name: str) -> bool:
    """Return whether the packages that a comparison needs are installed; print a line if not."""
    there = name != 'onnx' or all(map(find_spec, ('onnx', 'onnxruntime')))
    if not there:
        print("onnx: not compared, it needs the extra 'onnx' (pip install onnx onnxruntime)", flush=True)
    return there


def beside(start: Start, tree: Path) -> Start:
    """Return how the policy_node of another checkout is started."""
    command = ['env', 'PYTHONSAFEPATH=1', f'PYTHONPATH={tree.resolve()}', *start.command]
    return Start(command, start.answers, start.is_quadruped)


def run(name: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run a comparison; print each turn, and return the entries of the last line."""
    one = comparison(name, folder)
    runs, seconds = (2, 1) if options.quick else (options.runs, options.seconds or one.seconds)
    in_turns = {side: start for side, start in one.starts.items() if side != 'ours_numpy'}
    if options.beside:
        in_turns['ours_beside'] = beside(one.starts['ours'], options.beside)
    print(f'{name}: p50/p99 of the round trip; processor time of the node for each state', flush=True)
    results: dict[str, list[dict[str, Any]]] = {side: [] for side in in_turns}
    while len(results['ours']) < runs:
        for side, result in counted_turn(in_turns, one.rates, seconds, folder).items():
            results[side].append(result)
    if light := one.starts.get('ours_numpy'):
        without = counted_turn({'ours_numpy': light}, one.rates, 1, folder)['ours_numpy']['rss_mb']
        print(f'resident memory: {results["ours"][-1]["rss_mb"]:.0f} MB with numba, {without:.0f} MB without')
    return summary(results)


def summary(results: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the entries of a comparison in the last line."""
    ours = results['ours']
    return {
        'rates': {rate: _at_rate(results, rate) for rate in ours[0]['rates']},
        'message_lost': {side: sum(run['message_lost'] for run in runs) for side, runs in results.items()},
        'rss_mb': round(max(run['rss_mb'] for run in ours), 1),
        'startup_s': round(float(np.median([run['startup_s'] for run in ours])), 2),
        'first_command_s': {
            side: round(float(np.median([run['first_command_s'] for run in runs])), 2) for side, runs in results.items()
        },
        'torch_loaded': any(run['torch'] for run in ours),
    }


def _at_rate(results: Mapping[str, Sequence[Mapping[str, Any]]], rate: str) -> dict[str, Any]:
    us = {
        side: {key: round(float(np.median([run['rates'][rate][key] for run in runs])), 1) for key in ('p50', 'p99')}
        for side, runs in results.items()
    }
    ratios = {
        f'ratio_{key}{side.removeprefix("ours")}': round(values[key] / us['echo'][key], 3)
        for side, values in us.items()
        for key in ('p50', 'p99')
        if side.startswith('ours')
    }
    lost = {f'lost_{side}': sum(run['rates'][rate]['lost'] for run in runs) for side, runs in results.items()}
    return {**{f'{side}_us': values for side, values in us.items()}, **ratios, **lost}


def main() -> None:
    """Run the comparisons and print the results."""
    names = ('joints', 'onnx', 'quadruped')
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='two turns of one second a rate')
    parser.add_argument('--only', choices=names, help='one of the comparisons')
    parser.add_argument('--beside', type=Path, metavar='TREE', help='one more side: another checkout of the package')
    parser.add_argument('--runs', type=int, default=5, help='number of runs; each starts all sides again')
    parser.add_argument('--seconds', type=int, help='duration of each rate in each run (default: 15, 8 or 12)')
    options = parser.parse_args()
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    print(machine('numba', 'numpy', 'ros-jazzy-rclpy', 'ros-fastrtps'))
    with tempfile.TemporaryDirectory() as temporary:
        chosen = [name for name in names if options.only in (None, name) and can_run(name)]
        found = {name: run(name, options, Path(temporary)) for name in chosen}
    print(json.dumps({'benchmark': 'node', **found.pop('joints', {}), **found}))


if __name__ == '__main__':
    main()
