"""
The sides of `make bench-node`: each a node and a robot of its own, which run in turns of one second.

``node.py`` defines what is compared and writes the results.
"""

import contextlib
import functools
import gc
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measuring import FOLDER, ONE_THREAD, p50_p99, status_mb

if TYPE_CHECKING:
    from node_robot import Robot

FIRST_DOMAIN, N_DOMAINS = 215, 17  # a range of ports that the system does not assign at random
DOMAIN = FIRST_DOMAIN + os.getpid() % N_DOMAINS
WARM_UP_S = 2.0  # a robot with a start pose is commanded by the policy after half a second there
OURS = 'velora_ros.nodes.policy'


@dataclass(frozen=True)
class Start:
    """
    How a side is started.

    Args:
        command: starts the node.
        answers: the first entry of the command that answers each of the robot's marks, shape (marks,).
        is_quadruped: whether the robot is the quadruped, with Imu and cmd_vel.
    """

    command: Sequence[str]
    answers: np.ndarray
    is_quadruped: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether the node is policy_node."""
        return OURS in self.command

    def make_robot(self, domain: int) -> 'Robot':
        """Return the robot; it needs the environment that ``node.py`` sets."""
        from node_quadruped import QuadrupedRobot  # noqa: PLC0415
        from node_robot import Robot  # noqa: PLC0415

        return (QuadrupedRobot if self.is_quadruped else Robot)(domain, {'command': self.answers})


@contextlib.contextmanager
def running(command: Sequence[str], log: Path, domain: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a node, and end it with SIGINT."""
    environment = {**os.environ, **ONE_THREAD, 'ROS_DOMAIN_ID': str(domain), 'PYTHONPATH': str(FOLDER.parent)}
    with log.open('wb') as output:
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield child
        except RuntimeError as error:
            raise RuntimeError(f'{error}; {" ".join(command)} printed:\n{log.read_text()}') from error
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
    One node and its robot, which has a separate process and sends 40 states a second while another side's turn lasts.

    Args:
        domain: a ROS_DOMAIN_ID that no other side has.
        start: how the node is started.
        folder: folder of the node's log.
    """

    def __init__(self, domain: int, start: Start, folder: Path) -> None:
        # rclpy keeps the DDS participant of a closed robot, and all later communication would involve it.
        context = multiprocessing.get_context('spawn')
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=attend, args=(theirs, domain, start, folder / f'{domain}.log'))
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


def attend(pipe: Connection, domain: int, start: Start, log: Path) -> None:
    """Run the robot: answer requests from the pipe until it closes, and keep the watchdog satisfied in between."""
    robot = start.make_robot(domain)
    try:
        pipe.recv()
        began = time.perf_counter()
        with running(start.command, log, domain) as child:
            ready = until_ready(log, began) if start.is_ours else None
            robot.until_it_answers()
            pipe.send((ready, time.perf_counter() - began))
            robot.run(100, WARM_UP_S)
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
    Wait until policy_node reports that it is armed, standing up or not; return how long it took [s].

    The first command may be 3 s late for a reason outside the node: Fast DDS answers a new participant's first
    announcement at once, which may be before the participant listens, and announces itself again after 3 s.

    Raises:
        RuntimeError: the node does not report this within two minutes.
    """
    while not any(state in log.read_text(encoding='utf-8') for state in (': armed', ': standing up')):
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
def started(starts: Mapping[str, Start], folder: Path) -> Iterator[tuple[dict[str, Side], dict[str, Any]]]:
    """Start the sides one after the other; yield them, and when each was ready and answered [s]."""
    sides: dict[str, Side] = {}
    try:
        startup = {}
        for index, (name, start) in enumerate(starts.items()):
            sides[name] = Side(FIRST_DOMAIN + (DOMAIN + index) % N_DOMAINS, start, folder)
            startup[name] = sides[name].ask('start')
        yield sides, startup
    finally:
        for side in sides.values():
            side.close()


def turn(starts: Mapping[str, Start], rates: Sequence[int], seconds: int, folder: Path) -> dict[str, Any]:
    """
    Start the sides and run them in turns of one second at each rate; return the results of each.

    Args:
        starts: how each side is started.
        rates: rates of the states [Hz].
        seconds: duration for each side and rate [s].
        folder: folder of the logs.
    """
    with started(starts, folder):
        pass  # compiles what is not compiled yet, and warms the disk cache
    with started(starts, folder) as (sides, startup):
        cpu = {name: dict.fromkeys(rates, 0.0) for name in sides}
        for rate in rates:
            for _ in range(seconds):
                for name, side in sides.items():  # other load comes and goes within minutes: it affects all sides alike
                    cpu[name][rate] += side.ask('run', rate, 1.0)
        reports = {name: side.ask('report') for name, side in sides.items()}
    for name, one in reports.items():
        slices = one.pop('outcomes')
        one['startup_s'], one['first_command_s'] = startup[name]
        one['stopped'] = one['fault'] or any(len(outcome.round_trips) == 0 for outcome in slices)
        if one['stopped']:
            continue
        one['rates'] = {}
        for index, rate in enumerate(rates):
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


def describe(side: str, one: Mapping[str, Any]) -> str:
    """Return one run in a line."""
    if one['stopped']:
        return f'{side:12} stopped: {one["fault"] or "no command arrived"}'
    rates = ', '.join(
        f'{rate} Hz {v["p50"]:.0f}/{v["p99"]:.0f} us, {v["lost"]} lost, {v["cpu"]:.0f} us cpu'
        for rate, v in one['rates'].items()
    )
    says = f', {one["says"]}' if one['says'] else ''
    ready = f'ready after {one["startup_s"]:.2f} s, ' if one['startup_s'] else ''
    return f'{side:12} {rates}; {ready}first command after {one["first_command_s"]:.2f} s, {one["rss_mb"]:.0f} MB{says}'


def counted_turn(starts: Mapping[str, Start], rates: Sequence[int], seconds: int, folder: Path) -> dict[str, Any]:
    """
    Run turns and print them until one counts: if the machine stalls, our side is stopped by its watchdog.

    Raises:
        SystemExit: five turns in a row did not count.
    """
    for _ in range(5):
        sides = turn(starts, rates, seconds, folder)
        for name, one in sides.items():
            print(describe(name, one), flush=True)
        if not any(one['stopped'] for one in sides.values()):
            return sides
        print('this turn does not count', flush=True)
    raise SystemExit('this machine stalls too often to measure anything; stop other programs and try again.')
