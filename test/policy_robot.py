"""A robot as policy_node sees it: joint states out, commands in, and the node's own topics and services."""

import numpy as np

from velora_ros.nodes.ros.conversions import to_joint_state
from velora_ros.nodes.ros.topics_services_qos import LATCHED
from velora_ros.spec import PolicySpec

T = 0.04
MS = 1_000_000
NAMES = ('slider/position', 'hinge/position', 'slider/velocity', 'hinge/velocity')
SPEC = PolicySpec(NAMES, ('m', 'rad', 'm/s', 'rad/s'), ('slider/effort',), ('N',), (-3.0,), (3.0,), T)
STATE = (0.1, -0.2, 0.3, -0.4)


DEFAULTS = (
    'autostart:=true', 'arm_on_activate:=true', 'engine:=numpy',
    'watchdog_timeout_s:=0', 'max_gap_s:=0', 'max_state_age_s:=5',
)  # fmt: skip


class Robot:
    """
    A robot as policy_node sees it: joint states out, commands in, and the node's own topics.

    `extra` are parameters of the node, as `name:=value`; `depth` is that of the publisher of states.
    """

    def __init__(self, ros, policy_path, *extra, namespace='', kind='std_msgs/msg/Float64MultiArray', depth=10):
        self.ros, self.path, self.namespace = ros, policy_path, namespace
        given = {word.partition(':=')[0] for word in extra}
        defaults = [word for word in DEFAULTS if word.partition(':=')[0] not in given]  # of two, rcl takes the first
        parameters = [f'policy:={policy_path}', *defaults, *extra]
        self.process = ros.start(
            'policy_node', '-r', f'__ns:={namespace or "/"}', *(word for text in parameters for word in ('-p', text))
        )
        self.status = ros.subscribe(
            'diagnostic_msgs/msg/DiagnosticStatus', f'{namespace}/policy_node/status', LATCHED.profile()
        )
        ros.until(lambda: self.status, 'the latched status')
        self.commands = ros.subscribe(kind, f'{namespace}/command', 100)
        self._states = ros.publisher('sensor_msgs/msg/JointState', f'{namespace}/joint_states', depth)
        self._stamp = 0

    def ready(self):
        """Armed, without a fault, the hidden state fresh."""
        self.call('clear_fault')
        self.call('arm', data=True)
        self.call('reset_state')
        return self

    @property
    def now(self):
        return self.ros.node.get_clock().now().nanoseconds

    def publish(self, values=STATE, joints=('slider', 'hinge'), stamp=None):
        """Publish a joint state; stamps advance by one period, whatever the real time."""
        self._stamp = self.now if stamp is None else stamp
        position, velocity = np.split(np.asarray(values, dtype=float), 2)
        self._states.publish(to_joint_state(joints, position, velocity, np.empty(0), self._stamp))

    def publish_bytes(self, data):
        """Publish what should be a serialised joint state."""
        self._states.publish(data)

    def diagnostics(self):
        """The values of the node's next diagnostics, each a string."""
        arrays = self.ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')
        name = f'{self.namespace}/policy_node'.lstrip('/')

        def own():
            statuses = (status for array in arrays for status in array.status)
            return next((status for status in statuses if status.name.startswith(f'{name}:')), None)

        status = self.ros.until(own, 'diagnostics')
        return {pair.key: pair.value for pair in status.values} | {'message': status.message}

    def command(self, *arguments, **keywords):
        """Publish a state and return the command that comes back."""
        self.commands.clear()
        self.publish(*arguments, **keywords)
        self.ros.until(lambda: self.commands, 'a command')
        return np.array(self.commands[-1].data)

    def until_it_answers(self):
        self.commands.clear()

        def answered():
            self.publish()
            self.ros.spin(0.02)
            return self.commands

        self.ros.until(answered, 'the first command')
        self.ros.settle(f'{self.namespace}/policy_node')
        return self

    def until_status(self, text):
        return self.ros.until(
            lambda: next((s for s in self.status[-1:] if text in s.message), None), f'status {text!r}'
        )

    def call(self, service, **fields):
        kind = 'std_srvs/srv/SetBool' if fields else 'std_srvs/srv/Trigger'
        return self.ros.call(kind, f'{self.namespace}/policy_node/{service}', **fields)

    def no_command(self, *arguments, **keywords):
        """Publish a state that must not be answered."""
        self.commands.clear()
        self.publish(*arguments, **keywords)
        self.ros.spin(0.15)
        return not self.commands
