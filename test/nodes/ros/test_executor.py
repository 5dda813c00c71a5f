"""The loop that spins a node."""

import contextlib
import threading

import pytest
import rclpy
from rclpy.executors import ExternalShutdownException

from velora_ros.nodes.ros.executor import spin

pytestmark = pytest.mark.ros


@pytest.fixture
def node(ros):
    rclpy.init(domain_id=ros.domain, args=[])
    node = rclpy.create_node('spun')
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


def test_callbacks_run_until_the_condition_is_true(node):
    calls = []
    node.create_timer(0.01, lambda: calls.append(len(calls)))
    spin(node, until=lambda: len(calls) == 3)
    assert calls == [0, 1, 2]


def test_it_ends_when_another_thread_shuts_the_context_down(node):
    began = threading.Event()

    def shut_down():
        began.wait()
        rclpy.shutdown()

    thread = threading.Thread(target=shut_down)
    thread.start()
    node.create_timer(0.01, began.set)
    with contextlib.suppress(ExternalShutdownException):
        spin(node)
    thread.join()


def test_it_ends_at_once_in_a_context_that_was_shut_down(node):
    rclpy.shutdown()
    with contextlib.suppress(ExternalShutdownException):
        spin(node)
