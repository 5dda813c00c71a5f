"""Checks the response of a robot to its commands: order, signs, offsets, latency and dead zones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from velora_ros.doctor.findings import Finding
from velora_ros.doctor.samples import Array

# Shortest response [s], smallest change of a command that is checked [rad or m, or per second], longest delay [s].
LEAST_S, LEAST_CHANGE, LONGEST_DELAY_S = 1.0, 0.02, 0.5
FOLLOWS = 0.6  # lowest correlation of a joint with the command that it follows
OFFSET = 0.1  # largest mean distance of a position from its command
DEAD = 0.05  # largest dead zone that is not reported [rad/s or m/s]


class Response(NamedTuple):
    """
    Commands and the measurements that should follow them, at the same times.

    Args:
        times: evenly spaced times, shape (n,) [s].
        names: the commanded joints, in the order of the commands.
        commands: the commands, shape (n, k) [rad or m, or per second].
        measured: the measurements, shape (n, k), in the same units; NaN where a joint was not measured.
        are_positions: whether both are positions; otherwise they are velocities.
    """

    times: Array
    names: Sequence[str]
    commands: Array
    measured: Array
    are_positions: bool


def check_response(response: Response) -> list[Finding]:
    """Compare each command that changed enough with the measurements of all joints."""
    times = response.times
    if len(times) < 10 or times[-1] - times[0] < LEAST_S:
        return []
    active = [k for k in range(len(response.names)) if np.ptp(response.commands[:, k]) > LEAST_CHANGE]
    return [finding for k in active for finding in _check_one(response, k)]


def _check_one(response: Response, k: int) -> list[Finding]:
    name, dt = response.names[k], float(response.times[1] - response.times[0])
    command = response.commands[:, k]
    fits = [_best_delay(command, measured, dt) for measured in response.measured.T]
    best = int(np.argmax([abs(fit) for fit, _ in fits]))
    fit, delay = fits[k]
    if abs(fits[best][0]) < FOLLOWS:
        text = 'no measurement follows its command; check that the robot is armed and its controller is active.'
        return [Finding('note', 'response', name, text)]
    if best != k and abs(fits[best][0]) > abs(fit) + 0.2:
        text = (
            f"its command is followed by '{response.names[best]}': the order of joints differs between commands and "
            'states. Correct command.fields or observation.fields.'
        )
        return [Finding('mend', 'order', name, text)]
    if abs(fit) < FOLLOWS:
        return [Finding('note', 'response', name, f'it follows its command poorly (correlation {fit:.2f}).')]
    if fit < 0:
        text = (
            'it moves in the opposite direction to its command: the command or the state has the wrong sign. Set '
            'command.scale or observation.scale.'
        )
        return [Finding('mend', 'sign', name, text)]
    text = f'it follows its command {delay * 1e3:.0f} ms later (correlation {fit:.2f})'
    found = [Finding('ok', 'response', name, text)]
    shifted = round(delay / dt)
    pair = command[: len(command) - shifted], response.measured[shifted:, k]
    return [*found, *(_offset(name, *pair) if response.are_positions else _dead_zone(name, *pair))]


def _offset(name: str, command: Array, measured: Array) -> list[Finding]:
    difference = measured - command
    offset, spread = float(np.nanmean(difference)), float(np.nanstd(difference))
    if abs(offset) <= OFFSET:
        return []
    if spread > abs(offset) / 3:
        text = f'it deviates from its command by {offset:.3g} on average: its controller is soft, or it carries a load.'
        return [Finding('note', 'offset', name, text)]
    text = (
        f'it deviates from its command by {offset:.3g}: the zeros of commands and states differ. Set command.offset '
        'or observation.offset.'
    )
    return [Finding('mend', 'offset', name, text)]


def _dead_zone(name: str, command: Array, measured: Array) -> list[Finding]:
    """Find the size below which commands have no effect, although larger commands have one."""
    size, speed = np.abs(command), np.abs(measured)
    gain = float(np.nansum(speed * size) / np.nansum(size * size))
    still = size[(speed < 0.2 * gain * size) & (size > 0)]
    moving = size[speed >= 0.2 * gain * size]
    if not len(still) or not len(moving):
        return []
    edge = float(np.percentile(still, 90))
    if edge < DEAD or edge > np.percentile(moving, 50):
        return []
    text = f'commands up to {edge:.2g} have no effect; a policy that was trained without a dead zone may oscillate.'
    return [Finding('note', 'dead zone', name, text)]


def _best_delay(command: Array, measured: Array, dt: float) -> tuple[float, float]:
    """Return the strongest correlation at any delay, and this delay [s]; (0, 0) without measurements."""
    if np.isnan(measured).any() or np.ptp(measured) == 0:
        return 0.0, 0.0
    steps = range(min(round(LONGEST_DELAY_S / dt), len(command) // 2) + 1)
    fits = [_correlation(command[: len(command) - step], measured[step:]) for step in steps]
    best = int(np.argmax(np.abs(fits)))
    return fits[best], best * dt


def _correlation(one: Array, other: Array) -> float:
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / norm if norm else 0.0
