"""From messages to what the page shows: commands, hidden state, status."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.view.command_numbers import numbers_of
from velora_ros.nodes.view.status_text import SILENT_S, NodeState, status_html
from velora_ros.nodes.view.traces import COLUMNS, CommandTrace, HiddenTrace


def test_the_numbers_of_a_command_have_the_names_that_its_type_gives_them():
    vector = interface_class('std_msgs/msg/Float64MultiArray')(data=[1.0, 2.0])
    assert numbers_of(vector) == {'0': 1.0, '1': 2.0}
    joints = interface_class('sensor_msgs/msg/JointState')(name=['hip', 'knee'], position=[1.0, 2.0], effort=[3.0])
    assert numbers_of(joints) == {'hip/position': 1.0, 'knee/position': 2.0, 'hip/effort': 3.0}
    point = interface_class('trajectory_msgs/msg/JointTrajectoryPoint')(positions=[1.0])
    trajectory = interface_class('trajectory_msgs/msg/JointTrajectory')(joint_names=['hip'], points=[point])
    assert numbers_of(trajectory) == {'hip/position': 1.0}
    trajectory.points = []
    assert numbers_of(trajectory) == {}


@pytest.mark.parametrize('kind', ['Twist', 'TwistStamped'])
def test_the_numbers_of_a_twist_are_those_that_are_used(kind):
    message = interface_class(f'geometry_msgs/msg/{kind}')()
    assert numbers_of(message) == {'linear.x': 0.0}
    getattr(message, 'twist', message).angular.z = 0.5
    assert numbers_of(message) == {'linear.x': 0.0, 'angular.z': 0.5}


def test_the_hidden_state_is_blue_below_zero_red_above_and_white_at_zero():
    trace = HiddenTrace()
    assert trace.picture() is None
    trace.add([-1.0, 0.0, 1.0, np.nan])
    picture = trace.picture()
    height = picture.shape[0] // 4
    newest = picture[:, -1].astype(int)
    blue, white, red, unknown = (newest[row * height] for row in range(4))
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    assert white.tolist() == unknown.tolist() == picture[0, 0].tolist()


def test_the_hidden_state_of_another_policy_begins_anew():
    trace = HiddenTrace()
    for _ in range(2 * COLUMNS):
        trace.add(np.ones(20))
    assert trace.picture().shape[1] == 2 * COLUMNS
    trace.add(np.ones(64))
    assert (trace.picture()[:, 0] == trace.picture()[0, 0]).all()
    assert trace.picture().shape[0] == 64 * 4


def test_commands_are_curves_over_the_seconds_before_now():
    trace = CommandTrace()
    for second in range(3):
        trace.add(100.0 + second, {'hip': float(second), 'knee': -1.0})
    times, hip, knee = trace.curves()
    assert times.tolist() == [-2, -1, 0]
    assert (hip.tolist(), knee.tolist()) == ([0, 1, 2], [-1, -1, -1])
    trace.add(103.0, {'linear.x': 0.5})
    assert [len(curve) for curve in trace.curves()] == [1, 1]


def status(level, text, **values):
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    return DiagnosticStatus(level=level, name='policy_node: control', message=text, values=pairs)


def test_the_status_names_state_policy_rate_and_faults():
    controller = NodeState('policy_node')
    controller.read(
        status(
            DiagnosticStatus.OK, 'armed', policy='/a/walk.safetensors', digest='0123456789', rate_hz='49.96', faults='0'
        ),
        10.0,
    )
    shown = status_html(controller, None, 'cmd_vel +0.50 m/s', 10.5)
    assert 'armed' in shown
    assert 'walk.safetensors (01234567), 50.0 Hz' in shown
    assert 'cmd_vel +0.50 m/s' in shown
    assert 'faults' not in shown


def test_a_fault_is_red_and_its_text_cannot_inject_html():
    controller = NodeState('policy_node')
    controller.read(status(DiagnosticStatus.ERROR, 'fault: <script>'), 10.0, values=False)
    shown = status_html(controller, None, '', 10.0)
    assert '#c92a2a' in shown
    assert '<script>' not in shown


def test_a_node_whose_diagnostics_stop_counts_as_gone():
    simulator = NodeState('sim_node')
    simulator.read(status(DiagnosticStatus.OK, 'moving', sim_seconds='12.34', falls='2'), 10.0)
    alive = status_html(NodeState('policy_node'), simulator, '', 10.0 + SILENT_S)
    assert 'moving' in alive
    assert '12.3 s, 2 falls' in alive
    assert 'no diagnostics' in status_html(NodeState('policy_node'), simulator, '', 10.1 + SILENT_S)
    assert 'no message yet' in alive
