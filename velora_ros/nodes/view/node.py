"""
Serves a page for the browser: the robot in 3D, its commands, hidden state and policy, and its controls.

Subscribes while a page is open, best effort, and decodes at most ``rate_hz`` messages per second of each topic:
    joint_states (sensor_msgs/JointState), odom (nav_msgs/Odometry), imu/data (sensor_msgs/Imu): the robot's pose.
    scan (sensor_msgs/LaserScan): the points that its laser scanner hits.
    command (any type of policy_node): the policy's commands, while another node subscribes to them too.
    cmd_vel (Twist or TwistStamped), goal_pose (PoseStamped or PointStamped): the robot's commands.
    policy_node/debug/hidden (std_msgs/Float64MultiArray): the policy's hidden state.

Subscribes always:
    policy_node/status, /diagnostics: the policy and the simulation.
    robot_description (std_msgs/String): the robot, if ``model`` is empty.

Publishes, only on request from the page:
    cmd_vel, goal_pose: with the type that is subscribed, from the first use of the slider or the goal until "Let go" is
        pressed or no page is open.
    emergency_stop (std_msgs/Bool): true when the button is pressed.

Calls: ~/arm, ~/start and ~/clear_fault of the controller; ~/pause, ~/reset and ~/push of the simulator.

Parameters (``parameters.py`` has their defaults and meaning):
    model, host, port, rate_hz, controller, simulator, cmd_vel.x, cmd_vel.y, cmd_vel.yaw, goal_frame_id, and
    qos_overrides of every topic.

Nothing is simulated here: MuJoCo computes the poses of the bodies from the joint positions. The page never delays the
robot: it runs in its own process with a higher niceness, and no publisher waits for it.
"""

import queue
import time
from typing import TYPE_CHECKING, Any

from rclpy.node import Node

from velora_ros.errors import MissingDependencyError, VeloraError
from velora_ros.nodes.ros import conversions
from velora_ros.nodes.ros.command_types import COMMAND_TYPES
from velora_ros.nodes.ros.parameter import Values
from velora_ros.nodes.ros.parameter_table import ParameterTable
from velora_ros.nodes.ros.qos_overrides import check_qos_overrides
from velora_ros.nodes.ros.timers import Timers
from velora_ros.nodes.view.command_numbers import numbers_of
from velora_ros.nodes.view.displayed_robot import DisplayedRobot, from_description, load
from velora_ros.nodes.view.newest_messages import NewestMessages
from velora_ros.nodes.view.page_address import is_local
from velora_ros.nodes.view.parameters import PARAMETERS, slider_ranges
from velora_ros.nodes.view.requests_from_page import POINT, POSE, TWIST, TWIST_STAMPED, Request, goal_of, velocity_of
from velora_ros.nodes.view.requests_to_ros import PLACE, VELOCITY, RequestSender
from velora_ros.nodes.view.robot_pose import RobotPose, scan_points
from velora_ros.nodes.view.status_text import NodeState, status_html
from velora_ros.nodes.view.traces import CommandTrace, HiddenTrace
from velora_ros.utils.dependencies import how_to_install

if TYPE_CHECKING:
    from velora_ros.nodes.view.page import Page

ORDERS_PERIOD_S = 0.02
LOOK_PERIOD_S = 0.5
VELOCITY_PERIOD_S, GOAL_PERIOD_S = 0.1, 0.5
TRACE_PERIOD_S = 0.1
"""Time between two additions of the hidden state and the commands to the traces on the page [s]."""
STATE_PARTS = 10
"""Number of joint_states messages that may form one state."""
ODOMETRY_S = 1.0
"""Time without odometry after which the IMU's orientation is shown [s]."""


class ViewNode(Node):
    """
    The node; see the module's docstring for its interface.

    Raises:
        ConfigError: a parameter is invalid, or the port is taken.
        MissingDependencyError: the packages of the page are not installed.
        VeloraError: the robot cannot be shown.
    """

    def __init__(self) -> None:
        super().__init__('view_node')
        self.exit_code: int | None = None
        self._table = ParameterTable(self, PARAMETERS, apply=self._apply)
        values = self._table.values
        check_installed()
        self._view: RobotView | None = None
        self._schedule = Timers(self)
        self._description: NewestMessages | None = None
        if values['model']:
            self._open(load(values['model']))
        else:
            self._description = NewestMessages(self, 'robot_description')
            self._schedule.set(self._wait_for_description, LOOK_PERIOD_S)
            self.get_logger().info(
                "waiting for the topic 'robot_description'; to show a file, a task or an environment, set 'model'"
            )

    def close(self) -> None:
        """Stop commanding the robot, and stop serving the page."""
        if self._view is not None:
            self._view.close()

    def _open(self, robot: DisplayedRobot) -> None:
        self._view = RobotView(self, robot, self._table.values)
        self.get_logger().info(f'{robot.name}: open {self._view.url} in a browser')
        if not is_local(self._table['host']):
            host = self._table['host']
            self.get_logger().warning(f"'host' is '{host}', so anyone on the network can drive the robot")
        check_qos_overrides(self)
        self._schedule.set(self._view.draw, 1 / self._table['rate_hz'])
        self._schedule.set(self._view.carry_out_orders, ORDERS_PERIOD_S)
        self._schedule.set(self._view.look, LOOK_PERIOD_S)

    def _wait_for_description(self) -> None:
        assert self._description is not None
        if not (texts := self._description.take()):
            return
        self._schedule.set(self._wait_for_description, 0.0)
        try:
            self._open(from_description(texts[-1].data))
        except VeloraError as error:
            self.get_logger().fatal(str(error))
            self.exit_code = 1

    def _apply(self, values: Values) -> None:
        if self._view is not None:
            self._schedule.set(self._view.draw, 1 / values['rate_hz'])


class RobotView:
    """
    Connects the page to the topics and services.

    Args:
        node: view_node.
        robot: the robot.
        values: the node's parameters.

    Raises:
        ConfigError: a parameter is invalid, or the port is taken.
    """

    def __init__(self, node: Node, robot: DisplayedRobot, values: Values) -> None:
        self._node, self._goal_frame = node, values['goal_frame_id']
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._pose = RobotPose(robot)
        ranges = slider_ranges(values, robot.ranges)
        self._page = open_page(values, robot, ranges, self._requests.put, follow=self._pose.has_base)
        self._request_sender = RequestSender(node, values, ranges, self._page.answer)
        self._controller = NodeState(_full_name(node, values['controller']))
        self._simulator = NodeState(_full_name(node, values['simulator']))
        self._hidden_trace, self._command_trace = HiddenTrace(), CommandTrace()
        self._odometry_at = self._trace_due = self._velocity_due = self._goal_due = float('-inf')
        self._told: tuple[float, float, float] | None = None
        self._is_drawn = False
        self._subscribe(values)
        self.look()

    @property
    def url(self) -> str:
        """The URL of the page."""
        return self._page.url

    def close(self) -> None:
        """Stop commanding the robot, and stop serving the page."""
        self._request_sender.close()
        self._page.close()

    def _subscribe(self, values: Values) -> None:
        node, controller = self._node, values['controller']
        self._joints = NewestMessages(node, 'joint_states', keep=STATE_PARTS, wait=True)
        self._odom, self._imu, self._scan = (
            NewestMessages(node, topic, wait=True) for topic in ('odom', 'imu/data', 'scan')
        )
        self._states = (self._joints, self._odom, self._imu, self._scan)
        self._command = NewestMessages(node, 'command', types=tuple(COMMAND_TYPES.values()))
        self._velocity = NewestMessages(node, VELOCITY, types=(TWIST, TWIST_STAMPED))
        self._goal = NewestMessages(node, PLACE, types=(POSE, POINT))
        self._status = NewestMessages(node, 'policy_node/status', topic=f'{controller}/status')
        self._diagnostics = NewestMessages(node, '/diagnostics', keep=STATE_PARTS)
        self._hidden = NewestMessages(
            node,
            'policy_node/debug/hidden',
            topic=f'{controller}/debug/hidden',
            types=('std_msgs/msg/Float64MultiArray',),
        )

    # --- twice a second ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Check the types of the topics, the services, and whether a page is open; call this twice a second."""
        if self._page.is_open:
            self._follow_topics()
        else:
            self._leave_topics()
        self._page.show_buttons(self._request_sender.available())
        self._page.show_hands(
            drive=bool(self._request_sender.type_for(VELOCITY)), goal=bool(self._request_sender.type_for(PLACE))
        )

    def _follow_topics(self) -> None:
        for one in self._states:
            one.subscribe()
        for other in (self._velocity, self._goal, self._hidden):
            other.follow_type()
        self._command.follow_type() if self._others_take_commands() else self._command.unsubscribe()

    def _leave_topics(self) -> None:
        """End the subscriptions that are only for display, and stop commanding the robot."""
        for one in (*self._states, self._velocity, self._goal, self._hidden, self._command):
            one.unsubscribe()
        if self._request_sender.is_driving or self._request_sender.is_guiding:
            self._let_go('no page is open any more')

    def _others_take_commands(self) -> bool:
        """
        Return whether another node subscribes to the commands.

        If none does, this node must not subscribe either, because that would prevent the warning of policy_node.
        """
        topic = self._node.resolve_topic_name('command')
        return self._node.count_subscribers(topic) > self._command.is_subscribed

    def _let_go(self, why: str) -> None:
        self._request_sender.let_go()
        self._page.take_hands_off()
        self._node.get_logger().info(f'{why}; the page no longer publishes cmd_vel and goal_pose')

    # --- requests -----------------------------------------------------------------------------------------------------

    def carry_out_orders(self) -> None:
        """Carry out new requests, and repeat the active ones."""
        now = time.monotonic()
        while not self._requests.empty():
            request = self._requests.get()
            self._request_sender.carry_out(request)
            if not (self._request_sender.is_driving or self._request_sender.is_guiding):
                self._page.take_hands_off()
        if now >= self._velocity_due:
            self._velocity_due = now + VELOCITY_PERIOD_S
            self._request_sender.repeat_velocity()
        if now >= self._goal_due:
            self._goal_due = now + GOAL_PERIOD_S
            self._request_sender.repeat_goal()

    # --- pictures ---------------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Show the messages that arrived since the last picture, if a page is open."""
        now = time.monotonic()
        self._read_status(now)
        if not self._joints.is_subscribed:  # no page is open
            return
        if self._read_pose(now):
            self._pose.update()
            self._page.draw(self._pose.data)
        self._scan.newest(self._draw_scan)
        self._velocity.newest(lambda message: setattr(self, '_told', velocity_of(message)))
        self._goal.newest(self._read_goal)
        if now >= self._trace_due:
            self._trace_due = now + TRACE_PERIOD_S
            self._draw_traces(now)

    def _read_pose(self, now: float) -> bool:
        """Apply new messages about the pose; return whether the robot must be drawn again."""
        states, odometries, imus = self._joints.take(), self._odom.take(), self._imu.take()
        for state in states:
            self._pose.set_joints(state.name, state.position)
        for odometry in odometries:
            self._odometry_at = now
            place, turn = odometry.pose.pose.position, odometry.pose.pose.orientation
            self._pose.set_base((place.x, place.y, place.z), (turn.w, turn.x, turn.y, turn.z))
            if odometry.header.frame_id and not self._goal_frame:
                self._request_sender.goal_frame = odometry.header.frame_id
        for imu in imus:
            if now - self._odometry_at > ODOMETRY_S and imu.orientation_covariance[0] >= 0:
                turn = imu.orientation
                self._pose.set_orientation((turn.w, turn.x, turn.y, turn.z))
        news, self._is_drawn = bool(states or odometries or imus) or not self._is_drawn, True
        return news

    def _read_goal(self, message: Any) -> None:
        if not self._request_sender.is_guiding:
            self._page.move_goal(goal_of(message))

    def _draw_scan(self, scan: Any) -> None:
        place, axes = self._pose.place_of(scan.header.frame_id)
        points = scan_points(scan.ranges, scan.angle_min, scan.angle_increment, scan.range_max)
        self._page.draw_scan(place + points @ axes.T)

    def _draw_traces(self, now: float) -> None:
        self._command.newest(lambda message: self._command_trace.add(now, numbers_of(message)))
        self._hidden.newest(lambda message: self._hidden_trace.add(conversions.from_vector(message)))
        self._page.show_commands(self._command_trace)
        self._page.show_hidden(self._hidden_trace)
        simulator = self._simulator if self._simulator.heard > 0 else None
        self._page.say(status_html(self._controller, simulator, self._velocity_text(), now))

    def _velocity_text(self) -> str:
        if self._told is None:
            return ''
        x, y, yaw = self._told
        return f'cmd_vel {x:+.2f} m/s forward, {y:+.2f} m/s left, {yaw:+.2f} rad/s'

    def _read_status(self, now: float) -> None:
        for status in self._status.take():
            self._controller.read(status, now, values=False)
        for message in self._diagnostics.take():
            for status in message.status:
                name = status.name.partition(':')[0]
                for node in (self._controller, self._simulator):
                    if name == node.name:
                        node.read(status, now)


def check_installed() -> None:
    """
    Check that the packages of the page are installed.

    Raises:
        MissingDependencyError: a package is not installed.
    """
    try:
        import mjviser  # noqa: F401, PLC0415
        import viser  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingDependencyError(
            f'the page needs viser and mjviser ({" ".join(str(error).split())}). {how_to_install("view")}'
        ) from error


def open_page(values: Values, robot: DisplayedRobot, ranges: Any, on_request: Any, *, follow: bool) -> 'Page':
    """
    Serve the page of a robot.

    Raises:
        ConfigError: the address is not an address of this machine, or the port is taken.
    """
    from velora_ros.nodes.view.page import Page  # noqa: PLC0415 - viser may be missing
    from velora_ros.nodes.view.page_server import PageServer  # noqa: PLC0415

    return Page(PageServer(values['host'], values['port'], robot.name), robot, ranges, on_request, follow=follow)


def _full_name(node: Node, name: str) -> str:
    return f'{node.get_namespace().rstrip("/")}/{name}'.lstrip('/')
