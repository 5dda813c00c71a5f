"""A robot as policy_node sees it: joint states out, commands in, and the node's own topics and services."""

import numpy as np

from velora_ros.nodes.conversions import to_joint_state
from velora_ros.nodes.interfaces import LATCHED
from velora_ros.spec import PolicySpec

T = 0.04
MS = 1_000_000
NAMES = ('slider/position', 'hinge/position', 'slider/velocity', 'hinge/velocity')
SPEC = PolicySpec(NAMES, ('m', 'rad', 'm/s', 'rad/s'), ('slider/effort',), ('N',), (-3.0,), (3.0,), T)
STATE = (0.1, -0.2, 0.3, -0.4)


class Robot:
    """A robot as policy_node sees it: joint states out, commands in, and the node's own topics."""

    def __init__(self, ros, policy_path):
        self.ros, self.path = ros, policy_path
        self.process = ros.start(
            'policy_node', '-p', f'policy:={policy_path}', '-p', 'autostart:=true', '-p', 'arm_on_activate:=true',
            '-p', 'engine:=numpy', '-p', 'watchdog_timeout_s:=0', '-p', 'max_gap_s:=0', '-p', 'max_state_age_s:=5',
        )  # fmt: skip
        self.status = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', 'policy_node/status', LATCHED.profile())
        self.commands = ros.subscribe('std_msgs/msg/Float64MultiArray', 'command')
        self._states = ros.publisher('sensor_msgs/msg/JointState', 'joint_states')
        self._stamp = 0
        self.until_it_answers()

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
        self.ros.spin(0.1)

    def until_status(self, text):
        return self.ros.until(
            lambda: next((s for s in self.status[-1:] if text in s.message), None), f'status {text!r}'
        )

    def call(self, service, **fields):
        kind = 'std_srvs/srv/SetBool' if fields else 'std_srvs/srv/Trigger'
        return self.ros.call(kind, f'policy_node/{service}', **fields)

    def no_command(self, *arguments, **keywords):
        """Publish a state that must not be answered."""
        self.commands.clear()
        self.publish(*arguments, **keywords)
        self.ros.spin(0.15)
        return not self.commands
