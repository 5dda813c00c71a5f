"""Checks the rate, the age and the clock of a topic's messages."""

import numpy as np

from velora_ros.doctor.findings import Finding
from velora_ros.doctor.samples import Times

FEWEST = 5
# Relative difference between two rates that still count as equal.
RATE_TOLERANCE = 0.1
# A greater age means that the clocks differ [s].
CLOCK_DIFFERENCE_S = 10.0
# A gap of this many periods resets a policy's hidden state.
GAP_PERIODS = 10.0


def check_times(
    about: str, times: Times, *, period: float | None, max_age: float | None, steps_at_period: bool = False
) -> list[Finding]:
    """
    Check when the messages of a topic were measured and received.

    Args:
        about: the topic.
        times: the times of the topic's messages.
        period: the policy's control period if each of these messages triggers a step [s]; None if any rate is fine.
        max_age: largest age of a message that is used [s]; None if any age is fine.
        steps_at_period: whether the policy takes one step per period, however often messages arrive.
    """
    if len(times) < FEWEST:
        text = f'{len(times)} messages are too few for a check; check that the topic is published.'
        return [Finding('mend', 'rate', about, text)]
    return [
        *_check_rate(about, times, period, steps_at_period=steps_at_period),
        *_check_stamps(about, times),
        *_check_age(about, times, max_age),
    ]


def rate_of(times: Times) -> float:
    """Return the median rate of messages [Hz], by their stamps if they have them."""
    by = times.stamps if np.isfinite(times.stamps).all() else times.received
    steps = np.diff(by)
    steps = steps[steps > 0]
    return float(1 / np.median(steps)) if len(steps) else 0.0


def _check_rate(about: str, times: Times, period: float | None, *, steps_at_period: bool) -> list[Finding]:
    rate = rate_of(times)
    longest = float(np.diff(times.received).max())
    measured = f'{rate:.4g} Hz, longest gap {longest * 1e3:.0f} ms'
    if period is None:
        return [Finding('ok', 'rate', about, measured)]
    wanted = 1 / period
    if rate < wanted * (1 - RATE_TOLERANCE):
        share = f'{rate / wanted:.2g} times'
        advice = 'raise the rate of the driver, or train with this period'
        return [Finding('mend', 'rate', about, f'{measured}; {share} the {wanted:g} Hz of the policy: {advice}.')]
    if rate > wanted * (1 + RATE_TOLERANCE) and not steps_at_period:
        advice = f"set 'rate_hz' to {wanted:g}"
        return [Finding('mend', 'rate', about, f'{measured}, but the policy was trained at {wanted:g} Hz: {advice}.')]
    found = [Finding('ok', 'rate', about, f'{measured}; the policy steps at {wanted:g} Hz')]
    if longest > GAP_PERIODS * period:
        found.append(Finding('note', 'gap', about, f'{longest:.3g} s without a message would reset the policy.'))
    return found


def _check_stamps(about: str, times: Times) -> list[Finding]:
    stamped = np.isfinite(times.stamps)
    if not stamped.any():
        return [Finding('note', 'clock', about, 'the messages have no stamps; the time of receipt is used.')]
    stamps, received = times.stamps[stamped], times.received[stamped]
    same = int((np.diff(stamps) == 0).sum())
    if same > 0.1 * len(stamps):
        text = f'{same} of {len(stamps)} messages repeat the previous stamp; stamp each message when it is measured.'
        return [Finding('mend', 'clock', about, text)]
    if (back := int((np.diff(stamps) < 0).sum())) > 0:
        text = f'{back} of {len(stamps)} stamps are earlier than the previous one; check for a second publisher.'
        return [Finding('mend', 'clock', about, text)]
    lasts = float(np.ptp(received))
    speed = float(np.polyfit(received, stamps, 1)[0]) if lasts > 1.0 else 1.0
    if abs(speed - 1) > RATE_TOLERANCE:
        text = f'the stamps advance by {speed:.3g} s per second, so their clock is not real time; check use_sim_time.'
        return [Finding('mend', 'clock', about, text)]
    return []


def _check_age(about: str, times: Times, max_age: float | None) -> list[Finding]:
    ages = (times.received - times.stamps)[np.isfinite(times.stamps)]
    if not len(ages):
        return []
    median, most = float(np.median(ages)), float(np.percentile(ages, 99))
    measured = f'{median * 1e3:.1f} ms old when received (99 %: {most * 1e3:.1f} ms)'
    if abs(median) > CLOCK_DIFFERENCE_S:
        where = f'{median:.4g} s old' if median > 0 else f'{-median:.4g} s in the future'
        text = f'the stamps are {where}, so the clocks differ; synchronise the clocks, or check use_sim_time.'
        return [Finding('mend', 'clock', about, text)]
    if max_age is not None and median > max_age:
        text = (
            f'{measured}, but a state older than {max_age * 1e3:.0f} ms gets no command. Stamp each message when it is '
            'measured, synchronise the clocks, or check the network.'
        )
        return [Finding('mend', 'age', about, text)]
    if max_age is not None and median < -max_age:
        text = f'the stamps are {-median * 1e3:.0f} ms in the future, so the clocks differ; synchronise the clocks.'
        return [Finding('mend', 'clock', about, text)]
    return [Finding('ok', 'age', about, measured)]
