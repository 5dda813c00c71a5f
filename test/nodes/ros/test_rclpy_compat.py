"""The private parts of rclpy: present in the installed version, and named in one message if they are missing."""

import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import rclpy
from policy_robot import DEFAULTS, SPEC, STATE
from rclpy.node import Node
from ros_bench import SOURCE

from velora_ros.errors import ConfigError
from velora_ros.nodes.ros import rclpy_compat
from velora_ros.nodes.ros.conversions import to_joint_state
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.rclpy_compat import TESTED_WITH, rclpy_version

pytestmark = pytest.mark.ros


@pytest.fixture(scope='module')
def node(context):
    arguments = ['--ros-args', '-p', 'nobody_declared_me:=3']
    node = Node('compat', context=context, enable_rosout=False, use_global_arguments=False, cli_args=arguments)
    yield node
    node.destroy_node()


def test_the_installed_rclpy_is_a_tested_version():
    version = rclpy_version()
    assert version.rpartition('.')[0] in TESTED_WITH, f'test every part of PRIVATE with rclpy {version}'


def test_undeclared_start_values_are_found(node):
    assert rclpy_compat.start_values(node) == {'nobody_declared_me': 3}


def test_queued_messages_are_taken_until_there_are_none(node):
    kind = interface_class('std_msgs/msg/Float64')
    subscription = node.create_subscription(kind, 'numbers', lambda message: None, 10)
    publisher = node.create_publisher(kind, 'numbers', 10)
    take, found = rclpy_compat.taker(subscription), []
    while publisher.get_subscription_count() == 0:
        pass
    publisher.publish(kind(data=1.5))
    while not found:
        found += filter(None, [take()])
    assert found[0].data == 1.5
    assert take() is None


def test_a_response_can_be_sent_after_the_callback(node):
    service = node.create_service(interface_class('std_srvs/srv/Trigger'), 'later', lambda request, response: response)
    asked = []
    rclpy_compat.answer_later(service, lambda response, send: asked.append((response, send)))
    service.send_response('response', 'header')  # as an executor does with what the callback returned
    assert [response for response, _ in asked] == ['response']


def test_there_is_an_events_executor():
    assert rclpy_compat.events_executor() is not None


def test_a_refusal_has_its_message():
    assert str(rclpy_compat.Refused('this is why.')) == 'this is why.'


@pytest.mark.parametrize(
    ('use', 'part'),
    [
        (rclpy_compat.start_values, 'Node._parameter_overrides'),
        (lambda changed: rclpy_compat.answer_later(changed, print), 'Service.send_response'),
        (lambda changed: rclpy_compat.taker(type('Subscription', (), {'handle': changed})), 'Subscription.handle.take'),
    ],
)
def test_a_missing_part_is_named_with_the_versions_that_have_it(use, part):
    with pytest.raises(ConfigError, match=re.escape(part)) as error:
        use(object())
    assert all(version in str(error.value) for version in TESTED_WITH)
    assert rclpy_version() in str(error.value)


def uses_of_private_parts(text, private):
    """Lines that use a private name of rclpy on anything but `self`, or import a private module."""
    attribute = re.compile(r'(?<!self)(?<!cls)\.(_(?!_)\w+)')
    hidden = re.compile(r'\brclpy\.(impl|experimental)\b|\.handle\b|\.send_response\b|_rclpy\b')
    lines = text.splitlines()
    return [line.strip() for line in lines if hidden.search(line) or set(attribute.findall(line)) & private]


def test_no_other_file_uses_private_parts_of_rclpy():
    sources = [path.read_text(encoding='utf-8') for path in Path(rclpy.__file__).parent.rglob('*.py')]
    private = {name for text in sources for name in re.findall(r'\._[a-z]\w+', text)}
    private = {name.removeprefix('.') for name in private}
    assert '_parameter_overrides' in private
    texts = {path.name: path.read_text(encoding='utf-8') for path in (SOURCE / 'velora_ros').rglob('*.py')}
    found = {name: uses_of_private_parts(text, private) for name, text in texts.items() if 'rclpy' in text}
    assert found.pop('rclpy_compat.py'), 'the search finds what is there'
    assert not {name: lines for name, lines in found.items() if lines}


# policy_node as on Humble: what its rclpy 3.3 lacks, or has elsewhere, is taken away before the package is imported.
AS_ON_HUMBLE = """
import sys, types
import rclpy.event_handler, rclpy.lifecycle
from rclpy.node import Node
here = rclpy.event_handler
older = types.ModuleType('rclpy.qos_event')
older.PublisherEventCallbacks, older.SubscriptionEventCallbacks = (
    here.PublisherEventCallbacks, here.SubscriptionEventCallbacks)
sys.modules.update({
    'rclpy.qos_event': older, 'rclpy.event_handler': None, 'rclpy.experimental': None, 'rclpy.clock_type': None,
})
del Node.add_pre_set_parameters_callback, Node.add_post_set_parameters_callback
from velora_ros.nodes.policy.__main__ import main
sys.exit(main())
"""


def test_with_what_humble_has_a_policy_commands_and_its_parameters_are_checked(ros, make_policy_file, tmp_path):
    make_policy_file(spec=SPEC).save(tmp_path / 'policy.safetensors')
    parameters = (f'policy:={tmp_path / "policy.safetensors"}', *DEFAULTS)
    words = [word for text in parameters for word in ('-p', text)]
    process = ros.start([sys.executable, '-c', AS_ON_HUMBLE, '--ros-args', *words])
    commands = ros.subscribe('std_msgs/msg/Float64MultiArray', 'command')
    states = ros.publisher('sensor_msgs/msg/JointState', 'joint_states')

    def answered():
        now = ros.node.get_clock().now().nanoseconds
        states.publish(to_joint_state(('slider', 'hinge'), np.array(STATE[:2]), np.array(STATE[2:]), np.empty(0), now))
        ros.spin(0.04)
        return commands

    ros.until(answered, 'a command')
    assert 'has no EventsExecutor' in process.output
    longer, negative = (ros.set_parameters('policy_node', ramp_s=value)[0] for value in (2.0, -1.0))
    assert longer.successful
    assert not negative.successful and 'ramp_s' in negative.reason
    assert not ros.set_parameters('policy_node', watchdog_timeot_s=1.0)[0].successful
    process.signal(signal.SIGINT)
    assert process.wait() == 0
