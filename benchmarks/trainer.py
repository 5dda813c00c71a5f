"""
How fast trainer_node trains, and how much it slows a robot beside it. `make bench-trainer` runs it.

    python benchmarks/trainer.py [--quick] [--runs 3] [--steps 6000] [--seconds 30]

Two measurements, in each of which the two sides take turns on the same machine:

    speed: the same training, seed for seed, by trainer_node and by `velora_ros train`: environment steps per second of
        training time without evaluations, as both write them into their run folder;
    latency: from state to command in `make control`, measured by the simulated robot, alone and with training beside
        it during the whole run.

Medians over the runs. The last line is JSON.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measuring import FOLDER, ONE_THREAD, machine

DOMAIN = 215 + os.getpid() % 17  # a range of ports that the system does not assign at random
ENV = 'InvertedPendulum-v5'
ENDLESS = 100_000_000


def run(*arguments: object) -> str:
    """
    Run a module of the package and return its output.

    Raises:
        RuntimeError: the module failed; its last output is in the message. A run whose checks fail still counts.
    """
    command = [sys.executable, '-m', *map(str, arguments)]
    environment = {**os.environ, **ONE_THREAD, 'ROS_DOMAIN_ID': str(DOMAIN), 'PYTHONPATH': str(FOLDER.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode and 'control_summary' not in done.stdout:
        raise RuntimeError(
            f'{" ".join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}'
        )
    return done.stdout


def steps_per_second(side: str, seed: int, steps: int, folder: Path) -> float:
    """Train once and return the speed."""
    run_dir = folder / f'{side}-{seed}'
    if side == 'node':
        parameters = {'env': ENV, 'preset': 'tuned', 'seed': seed, 'total_steps': steps, 'run_dir': run_dir}
        switches = {'autostart': 'true', 'exit_when_done': 'true'}
        words = [word for name, value in {**parameters, **switches}.items() for word in ('-p', f'{name}:={value}')]
        run('velora_ros.nodes.trainer', '--ros-args', *words)
    else:
        named = ['--env', ENV, '--preset', 'tuned', '--seed', seed]
        run('velora_ros', 'train', *named, '--steps', steps, '--run-dir', run_dir)
    with (run_dir / 'episodes.csv').open(encoding='utf-8') as file:
        *_, last = csv.DictReader(file)
    return int(last['steps']) / float(last['seconds'])


def control(seconds: float, folder: Path, *, training: bool) -> dict[str, Any]:
    """Run simulated robot and controller and return the run's summary."""
    words = ['control', f'duration:={seconds:g}', f'env:={ENV}', f'policy:={ENV}']
    if training:  # the shipped policy stays: nothing beats it
        words += ['train:=true', f'steps:={ENDLESS}', f'run_dir:={folder}']
    summary: dict[str, Any] = json.loads(run('velora_ros.nodes.bringup', *words).splitlines()[-1])
    return summary


def main() -> None:
    """Measure in turns and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='one turn of 1,500 steps and 10 seconds')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--steps', type=int, default=6000, help='environment steps of each training')
    parser.add_argument('--seconds', type=float, default=30.0, help='duration of each run of the robot')
    options = parser.parse_args()
    runs, steps, seconds = (1, 1500, 10.0) if options.quick else (options.runs, options.steps, options.seconds)
    print(machine('torch', 'numba', 'ros-jazzy-rclpy', 'ros-fastrtps'), flush=True)
    speed: dict[str, list[float]] = {'node': [], 'command_line': []}
    latency: dict[str, list[dict[str, float]]] = {'alone': [], 'training': []}
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(runs):
            for side, values in speed.items():
                values.append(steps_per_second(side, seed, steps, Path(temporary)))
                print(f'{side:12} {values[-1]:.0f} steps/s', flush=True)
        for turn in range(runs):
            for side, results in latency.items():
                summary = control(seconds, Path(temporary) / f'beside-{turn}', training=side == 'training')
                results.append(summary['latency_us'])
                answered = f'{summary["commands"]} commands to {summary["states"]} states, {summary["falls"]} falls'
                print(f'{side:12} {results[-1]} us; {answered}', flush=True)
    print(json.dumps(summary_of(speed, latency)))


def summary_of(speed: dict[str, list[float]], latency: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Return the JSON of the last line; the ratio of the speeds is the median over the turns."""
    us = {
        side: {key: round(float(np.median([one[key] for one in results])), 1) for key in ('p50', 'p99')}
        for side, results in latency.items()
    }
    ratios = np.array(speed['node']) / np.array(speed['command_line'])
    return {
        'benchmark': 'trainer',
        'steps_per_s': {side: round(float(np.median(values)), 1) for side, values in speed.items()},
        'ratio_speed': round(float(np.median(ratios)), 3),
        'latency_us': us,
        'ratio_p50': round(us['training']['p50'] / us['alone']['p50'], 3),
        'ratio_p99': round(us['training']['p99'] / us['alone']['p99'], 3),
    }


if __name__ == '__main__':
    main()
