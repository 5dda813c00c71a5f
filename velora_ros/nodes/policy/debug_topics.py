"""The debugging topics ~/debug/...: the policy's observation, hidden state, and action before the limits."""

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from velora_ros.nodes.policy.topic_factory import TopicFactory
from velora_ros.nodes.ros.conversions import to_vector

TOPICS = ('observation', 'hidden', 'raw_action')


class DebugTopics:
    """
    Publishes each debugging topic while it has subscribers.

    Args:
        topics: creates the publishers.
    """

    def __init__(self, topics: TopicFactory) -> None:
        self._publishers = {what: topics.publisher(f'~/debug/{what}') for what in TOPICS}
        self._wanted: list[str] = []

    def look_for_subscribers(self) -> bool:
        """Find the topics that have subscribers; return whether any has."""
        self._wanted = [what for what, publisher in self._publishers.items() if publisher.get_subscription_count()]
        return bool(self._wanted)

    def publish(self, **values: Callable[[], npt.NDArray[Any]]) -> None:
        """
        Publish the values whose topics have subscribers.

        Args:
            values: for each of :data:`TOPICS` a function that returns an array: the observation, the hidden state after
                the step, and the action in SI units.
        """
        for what in self._wanted:
            self._publishers[what].publish(to_vector(values[what]()))
