"""Damaged policy files, and what came of loading them."""

import numpy as np

from velora_ros.errors import ObservationError, PolicyFileError
from velora_ros.policy import Policy


def outcome(path):
    """Return '' if the policy loads and steps, else its error, which must be one sentence."""
    try:
        policy = Policy.load(path)
        policy.warm_up()
        policy.step(np.zeros(policy.spec.observation_dim))
    except (PolicyFileError, ObservationError) as error:
        text = str(error)
        assert '\n' not in text and len(text) < 2000 and text.endswith('.'), text
        return text
    return ''


def mutated(data, rng):
    """Return bytes with some changed, inserted, removed or repeated."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at, kind = int(rng.integers(max(len(data), 1))), rng.integers(5)
        data = data or bytearray(b'0')
        if rng.random() < 0.7:  # the structure, not the weights
            at = int(rng.choice([at % 400, max(len(data) - 1 - at % 3000, 0)]))
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))
        elif kind == 2:
            del data[at : at + int(rng.integers(1, 9))]
        elif kind == 3:
            data[at:at] = rng.bytes(int(rng.integers(1, 9)))
        else:
            data = data[: max(at, 1)]
    return bytes(data)
