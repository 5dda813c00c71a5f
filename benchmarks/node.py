"""
How long a robot waits for its command: policy_node beside a bare echo. `make bench-node` runs it.

    python benchmarks/node.py [--quick] [--runs 5] [--seconds 15]

A second process is the robot: 12 joints, states at 100, 500 and 1,000 Hz over loopback on a separate ROS domain. It
times each round trip from just before the state is published to the callback of its command. Each side has its own
robot, and the sides run in turns of one second:

    ours: policy_node, autostarted and armed, a policy of 64 neurons, 24 observations and 12 actions with T = 10 ms, its
        limits as shipped (states at most 30 ms old, watchdog 100 ms), diagnostics listened to, slew limit on;
    echo: JointState in, Float64MultiArray out, the same qualities of service, the same executor, nothing else;
    default_echo: the same echo under rclpy.spin().

Reported are medians, over the runs, of each run's median and 99th percentile, and the sum of lost states. A start is
measured right after another one, with a warm disk cache. The last line is JSON.
"""

import argparse
import contextlib
import functools
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
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measuring import FOLDER, ONE_THREAD, machine, p50_p99, status_mb

if TYPE_CHECKING:
    from node_robot import Robot

FIRST_DOMAIN, N_DOMAINS = 215, 17  # a range without a port that others draw at random
DOMAIN = FIRST_DOMAIN + os.getpid() % N_DOMAINS
RATES = (100, 500, 1000)


def commands(policy: Path) -> dict[str, list[str]]:
    """Return how each side is started."""
    parameters = {
        'policy': policy,
        'autostart': 'true',
        'arm_on_activate': 'true',
        'slew_rate': '[1000000.0]',  # computed at every command, never in the way of the marks
    }
    ours = [sys.executable, '-m', 'velora_ros.nodes.policy', '--ros-args']
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
def running(command: list[str], log: Path, domain: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a node, and end it with SIGINT."""
    environment = {**os.environ, **ONE_THREAD, 'ROS_DOMAIN_ID': str(domain), 'PYTHONPATH': str(FOLDER.parent)}
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


class Side:
    """
    One node and its robot, which has a process of its own and sends 40 states a second while another side's turn lasts.

    Args:
        domain: ROS_DOMAIN_ID, no other side's.
        command: starts the node.
        answers: the first entry of the command that answers each of the robot's marks.
        folder: for the node's log.
    """

    def __init__(self, domain: int, command: list[str], answers: np.ndarray, folder: Path) -> None:
        # rclpy keeps the DDS participant of a robot that is gone, and what comes next has to do with all of them.
        context = multiprocessing.get_context('spawn')
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=attend, args=(theirs, domain, command, answers, folder / f'{domain}.log')
        )
        self._process.start()
        theirs.close()

    def ask(self, *request: Any) -> Any:
        """Send the robot a request; return its answer."""
        self._pipe.send(request)
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Stop robot and node."""
        self._pipe.close()
        self._process.join()


def attend(pipe: Connection, domain: int, command: list[str], answers: np.ndarray, log: Path) -> None:
    """Be the robot: follow the requests from the pipe until it closes, and keep the watchdog satisfied in between."""
    from node_robot import Robot  # noqa: PLC0415 - it needs the environment that main() sets

    robot = Robot(domain, {'command': answers})
    try:
        pipe.recv()
        began = time.perf_counter()
        with running(command, log, domain) as child:
            ready = until_ready(log, began) if 'velora_ros.nodes.policy' in command else None
            robot.until_it_answers()
            pipe.send((ready, time.perf_counter() - began))
            robot.run(100, 1.0)
            work = {'run': functools.partial(drive, robot, child.pid), 'report': lambda: report(robot, child.pid, log)}
            gc.disable()
            while True:
                while not pipe.poll():
                    robot.idle()
                name, *arguments = pipe.recv()
                pipe.send(work[name](*arguments))
                gc.collect()
    except EOFError:
        pass
    except RuntimeError as error:
        pipe.send(error)
    finally:
        robot.close()


def until_ready(log: Path, began: float) -> float:
    """
    Wait until policy_node reports that it is armed; return how long it took [s].

    The first command may come 3 s later for what the node cannot help: Fast DDS answers a newcomer's first announcement
    at once, which may be before the newcomer listens, and announces itself again after 3 s.

    Raises:
        RuntimeError: it does not report this within two minutes.
    """
    while ': armed' not in log.read_text(encoding='utf-8'):
        if time.perf_counter() > began + 120:
            raise RuntimeError('policy_node was not ready within 120 s')
        time.sleep(0.002)
    return time.perf_counter() - began


def drive(robot: 'Robot', pid: int, rate: int, seconds: float) -> float:
    """Send states; return the node's processor time [s]."""
    before = cpu_seconds(pid)
    robot.run(rate, seconds)
    return cpu_seconds(pid) - before


def report(robot: 'Robot', pid: int, log: Path) -> dict[str, Any]:
    """Return the results of each run, and the node's report and resources."""
    text = log.read_text(encoding='utf-8')
    return {
        'outcomes': robot.outcomes('command')[1:],
        'fault': text.strip().rpartition('\n')[2] if ': fault' in text else '',
        'rss_mb': status_mb('VmRSS', pid),
        'torch': 'torch' in Path(f'/proc/{pid}/maps').read_text(encoding='utf-8'),
        'message_lost': robot.message_lost['command'],
        'says': _diagnosis(robot.diagnostics),
    }


@contextlib.contextmanager
def started(
    starts: dict[str, list[str]], answers: dict[str, np.ndarray], folder: Path
) -> Iterator[tuple[dict[str, Side], dict[str, Any]]]:
    """Start the sides one after the other; yield them, and when each was ready and answered [s]."""
    sides: dict[str, Side] = {}
    try:
        startup = {}
        for index, (name, command) in enumerate(starts.items()):
            sides[name] = Side(FIRST_DOMAIN + (DOMAIN + index) % N_DOMAINS, command, answers[name], folder)
            startup[name] = sides[name].ask('start')
        yield sides, startup
    finally:
        for side in sides.values():
            side.close()


def turn(starts: dict[str, list[str]], answers: dict[str, np.ndarray], seconds: int, folder: Path) -> dict[str, Any]:
    """
    Start the sides and run them in turns of one second at each rate; return the results of each.

    Args:
        starts: how each side is started.
        answers: what answers the marks, for each side.
        seconds: for each side and rate.
        folder: for the logs.
    """
    with started(starts, answers, folder):
        pass  # what is not compiled is compiled now, and the disk is warm
    with started(starts, answers, folder) as (sides, startup):
        cpu = {name: dict.fromkeys(RATES, 0.0) for name in sides}
        for rate in RATES:
            for _ in range(seconds):
                for name, side in sides.items():  # a noisy neighbour comes and goes within minutes: it meets all alike
                    cpu[name][rate] += side.ask('run', rate, 1.0)
        reports = {name: side.ask('report') for name, side in sides.items()}
    for name, one in reports.items():
        slices = one.pop('outcomes')
        one['startup_s'], one['first_command_s'] = startup[name]
        one['stopped'] = one['fault'] or any(len(outcome.round_trips) == 0 for outcome in slices)
        if one['stopped']:
            continue
        one['rates'] = {}
        for index, rate in enumerate(RATES):
            outcomes = slices[index * seconds : (index + 1) * seconds]
            one['rates'][str(rate)] = {
                **p50_p99(np.concatenate([outcome.round_trips for outcome in outcomes]), 1),
                'lost': sum(outcome.lost for outcome in outcomes),
                'cpu': 1e6 * cpu[name][rate] / (rate * seconds),
            }
    return reports


def _diagnosis(diagnostics: Any) -> str:
    """Return the node's diagnostics: its state, and how many states it refused; empty without diagnostics."""
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
        'first_command_s': {
            side: round(float(np.median([run['first_command_s'] for run in runs])), 2) for side, runs in results.items()
        },
        'torch_loaded': any(run['torch'] for run in ours),
    }


def describe(side: str, one: dict[str, Any]) -> str:
    """Return one run in a line."""
    if one['stopped']:
        return f'{side:12} stopped: {one["fault"] or "no command came"}'
    rates = ', '.join(
        f'{rate} Hz {v["p50"]:.0f}/{v["p99"]:.0f} us, {v["lost"]} lost, {v["cpu"]:.0f} us cpu'
        for rate, v in one['rates'].items()
    )
    says = f', {one["says"]}' if one['says'] else ''
    ready = f'ready after {one["startup_s"]:.2f} s, ' if one['startup_s'] else ''
    return f'{side:12} {rates}; {ready}first command after {one["first_command_s"]:.2f} s, {one["rss_mb"]:.0f} MB{says}'


def counted_turn(
    starts: dict[str, list[str]], answers: dict[str, np.ndarray], seconds: int, folder: Path
) -> dict[str, Any]:
    """
    Run turns and print them until one counts: if the machine stalls, our side is stopped by its watchdog.

    Raises:
        SystemExit: five in a row did not count.
    """
    for _ in range(5):
        sides = turn(starts, answers, seconds, folder)
        for name, one in sides.items():
            print(describe(name, one), flush=True)
        if not any(one['stopped'] for one in sides.values()):
            return sides
        print('this turn does not count', flush=True)
    raise SystemExit('this machine stands still too often to measure anything.')


def main() -> None:
    """Run the sides in turns and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='two turns of one second a rate')
    parser.add_argument('--runs', type=int, default=5, help='turns in which each side is started anew')
    parser.add_argument('--seconds', type=int, default=15, help='of each rate in each run')
    options = parser.parse_args()
    runs, seconds = (2, 1) if options.quick else (options.runs, options.seconds)
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
        in_turns = {side: starts[side] for side in ('ours', 'echo', 'default_echo')}
        results: dict[str, list[dict[str, Any]]] = {side: [] for side in in_turns}
        while len(results['ours']) < runs:
            for side, one in counted_turn(in_turns, answers, seconds, folder).items():
                results[side].append(one)
        light = counted_turn({'ours_numpy': starts['ours_numpy']}, answers, 1, folder)['ours_numpy']
        print(f'resident memory: {results["ours"][-1]["rss_mb"]:.0f} MB with numba, {light["rss_mb"]:.0f} MB without')
    print(json.dumps(summary(results)))


if __name__ == '__main__':
    main()
