"""Checks that this machine computes the same actions from a policy as the machine that wrote its golden trace."""

import numpy as np

from velora_ros.doctor.findings import Finding
from velora_ros.policy.golden_trace import golden_trace, run_trace
from velora_ros.policy.policy import Policy

# Largest difference of an action between two machines, as a share of its range.
TOLERANCE = 1e-6


def check_policy(about: str, policy: Policy) -> Finding:
    """
    Replay the policy's golden trace and compare its actions.

    Raises:
        PolicyFileError: the trace does not fit the policy.
    """
    trace = golden_trace(policy.content)
    if trace is None:
        text = "the file has no golden trace; 'velora_ros doctor POLICY --add-trace FILE' adds one."
        return Finding('note', 'trace', about, text)
    observations, times, actions = trace
    spec = policy.spec
    difference = np.abs(run_trace(policy, observations, times) - actions) / (spec.high - spec.low)
    worst = np.unravel_index(difference.argmax(), difference.shape)
    largest = f'{difference.max():.1g} of the range (engine {policy.engine})'
    text = f'the golden trace of {len(times)} steps differs by {largest}'
    if difference.max() <= TOLERANCE:
        return Finding('ok', 'trace', about, text)
    text += (
        f", most in '{spec.action_names[int(worst[1])]}' at step {int(worst[0])}: this machine computes different "
        f'actions. Try engine: numpy, copy the file again, or compare the versions of numpy.'
    )
    return Finding('mend', 'trace', about, text)
