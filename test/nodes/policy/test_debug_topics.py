"""Each topic for debugging is published, and what it shows is computed, only while it has subscribers itself."""

import time

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from ros_bench import PATIENCE, own_domain

from velora_ros.nodes.policy.debug_topics import TOPICS, DebugTopics
from velora_ros.nodes.policy.status_and_diagnostics import Diagnostics
from velora_ros.nodes.policy.topic_factory import TopicFactory
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.topics_services_qos import NEWEST

pytestmark = pytest.mark.ros


@pytest.fixture
def node():
    context = Context()
    with own_domain() as domain:
        rclpy.init(args=[], context=context, domain_id=domain)
        node = rclpy.create_node('policy_node', context=context, enable_rosout=False)
        yield node
        node.destroy_node()
        rclpy.try_shutdown(context=context)


def values(computed):
    """What the three topics show; each notes that it was asked for."""

    def one(what):
        return lambda: computed.append(what) or np.zeros(2)

    return {what: one(what) for what in TOPICS}


def test_nothing_is_published_or_computed_for_topics_without_a_subscriber(node):
    debug = DebugTopics(TopicFactory(node, Diagnostics(node)))
    computed = []
    assert not debug.look_for_subscribers()
    debug.publish(**values(computed))
    assert computed == []
    node.create_subscription(
        interface_class('std_msgs/msg/Float64MultiArray'), '~/debug/hidden', lambda message: None, NEWEST.profile()
    )
    end = time.monotonic() + PATIENCE
    while not debug.look_for_subscribers() and time.monotonic() < end:
        time.sleep(0.01)
    debug.publish(**values(computed))
    assert computed == ['hidden']
