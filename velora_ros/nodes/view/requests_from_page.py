"""The requests that the page can make, and the messages that carry them out."""

import math
from dataclasses import dataclass
from typing import Any

from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.view.parameters import Ranges

TWIST, TWIST_STAMPED = 'geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped'
POSE, POINT = 'geometry_msgs/msg/PoseStamped', 'geometry_msgs/msg/PointStamped'


@dataclass(frozen=True)
class Button:
    """
    A button that calls a service.

    Args:
        label: the text on the button.
        node: the parameter that names the node with the service, ``controller`` or ``simulator``.
        service: the service's name below that node.
        type: the service's full type.
        value: the value of a SetBool; None for a Trigger.
        hint: the effect of the button, in one sentence.
    """

    label: str
    node: str
    service: str
    type: str
    value: bool | None
    hint: str


SET_BOOL, TRIGGER = 'std_srvs/srv/SetBool', 'std_srvs/srv/Trigger'

BUTTONS = (
    Button('Arm', 'controller', 'arm', SET_BOOL, True, 'Commands are published.'),
    Button('Disarm', 'controller', 'arm', SET_BOOL, False, 'No more commands are published.'),
    Button('Start', 'controller', 'start', TRIGGER, None, 'The policy takes over from the start pose.'),
    Button('Clear fault', 'controller', 'clear_fault', TRIGGER, None, 'A latched fault is cleared.'),
    Button('Pause', 'simulator', 'pause', SET_BOOL, True, 'The simulated time stops.'),
    Button('Resume', 'simulator', 'pause', SET_BOOL, False, 'The simulated time continues.'),
    Button('Reset', 'simulator', 'reset', TRIGGER, None, 'The episode ends and the robot is reset.'),
    Button('Push', 'simulator', 'push', TRIGGER, None, 'The simulated robot is pushed.'),
)
"""The buttons in their order on the page; a button whose service does not exist is hidden."""


@dataclass(frozen=True)
class Press:
    """A button that calls a service of policy_node or sim_node was pressed."""

    button: Button


@dataclass(frozen=True)
class Stop:
    """The emergency stop was pressed."""


@dataclass(frozen=True)
class Drive:
    """A slider was moved: the speeds forward and to the left [m/s], and about the vertical axis [rad/s]."""

    x: float
    y: float
    yaw: float


@dataclass(frozen=True)
class Goal:
    """The goal was moved to this position in the world of the page [m]."""

    x: float
    y: float
    z: float


@dataclass(frozen=True)
class LetGo:
    """The button "Let go" was pressed: the page stops publishing velocities and goals."""


Request = Press | Stop | Drive | Goal | LetGo


def within(request: Drive, ranges: Ranges) -> Drive | None:
    """Return the speeds clipped to the ranges of the sliders; None if one is not a finite number."""
    speeds = (request.x, request.y, request.yaw)
    if not all(math.isfinite(speed) for speed in speeds):
        return None
    return Drive(*(min(max(speed, low), high) for speed, (low, high) in zip(speeds, ranges, strict=True)))


def to_velocity(request: Drive, kind: str, stamp: Any, frame_id: str) -> Any:
    """Return the speeds as a Twist, or as a TwistStamped with a stamp and a frame; ``kind`` is the full type."""
    message = interface_class(kind)()
    twist = message
    if kind == TWIST_STAMPED:
        message.header.stamp, message.header.frame_id, twist = stamp, frame_id, message.twist
    twist.linear.x, twist.linear.y, twist.angular.z = float(request.x), float(request.y), float(request.yaw)
    return message


def to_goal(request: Goal, kind: str, stamp: Any, frame_id: str) -> Any:
    """Return a goal as a PoseStamped without rotation, or as a PointStamped; ``kind`` is the full type."""
    message = interface_class(kind)()
    message.header.stamp, message.header.frame_id = stamp, frame_id
    point = message.pose.position if kind == POSE else message.point
    point.x, point.y, point.z = float(request.x), float(request.y), float(request.z)
    if kind == POSE:
        message.pose.orientation.w = 1.0
    return message


def goal_of(message: Any) -> tuple[float, float, float]:
    """Return the position in a PoseStamped or PointStamped [m]."""
    point = message.pose.position if hasattr(message, 'pose') else message.point
    return point.x, point.y, point.z


def velocity_of(message: Any) -> tuple[float, float, float]:
    """Return the speeds along x and y [m/s] and about z [rad/s] of a Twist or TwistStamped."""
    twist = getattr(message, 'twist', message)
    return twist.linear.x, twist.linear.y, twist.angular.z
