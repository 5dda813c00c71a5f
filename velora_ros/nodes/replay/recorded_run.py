"""Reads the recorded controller: its hidden state after each step, and the times at which its policy commanded."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rclpy.serialization import deserialize_message

from velora_ros.nodes.policy.decoding.reader_registry import message_class
from velora_ros.nodes.replay.recorded_robot import RecordedRobot, Step
from velora_ros.nodes.replay.recorded_topics import HIDDEN
from velora_ros.policy import Policy
from velora_ros.recordings.mcap_reader import Recording
from velora_ros.spec.robot_contract import GAIT_CLOCK, OWN_TYPES

Array = npt.NDArray[np.float64]

OBSERVATION = '/debug/observation'
# Largest difference between hidden states that is due to rounding.
ROUNDING = 1e-9
# Largest difference between two observations of the same state.
SAME_OBSERVATION = 1e-6
STATUS = 'diagnostic_msgs/msg/DiagnosticStatus'


class RecordedRun:
    """
    Keeps the replayed policy in step with the recorded one.

    A gait clock may have started before the recording, so its values are taken from the recorded observations if they
    are observations of this policy. If the policy is the one that ran, its last action and its hidden state are also
    taken from the recording. Both differ from the replayed ones after events that a recording does not contain: the
    robot's start, a lost state, arming, a fault.

    Args:
        recording: the recording.
        robot: the robot that is replayed; its controller steps the policy.
        policy: the policy.
        is_same: whether the policy is the one that ran.
    """

    def __init__(self, recording: Recording, robot: RecordedRobot, policy: Policy, *, is_same: bool) -> None:
        self.is_same = is_same
        self.corrected: set[int] = set()
        """The steps, counted from 0, after which the hidden states differed."""
        self._policy, self._window = policy, round(policy.period * 1e9)
        self._times, self._hidden = _vectors(recording, f'{robot.node}{HIDDEN}')
        self._read_times, self._observations = _vectors(recording, f'{robot.node}{OBSERVATION}')
        self._clock, self._own = _own_entries(policy)
        self._is_there = is_same and len(self._hidden) > 0 and self._hidden.shape[1] == len(policy.hidden)

    def observation(self, step: Step) -> Array:
        """Return the observation at a state, shape (observation,), with recorded values of the node's own entries."""
        taken = self._own if self.is_same else self._clock
        recorded = _between(self._read_times, self._observations, step.published, step.published + self._window)
        if not taken or recorded is None or len(recorded) != len(step.observation):
            return step.observation
        observation = step.observation.copy()
        observation[self._own] = recorded[self._own]
        if not np.allclose(observation, recorded, rtol=0, atol=SAME_OBSERVATION):
            return step.observation  # the observation of another policy, or of another state
        observation[self._own] = step.observation[self._own]
        observation[taken] = recorded[taken]
        return observation

    def correct(self, published: Sequence[int], now: int) -> None:
        """
        Compare the hidden state after the last step with the recorded one, and replace it if they differ.

        Args:
            published: the times at which the states that were answered so far were published [ns].
            now: the time at which the next state was published [ns].
        """
        if not published or not self._is_there:
            return
        hidden = self._hidden_after(published, now)
        if hidden is not None and np.abs(hidden - self._policy.hidden).max() > ROUNDING:
            self.corrected.add(len(published) - 1)
            self._policy.hidden = hidden

    def _hidden_after(self, published: Sequence[int], now: int) -> Array | None:
        """Return the recorded hidden state after the last step; None if it could belong to another step."""
        begin = published[-2] if len(published) > 1 else published[-1]
        first, middle, end = np.searchsorted(self._times, [begin, published[-1], now])
        is_sure = end - middle == 1 and (len(published) == 1 or middle - first == 1)
        return self._hidden[middle] if is_sure else None


def armed_at(recording: Recording, node: str, times: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return for each of ``times`` [ns] whether the policy commanded, by the recorded status; True if there is none."""
    messages = sorted(recording.of(f'{node}/status'), key=lambda one: one.published)
    if not messages:
        return np.ones(len(times), bool)
    states = [deserialize_message(one.data, message_class(STATUS)).message for one in messages]
    armed = np.array([state.partition(':')[0].partition(';')[0] == 'armed' for state in states])
    # A latched status that was published before the recording counts from the beginning of the recording.
    places = np.searchsorted([one.published for one in messages], times, side='right') - 1
    found: npt.NDArray[np.bool_] = armed[np.maximum(places, 0)]
    return found


def _vectors(recording: Recording, topic: str) -> tuple[npt.NDArray[np.int64], Array]:
    """Return times [ns], shape (n,), and values, shape (n, k), of the messages of a Float64MultiArray topic."""
    messages = sorted(recording.of(topic), key=lambda one: one.published)
    rows: list[Any] = [deserialize_message(one.data, message_class('Float64MultiArray')).data for one in messages]
    width = len(rows[0]) if rows else 0
    values = np.array([row if len(row) == width else np.full(width, np.nan) for row in rows], dtype=np.float64)
    return np.array([one.published for one in messages], dtype=np.int64), values


def _between(times: npt.NDArray[np.int64], values: Array, begin: int, end: int) -> Array | None:
    """Return the first values recorded at or after ``begin`` and before ``end`` [ns]; None if there are none."""
    place = int(np.searchsorted(times, begin))
    return values[place] if place < len(times) and times[place] < end else None


def _own_entries(policy: Policy) -> tuple[list[int], list[int]]:
    """Return the places in the observation of a gait clock's entries, and of all entries that the node computes."""
    contract = policy.spec.contract
    if contract is None:
        return [], []
    types = {source.name: source.type for source in contract.sources}
    kinds = [types[text.partition(':')[0]] for text in contract.fields]
    return (
        [place for place, kind in enumerate(kinds) if kind == GAIT_CLOCK],
        [place for place, kind in enumerate(kinds) if kind in OWN_TYPES],
    )
