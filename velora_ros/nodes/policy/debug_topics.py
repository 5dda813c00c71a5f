"""The topics for debugging, ~/debug/...: what the policy read, its hidden state, and its action before the limits."""

from typing import Any

import numpy.typing as npt

from velora_ros.nodes.policy.topic_factory import TopicFactory
from velora_ros.nodes.ros.conversions import to_vector


class DebugTopics:
    """
    Publishes the debugging topics while they have subscribers.

    Args:
        topics: creates the publishers.
    """

    def __init__(self, topics: TopicFactory) -> None:
        self._publishers = [topics.publisher(f'~/debug/{what}') for what in ('observation', 'hidden', 'raw_action')]

    def has_subscribers(self) -> bool:
        """Return whether any of the topics has a subscriber."""
        return any(publisher.get_subscription_count() for publisher in self._publishers)

    def publish(self, observation: npt.NDArray[Any], hidden: npt.NDArray[Any], action: npt.NDArray[Any]) -> None:
        """Publish the observation, the hidden state after the step, and the policy's action in SI units."""
        for publisher, values in zip(self._publishers, (observation, hidden, action), strict=True):
            publisher.publish(to_vector(values))
