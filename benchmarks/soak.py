"""
A soak test of policy_node: minutes of states at a fixed rate, beside a bare echo. `make soak` runs it.

    python benchmarks/soak.py [--seconds 600] [--rate 500]

It uses the robot, the node and the echo of `make bench-node`. Here the robot sends to both all the time, half a period
apart and on separate topics, so that a stall of the machine affects both and neither waits for the other. The node's
resident memory is read every few seconds. The last line is JSON: states without a command, commands that the middleware
reports as lost, round trips [us], memory [MB] at the start and at the end and its slope [MB per hour], latched faults,
the node's own counters, and the robot's longest pause between two states [ms], which shows whether the node missed
states or the robot sent none. The exit status is 1 if a fault was latched; the output names it.
"""

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measuring import machine, status_mb
from node import commands
from node_sides import DOMAIN, running

if TYPE_CHECKING:
    from node_robot import Robot

SLICE_S = 5.0
SETTLED_S = 30.0  # until then memory is still being touched for the first time
ECHO, ECHO_STATES = 'echo_command', 'echo_states'
COUNTS = ('fault.', 'reset.', 'rejected.')


def slope(times: list[float], values: list[float]) -> float:
    """Return the slope [per hour] of a line through the values after the settling time, in a short run through all."""
    kept = [(t, v) for t, v in zip(times, values, strict=True) if t >= SETTLED_S]
    x, y = np.array(kept if len(kept) > 1 else list(zip(times, values, strict=True))).T
    return float(np.polyfit(x, y, 1)[0] * 3600) if len(x) > 1 else 0.0


def side(robot: 'Robot', topic: str) -> dict[str, Any]:
    """Return the results of one topic."""
    outcomes = robot.outcomes(topic)
    trips = np.concatenate([outcome.round_trips for outcome in outcomes])
    p50, p99 = np.percentile(trips, (50, 99))
    return {
        'lost': sum(outcome.lost for outcome in outcomes),
        'message_lost': robot.message_lost[topic],
        'us': {'p50': round(float(p50), 1), 'p99': round(float(p99), 1), 'max': round(float(trips.max()), 1)},
    }


def counts(robot: 'Robot') -> dict[str, int]:
    """Return the node's own counts of faults, resets of the hidden state and refused states."""
    status = next(s for s in robot.diagnostics.status if s.name.endswith('policy_node'))
    values = {value.key: value.value for value in status.values}
    return {key: int(v) for key, v in values.items() if key.startswith(COUNTS)}


def soak(robot: 'Robot', pid: int, rate: int, seconds: float) -> dict[str, Any]:
    """Send states for the whole time; return the results."""
    robot.until_it_answers()
    times, memory = [0.0], [status_mb('VmRSS', pid)]
    begun = time.monotonic()
    while (elapsed := time.monotonic() - begun) < seconds:
        robot.run(rate, min(SLICE_S, seconds - elapsed))
        times.append(time.monotonic() - begun)
        memory.append(status_mb('VmRSS', pid))
        if len(memory) % 12 == 0:
            print(f'{times[-1]:.0f} s: {memory[-1]:.1f} MB', flush=True)
        gc.collect()
        gc.freeze()  # otherwise garbage collection would search all received data, and pause the robot longer each time
    counted = counts(robot)
    return {
        'states': robot.n_states,
        'ours': side(robot, 'command'),
        'echo': side(robot, ECHO),
        'rss_mb': {
            'start': round(memory[0], 1),
            'end': round(memory[-1], 1),
            'slope_per_h': round(slope(times, memory), 2),
        },
        'faults': sum(count for name, count in counted.items() if name.startswith('fault.')),
        'counts': counted,
        'longest_pause_ms': round(robot.longest_pause_ms, 1),
    }


def main() -> None:
    """Run the test and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=600.0)
    parser.add_argument('--rate', type=int, default=500, help='rate of the states [Hz] (default: 500)')
    options = parser.parse_args()
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    from node_robot import MARKS, Robot, expected_commands, policy_file  # noqa: PLC0415

    print(machine('numba', 'numpy', 'ros-jazzy-rclpy', 'ros-fastrtps'))
    with tempfile.TemporaryDirectory() as temporary:
        folder, file = Path(temporary), policy_file()
        file.save(folder / 'policy.safetensors')
        starts = commands(folder / 'policy.safetensors')
        echo = [*starts['echo'], '--ros-args', '-r', f'command:={ECHO}', '-r', f'joint_states:={ECHO_STATES}']
        robot = Robot(DOMAIN, {'command': expected_commands(file), ECHO: MARKS}, ('joint_states', ECHO_STATES))
        gc.disable()
        try:
            with (
                running(starts['ours'], folder / 'ours.log', DOMAIN) as node,
                running(echo, folder / 'echo.log', DOMAIN),
            ):
                result = soak(robot, node.pid, options.rate, options.seconds)
                if result['faults']:
                    print((folder / 'ours.log').read_text(encoding='utf-8'))
        finally:
            robot.close()
    print(json.dumps({'benchmark': 'soak', 'seconds': options.seconds, 'rate_hz': options.rate, **result}))
    sys.exit(1 if result['faults'] else 0)


if __name__ == '__main__':
    main()
