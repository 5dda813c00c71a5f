"""view_node in a separate process, over loopback: a client of its page on one side, a robot's topics on the other."""

import contextlib
import os
import re
import signal
import socket

import pytest
from page_client import PageClient
from rclpy.serialization import serialize_message
from ros_bench import SOURCE
from websockets.exceptions import ConnectionClosed

from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.topics_services_qos import TOPICS
from velora_ros.nodes.view.__main__ import NICENESS
from velora_ros.nodes.view.newest_messages import NewestMessages
from velora_ros.nodes.view.page import GOAL

pytestmark = pytest.mark.ros
TWIST, STAMPED = 'geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped'
POSE, POINT = 'geometry_msgs/msg/PoseStamped', 'geometry_msgs/msg/PointStamped'
VECTOR, BOOL, JOINTS = 'std_msgs/msg/Float64MultiArray', 'std_msgs/msg/Bool', 'sensor_msgs/msg/JointState'
ALWAYS = ('', 'a page is open')
HIDDEN = '/policy_node/debug/hidden'  # only where it is published
URDF = """
<robot name="cart"><link name="base_link"><visual><geometry><box size="1 1 0.2"/></geometry></visual></link>
<link name="mast"><visual><geometry><box size="0.1 0.1 1"/></geometry></visual></link>
<joint name="lean" type="revolute"><parent link="base_link"/><child link="mast"/><axis xyz="0 1 0"/>
<limit lower="-1" upper="1" effort="1" velocity="1"/></joint></robot>"""


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as server:
        return server.getsockname()[1]


class Shown:
    """A running view_node and a client of its page."""

    def __init__(self, ros, *arguments, port=None, **environment):
        self.ros, self.port = ros, port or free_port()
        self.process = ros.start('view_node', '-p', f'port:={self.port}', *arguments, **environment)

    def open(self):
        """Open the page as soon as it is served."""

        def connected():
            with contextlib.suppress(OSError, ConnectionClosed):  # closed while the page is being made
                self.client = PageClient(self.port)
                self.until(lambda: self.client.widget('Emergency stop'))
                return True
            return False

        self.ros.until(connected, 'the page')
        return self

    def until(self, condition, what='the page'):
        def seen():
            self.client.read(0.02)
            return condition()

        return self.ros.until(seen, what)

    def sending(self, publisher, message, condition, what):
        """Publish until the condition holds: nothing tells whether a best-effort reader is matched already."""

        def sent():
            publisher.publish(message)
            return condition()

        return self.until(sent, what)

    def is_visible(self, label):
        return self.until(lambda: self.client.widgets[self.client.widget(label)]['visible'], f'{label} visible')

    def publishes(self, topic):
        return bool(self.ros.node.count_publishers(topic))


@pytest.fixture(scope='module')
def running(ros_bench):
    with ros_bench() as ros:
        yield Shown(ros, '-p', 'model:=quadruped').open()


def test_its_topics_are_those_of_the_table(running):
    node = running.ros.node
    own = {('/rosout', 'rcl_interfaces/msg/Log'), ('/parameter_events', 'rcl_interfaces/msg/ParameterEvent')}
    for direction, offered in (
        ('in', node.get_subscriber_names_and_types_by_node),
        ('out', node.get_publisher_names_and_types_by_node),
    ):
        rows = {(f'/{row.name.lstrip("/")}', row.type) for row in TOPICS
                if (row.node, row.direction) == ('view_node', direction) and row.condition in ALWAYS}  # fmt: skip
        rows -= {(HIDDEN, VECTOR)}
        running.ros.until(lambda rows=rows, offered=offered: rows <= pairs(offered), f'{rows}')
        assert pairs(offered) - own == rows


def pairs(offered):
    return {(name, kind) for name, kinds in offered('view_node', '/') for kind in kinds}


def test_its_parameters_are_those_of_the_table(running):
    page = (SOURCE / 'docs' / 'parameters.md').read_text(encoding='utf-8').partition('## view_node\n')[2]
    documented = set(re.findall(r'^\| `([\w.]+)` \|', page, re.MULTILINE))
    listed = running.ros.call('rcl_interfaces/srv/ListParameters', 'view_node/list_parameters').result.names
    assert {name for name in listed if not name.startswith(('use_sim', 'start_type', 'qos_over'))} == documented


def test_the_process_yields_to_the_robot_s(running):
    assert os.getpriority(os.PRIO_PROCESS, running.process.pid) >= NICENESS


def test_a_slider_drives_the_robot_until_the_hands_are_off(running):
    ros, client = running.ros, running.client
    received = ros.subscribe(TWIST, 'cmd_vel', matched=False)
    running.is_visible('forward [m/s]')
    assert not running.publishes('cmd_vel')
    client.set('forward [m/s]', 0.5)
    running.until(lambda: len(received) > 5, 'repeated velocities')
    assert {(one.linear.x, one.linear.y, one.angular.z) for one in received} == {(0.5, 0.0, 0.0)}
    client.set('Let go', True)
    running.until(lambda: received[-1].linear.x == 0, 'a velocity of zero')
    running.until(lambda: not running.publishes('cmd_vel'), 'silence')
    assert client.widgets[client.widget('forward [m/s]')]['value'] == 0


def test_a_velocity_beyond_the_slider_is_clipped(running):
    received = running.ros.subscribe(TWIST, 'cmd_vel', matched=False)
    running.client.set('turn [rad/s]', 99.0)
    running.until(lambda: received, 'a velocity')
    assert received[-1].angular.z == 1.0
    running.client.set('Let go', True)
    running.until(lambda: not running.publishes('cmd_vel'), 'silence')


def test_a_goal_is_published_in_the_frame_of_odometry(running):
    ros = running.ros
    odometry = ros.publisher('nav_msgs/msg/Odometry', 'odom')
    message = interface_class('nav_msgs/msg/Odometry')()
    message.header.frame_id = 'world_of_tests'
    message.pose.pose.position.x, message.pose.pose.orientation.w = 7.0, 1.0
    # The camera follows the robot: the world moves the other way.
    place = running.client.positions
    running.sending(odometry, message, lambda: place.get('/fixed_bodies', [0])[0] == -7, 'the base to move')
    goals = ros.subscribe(POSE, 'goal_pose', matched=False)
    running.is_visible('place [m]')
    running.client.drag(GOAL, (1.0, 2.0, 3.0))
    running.until(lambda: len(goals) > 1, 'a repeated goal')
    place = goals[-1].pose.position
    assert (goals[-1].header.frame_id, place.x, place.y, place.z) == ('world_of_tests', 1.0, 2.0, 3.0)
    running.client.set('Let go', True)
    running.until(lambda: not running.publishes('goal_pose'), 'silence')


def test_a_goal_is_published_in_the_given_frame_before_any_odometry(ros_bench):
    with ros_bench() as ros:
        shown = Shown(ros, '-p', 'model:=quadruped', '-p', 'goal_frame_id:=map').open()
        goals = ros.subscribe(POSE, 'goal_pose', matched=False)
        shown.is_visible('place [m]')
        shown.client.drag(GOAL, (1.0, 2.0, 3.0))
        shown.until(lambda: goals, 'a goal')
        assert goals[-1].header.frame_id == 'map'


def test_the_emergency_stop_reaches_whoever_listens(running):
    stops = running.ros.subscribe(BOOL, 'emergency_stop')
    running.client.set('Emergency stop', True)
    running.until(lambda: stops, 'the stop')
    assert stops[0].data is True
    running.until(lambda: 'Emergency stop: sent' in running.client.texts())


def test_a_button_calls_the_service_and_shows_its_answer(running):
    asked = []

    def answer(request, response):
        asked.append(request.data)
        response.success, response.message = False, 'not <now>'
        return response

    running.ros.node.create_service(interface_class('std_srvs/srv/SetBool'), 'policy_node/arm', answer)
    running.is_visible('policy')
    running.until(lambda: running.client.widgets[running.client.widget('policy')]['options'] == ['Arm', 'Disarm'])
    running.client.set('policy', 'Arm')
    running.until(lambda: 'Arm: <b>refused</b>: not &lt;now&gt;' in running.client.texts(), 'the answer')
    assert asked == [True]


def test_the_status_and_the_hidden_state_are_shown(running):
    ros = running.ros
    hidden = ros.publisher(VECTOR, 'policy_node/debug/hidden')
    status = ros.publisher('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')
    said = interface_class('diagnostic_msgs/msg/DiagnosticStatus')(name='policy_node: control', message='on the run')
    array = interface_class('diagnostic_msgs/msg/DiagnosticArray')(status=[said])
    running.sending(status, array, lambda: 'on the run' in running.client.texts(), 'the status')
    images = [one for one in running.client.widgets.values() if one.get('type') == 'GuiImageMessage']
    state = interface_class(VECTOR)(data=[0.5] * 8)
    running.sending(hidden, state, lambda: any(one['visible'] for one in images), 'the hidden state')


def test_bad_messages_leave_the_page_as_it_is(running):
    ros = running.ros
    states = ros.publisher(JOINTS, 'joint_states')
    scans = ros.publisher('sensor_msgs/msg/LaserScan', 'scan')
    nothing = float('nan')
    states.publish(interface_class(JOINTS)(name=['FR_hip_joint', 'no_such_joint'], position=[nothing, 1.0]))
    states.publish(interface_class(JOINTS)(name=['FR_hip_joint', 'FR_calf_joint'], position=[0.5]))
    ros.publisher('nav_msgs/msg/Odometry', 'odom').publish(interface_class('nav_msgs/msg/Odometry')())
    scan = interface_class('sensor_msgs/msg/LaserScan')(ranges=[nothing, float('inf'), 1.0])
    running.sending(scans, scan, lambda: '/fixed_bodies/scan' in running.client.nodes, 'the scan')
    assert running.process.exit_code is None


def test_closing_the_page_stops_the_robot(ros):
    shown = Shown(ros, '-p', 'model:=InvertedPendulum-v5', '-r', '__ns:=/robot1').open()
    received = ros.subscribe(STAMPED, 'robot1/cmd_vel', matched=False)
    shown.is_visible('forward [m/s]')
    shown.client.set('forward [m/s]', 0.25)
    shown.until(lambda: received, 'a velocity')
    assert (received[-1].twist.linear.x, received[-1].header.frame_id) == (0.25, 'base_link')
    ros.until(lambda: ros.node.count_subscribers('robot1/joint_states'), 'the subscription of states')
    shown.client.close()
    ros.until(lambda: received[-1].twist.linear.x == 0, 'a velocity of zero')
    ros.until(lambda: not ros.node.count_subscribers('robot1/joint_states'), 'the end of the subscription')
    ros.until(lambda: not ros.node.count_publishers('robot1/cmd_vel'), 'silence')
    assert 'no page is open any more' in shown.process.output


def test_a_robot_is_shown_from_its_description(ros):
    shown = Shown(ros)
    latched = interface_class('std_msgs/msg/String')(data=URDF)
    description = ros.publisher('std_msgs/msg/String', 'robot_description', qos=latched_profile())
    description.publish(latched)
    shown.open()
    shown.until(lambda: any(name.startswith('/bodies/mast') for name in shown.client.nodes), 'the mast')
    shown.until(lambda: f'cart: open http://127.0.0.1:{shown.port} in a browser' in shown.process.output, 'the log')


def latched_profile():
    row = next(row for row in TOPICS if (row.node, row.name) == ('view_node', 'robot_description'))
    return row.qos.profile()


def test_a_port_that_is_taken_ends_the_node_with_one_sentence(ros):
    with socket.create_server(('127.0.0.1', 0)) as server:
        shown = Shown(ros, '-p', 'model:=InvertedPendulum-v5', port=server.getsockname()[1])
        assert shown.process.wait() == 1
    [line] = shown.process.output.splitlines()
    assert 'but another program, perhaps another view_node, uses this port' in line


def test_without_its_packages_the_node_ends_with_one_sentence(ros, tmp_path):
    (tmp_path / 'mjviser.py').write_text("raise ImportError('no mjviser here')")
    shown = Shown(ros, '-p', 'model:=InvertedPendulum-v5', PYTHONPATH=f'{tmp_path}:{SOURCE}')
    assert shown.process.wait() == 1
    [line] = shown.process.output.splitlines()
    assert 'the page needs viser and mjviser (no mjviser here). Install it' in line
    assert 'pip install viser mjviser' in line


def test_a_page_that_is_open_to_the_network_says_so(ros):
    shown = Shown(ros, '-p', 'model:=InvertedPendulum-v5', '-p', 'host:=0.0.0.0').open()
    shown.until(lambda: 'can drive the robot' in shown.process.output, 'the warning')


def test_the_node_ends_at_once_even_if_a_browser_does_not_answer(ros):
    shown = Shown(ros, '-p', 'model:=InvertedPendulum-v5').open()
    shown.process.signal(signal.SIGTERM)
    assert shown.process.wait(4.0) == 0  # a run kills what has not ended after 5 s


def test_bytes_that_are_not_a_message_are_dropped(ros):
    states = NewestMessages(ros.node, 'joint_states', keep=3)
    good = serialize_message(interface_class(JOINTS)(name=['hip'], position=[0.5]))
    for message in (b'', b'garbage', good):
        states._on_message(message)
    assert [state.name for state in states.take()] == [['hip']]
    assert states.take() == []
