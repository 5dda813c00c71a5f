"""Nodes in this process, for tests of parameters."""

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from ros_bench import own_domain


@pytest.fixture(scope='module')
def context():
    context = Context()
    with own_domain() as domain:
        rclpy.init(args=[], context=context, domain_id=domain)
        yield context
        rclpy.try_shutdown(context=context)


@pytest.fixture
def make_node(context):
    nodes = []

    def make(*arguments, name='node', namespace=None):
        nodes.append(
            Node(name, context=context, namespace=namespace, enable_rosout=False, use_global_arguments=False,
                 cli_args=['--ros-args', *map(str, arguments)] if arguments else None)
        )  # fmt: skip
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
