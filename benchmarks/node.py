"""
How long a robot waits for its command: policy_node beside a bare echo. `make bench-node` runs it.

    python benchmarks/node.py [--quick] [--runs 5] [--seconds 5]

A second process is the robot: 12 joints, states at 100, 500 and 1,000 Hz over loopback on a ROS domain of its own, and
each round trip is timed there from just before the state is published to the callback of its command. It meets in turns

    ours: policy_node, autostarted and armed, a policy of 64 neurons, 24 observations and 12 actions with T = 10 ms, its
        limits as shipped (states at most 30 ms old, watchdog 100 ms), diagnostics listened to, slew limit on;
    echo: JointState in, Float64MultiArray out, the same qualities of service, the same executor, nothing else;
    default_echo: the same echo under rclpy.spin().

Medians over the runs of each run's median and 99th percentile; lost states are summed. The last line is JSON.
"""

import argparse
import contextlib
import gc
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measuring import FOLDER, ONE_THREAD, machine, p50_p99, status_mb

DOMAIN = 215 + os.getpid() % 17  # a range without a port that others draw at random
RATES = (100, 500, 1000)
MAIN_RATE = '500'


def commands(policy: Path) -> dict[str, list[str]]:
    """Return how each side is started."""
    parameters = {
        'policy': policy,
        'autostart': 'true',
        'arm_on_activate': 'true',
        'slew_rate': '[1000000.0]',  # computed at every command, never in the way of the marks
    }
    ours = [sys.executable, '-m', 'velora_ros.nodes.policy_node', '--ros-args']
    for name, value in parameters.items():
        ours += ['-p', f'{name}:={value}']
    echo = [sys.executable, str(FOLDER / 'node_echo.py')]
    return {
        'ours': ours,
        'echo': [*echo, 'events'],
        'default_echo': [*echo, 'default'],
        'ours_numpy': [*ours, '-p', 'engine:=numpy'],
    }


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a node, and end it with SIGINT."""
    environment = {**os.environ, **ONE_THREAD, 'ROS_DOMAIN_ID': str(DOMAIN), 'PYTHONPATH': str(FOLDER.parent)}
    with log.open('wb') as output:
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield child
        except RuntimeError as error:
            raise RuntimeError(f'{error}; {" ".join(command)} said:\n{log.read_text()}') from error
        finally:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def measure(*arguments: Any) -> dict[str, Any]:
    """Start one node with a robot in a process of its own; return what came of it. :func:`meet` has the arguments."""
    # rclpy keeps the DDS participant of a robot that is gone, and whatever node comes next has to do with all of them.
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        pool.apply(meet, (*arguments[:2], 0.0, arguments[3]))  # compiles where needed, and warms the disk
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        result: dict[str, Any] = pool.apply(meet, arguments)
        return result


def meet(command: list[str], answers: np.ndarray, seconds: float, folder: Path) -> dict[str, Any]:
    """
    Start a node, send it states at every rate, and return what came of it.

    Args:
        command: starts the node.
        answers: the first entry of the command that answers each of the robot's marks.
        seconds: for each rate; 0: only until it answers.
        folder: for its log.
    """
    from node_robot import Robot  # noqa: PLC0415 - it needs the environment that main() sets

    robot = Robot(DOMAIN, {'command': answers})
    began = time.perf_counter()
    try:
        with running(command, folder / 'node.log') as child:
            robot.until_it_answers()
            result: dict[str, Any] = {'startup_s': time.perf_counter() - began, 'rates': {}}
            if not seconds:
                return result
            robot.run(100, 1.0)
            cpu = []
            gc.disable()
            for rate in RATES:
                before = cpu_seconds(child.pid)
                robot.run(rate, seconds)
                cpu.append(1e6 * (cpu_seconds(child.pid) - before) / (rate * seconds))
            gc.enable()
            log = (folder / 'node.log').read_text(encoding='utf-8')
            result['stopped'] = ': fault' in log or any(len(one.round_trips) == 0 for one in robot.outcomes('command'))
            if result['stopped']:
                return {**result, 'says': log.strip().rpartition('\n')[2]}
            for rate, used, outcome in zip(RATES, cpu, robot.outcomes('command')[1:], strict=True):
                result['rates'][str(rate)] = {**p50_p99(outcome.round_trips, 1), 'lost': outcome.lost, 'cpu': used}
            result['rss_mb'] = status_mb('VmRSS', child.pid)
            result['torch'] = 'torch' in Path(f'/proc/{child.pid}/maps').read_text(encoding='utf-8')
            result['message_lost'] = robot.message_lost['command']
            result['says'] = _diagnosis(robot.diagnostics)
    finally:
        robot.close()
    return result


def _diagnosis(diagnostics: Any) -> str:
    """Return what the node says of itself: its state, and how many states it refused; nothing when it says nothing."""
    if diagnostics is None:
        return ''
    status = diagnostics.status[0]
    refused = {value.key: value.value for value in status.values if value.key.startswith('rejected')}
    return f'{status.message}, refused {refused or "none"}'


def summary(results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the JSON of the last line."""
    rates = {}
    for rate in map(str, RATES):
        us = {
            side: {key: round(float(np.median([run['rates'][rate][key] for run in runs])), 1) for key in ('p50', 'p99')}
            for side, runs in results.items()
        }
        lost = {side: sum(run['rates'][rate]['lost'] for run in runs) for side, runs in results.items()}
        rates[rate] = {
            **{f'{side}_us': values for side, values in us.items()},
            'ratio_p50': round(us['ours']['p50'] / us['echo']['p50'], 3),
            'ratio_p99': round(us['ours']['p99'] / us['echo']['p99'], 3),
            **{f'lost_{side}': count for side, count in lost.items()},
        }
    ours = results['ours']
    return {
        'benchmark': 'node',
        'rates': rates,
        'message_lost': {side: sum(run['message_lost'] for run in runs) for side, runs in results.items()},
        'rss_mb': round(max(run['rss_mb'] for run in ours), 1),
        'startup_s': round(float(np.median([run['startup_s'] for run in ours])), 2),
        'torch_loaded': any(run['torch'] for run in ours),
    }


def describe(side: str, one: dict[str, Any]) -> str:
    """Return one run in a line."""
    if one['stopped']:
        return f'{side:12} stopped: {one["says"]}'
    rates = ', '.join(
        f'{rate} Hz {v["p50"]:.0f}/{v["p99"]:.0f} us, {v["lost"]} lost, {v["cpu"]:.0f} us cpu'
        for rate, v in one['rates'].items()
    )
    says = f', {one["says"]}' if one['says'] else ''
    return f'{side:12} {rates}; start {one["startup_s"]:.2f} s, {one["rss_mb"]:.0f} MB{says}'


def main() -> None:
    """Run the sides in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='two runs of one second a rate')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=5.0, help='of each rate in each run')
    options = parser.parse_args()
    runs, seconds = (2, 1.0) if options.quick else (options.runs, options.seconds)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    from node_robot import MARKS, expected_commands, policy_file  # noqa: PLC0415

    print(machine('numba', 'numpy', 'ros-jazzy-rclpy', 'ros-fastrtps'))
    print('p50/p99 of the round trip; processor time of the node for each state')
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        file = policy_file()
        file.save(folder / 'policy.safetensors')
        starts = commands(folder / 'policy.safetensors')
        answers = {side: expected_commands(file) if side.startswith('ours') else MARKS for side in starts}
        results: dict[str, list[dict[str, Any]]] = {'ours': [], 'echo': [], 'default_echo': []}
        stopped = 0
        while len(results['ours']) < runs:
            turn: dict[str, dict[str, Any]] = {}
            for side in results:
                turn[side] = measure(starts[side], answers[side], seconds, folder)
                print(describe(side, turn[side]), flush=True)
            if any(one['stopped'] for one in turn.values()):  # no state for longer than the watchdog allows: no times
                stopped += 1
                print('this turn does not count', flush=True)
                if stopped > runs:
                    raise SystemExit('this machine stands still too often to measure anything.')
                continue
            for side, one in turn.items():
                results[side].append(one)
        for _ in range(runs):  # one whole measurement is enough, for its memory
            light = measure(starts['ours_numpy'], answers['ours'], 1.0, folder)
            print(describe('ours_numpy', light), flush=True)
            if not light['stopped']:
                break
        else:
            raise SystemExit('this machine stands still too often to measure anything.')
        print(f'resident memory: {results["ours"][-1]["rss_mb"]:.0f} MB with numba, {light["rss_mb"]:.0f} MB without')
    print(json.dumps(summary(results)))


if __name__ == '__main__':
    main()
