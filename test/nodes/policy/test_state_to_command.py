"""policy_node in this process, where no timer runs, so that nothing but the loop publishes a status."""

import pytest
import rclpy
from policy_robot import DEFAULTS, SPEC, STATE
from rclpy.serialization import serialize_message

from velora_ros.nodes.policy.node import PolicyNode
from velora_ros.nodes.ros.conversions import to_joint_state
from velora_ros.nodes.ros.topics_services_qos import LATCHED

pytestmark = pytest.mark.ros


@pytest.fixture
def loop(ros, make_policy_file, tmp_path):
    """The loop of a node that is armed."""
    make_policy_file(spec=SPEC).save(tmp_path / 'policy.safetensors')
    parameters = (f'policy:={tmp_path / "policy.safetensors"}', *DEFAULTS)
    rclpy.init(args=['--ros-args', *(word for text in parameters for word in ('-p', text))], domain_id=ros.domain)
    node = PolicyNode()
    try:
        yield node._loop
    finally:
        node.close()
        node.destroy_node()
        rclpy.shutdown()


def state():
    return serialize_message(to_joint_state(('slider', 'hinge'), STATE[:2], STATE[2:], (), 0))


@pytest.mark.parametrize('rate', [0.0, 10.0])
def test_the_first_good_state_after_a_bad_one_ends_the_warning(ros, loop, rate):
    loop.apply({**loop._values, 'rate_hz': rate})
    status = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', '/policy_node/status', LATCHED.profile())

    def receive(message):
        loop._path.on_state(message)
        if rate:
            loop._path.on_rate()

    receive(state())
    for _ in range(3):
        ros.until(lambda: status and status[-1].level == b'\0', 'the status of a good state')
        receive(b'no joint state')
        ros.until(lambda: 'cannot be read' in status[-1].message, 'the warning')
        receive(state())
