"""
Every topic and service of the nodes: name, direction, message type and QoS (quality of service).

``endpoints.py`` creates publishers, subscriptions and services from these rows, ``docs/interface.md`` is generated from
them, and a test compares them with the running nodes. Names are relative, so that namespaces and remaps apply. The
parameter and lifecycle services are rclpy's own and are not listed.
"""

from dataclasses import dataclass
from typing import Literal

from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy


@dataclass(frozen=True)
class Qos:
    """The default QoS of a topic; ``qos_overrides`` parameters can change it."""

    name: str
    reliable: bool
    latched: bool
    depth: int

    def profile(self) -> QoSProfile:
        """Return the profile for rclpy."""
        return QoSProfile(
            depth=self.depth,
            reliability=QoSReliabilityPolicy.RELIABLE if self.reliable else QoSReliabilityPolicy.BEST_EFFORT,
            durability=QoSDurabilityPolicy.TRANSIENT_LOCAL if self.latched else QoSDurabilityPolicy.VOLATILE,
        )


NEWEST = Qos('best effort, depth 1', reliable=False, latched=False, depth=1)
STATES = Qos('best effort, depth 10', reliable=False, latched=False, depth=10)
RELIABLE = Qos('reliable, depth 1', reliable=True, latched=False, depth=1)
LATCHED = Qos('transient local, depth 1', reliable=True, latched=True, depth=1)
FRAMES = Qos('reliable, depth 100', reliable=True, latched=False, depth=100)
FIXED_FRAMES = Qos('transient local, depth 100', reliable=True, latched=True, depth=100)
DEFAULT = Qos('reliable, depth 10', reliable=True, latched=False, depth=10)
EMERGENCY_STOP = Qos('any reliability and durability, depth 10', reliable=True, latched=False, depth=10)


@dataclass(frozen=True)
class Topic:
    """A topic of a node. It exists only under ``condition``, or always if ``condition`` is ``''``."""

    node: str
    direction: Literal['in', 'out']
    name: str
    type: str
    qos: Qos
    description: str
    condition: str = ''


@dataclass(frozen=True)
class Service:
    """A service that a node offers."""

    node: str
    name: str
    type: str
    description: str


# fmt: off
TOPICS = (
    # Depth 10, because some drivers send one state in several messages at once.
    Topic('policy_node', 'in', 'joint_states', 'sensor_msgs/msg/JointState', STATES,
          'the state of the robot by joint name, complete or in parts; observation.sources selects other topics and '
          'types',
          'every observation of the policy is a joint signal'),
    Topic('policy_node', 'in', 'observation', 'std_msgs/msg/Float64MultiArray', NEWEST,
          "the observation as a vector in the policy's order", 'an observation of the policy is not a joint signal'),
    Topic('policy_node', 'in', 'policy_update', 'std_msgs/msg/String', LATCHED,
          'the path of a better policy, from trainer_node', 'follow_trainer is set'),
    Topic('policy_node', 'in', 'reset', 'std_msgs/msg/Empty', RELIABLE,
          'a message resets the hidden state, for example after the robot was moved by hand'),
    Topic('policy_node', 'in', 'tf', 'tf2_msgs/msg/TFMessage', FRAMES,
          "transforms, for goals that are not in the robot's frame",
          'a PoseStamped or PointStamped is read and tf2_msgs is installed'),
    Topic('policy_node', 'in', 'tf_static', 'tf2_msgs/msg/TFMessage', FIXED_FRAMES,
          'static transforms, for the same goals',
                'a PoseStamped or PointStamped is read and tf2_msgs is installed'),
    # Depth 10, so that a false that follows immediately does not replace the true.
    Topic('policy_node', 'in', 'emergency_stop', 'std_msgs/msg/Bool', EMERGENCY_STOP,
          'true latches a fault, which false does not clear; a transient-local true published before the start also '
          'counts'),
    Topic('policy_node', 'out', 'command', 'std_msgs/msg/Float64MultiArray', RELIABLE,
          "the commands, in the order of the policy's actions and in SI units; command.type selects another type"),
    Topic('policy_node', 'out', '~/status', 'diagnostic_msgs/msg/DiagnosticStatus', LATCHED,
          'the current state, the fault, or the reason why no commands are sent'),
    Topic('policy_node', 'out', '/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', DEFAULT,
          'rate, latency, input age, resets, rejections, fault and policy, once per second'),
    Topic('policy_node', 'out', '~/debug/observation', 'std_msgs/msg/Float64MultiArray', NEWEST,
          'the observation given to the policy, if there is a subscriber'),
    Topic('policy_node', 'out', '~/debug/hidden', 'std_msgs/msg/Float64MultiArray', NEWEST,
          'the hidden state after the step, if there is a subscriber'),
    Topic('policy_node', 'out', '~/debug/raw_action', 'std_msgs/msg/Float64MultiArray', NEWEST,
          'the action of the policy in SI units, before the safety checks, if there is a subscriber'),
    Topic('sim_node', 'in', 'command', 'std_msgs/msg/Float64MultiArray', RELIABLE,
          "the commands, in the order of the policy's actions and in SI units; also as JointState, JointTrajectory, "
          'Twist or TwistStamped'),
    Topic('sim_node', 'in', 'cmd_vel', 'geometry_msgs/msg/Twist', NEWEST,
          'the commanded twist, to evaluate the run; cmd_vel_type selects TwistStamped',
          'the task has a twist command'),
    Topic('sim_node', 'in', 'goal_pose', 'geometry_msgs/msg/PoseStamped', NEWEST,
          'the commanded goal, to evaluate the run', 'the task has a goal'),
    Topic('sim_node', 'in', '/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', DEFAULT,
          'fallbacks, input age and policy of the controller'),
    Topic('sim_node', 'out', 'joint_states', 'sensor_msgs/msg/JointState', RELIABLE, 'the state by joint name'),
    Topic('sim_node', 'out', 'observation', 'std_msgs/msg/Float64MultiArray', RELIABLE,
          "the environment's observation vector"),
    Topic('sim_node', 'out', 'odom', 'nav_msgs/msg/Odometry', RELIABLE,
          'pose of the floating base in odom_frame_id, and its velocity in base_frame_id',
          'the model has a free joint'),
    Topic('sim_node', 'out', 'imu/data', 'sensor_msgs/msg/Imu', RELIABLE,
          'orientation, angular velocity and acceleration (gravity included) of the floating base, in imu_frame_id',
          'the model has a free joint'),
    Topic('sim_node', 'out', 'scan', 'sensor_msgs/msg/LaserScan', RELIABLE,
          'ranges in scan_frame_id; a ray that hits nothing reads infinity', 'the task has a laser scanner'),
    Topic('sim_node', 'out', '<body>_pose', 'geometry_msgs/msg/PoseStamped', RELIABLE,
          'pose of a body or site in the world, for example tool_pose of the arm', 'policies of the task read it'),
    Topic('sim_node', 'out', 'observation/<term>', 'std_msgs/msg/Float64MultiArray', RELIABLE,
          "values of a user-defined term", 'policies of the task read it, and no standard message has it'),
    Topic('sim_node', 'out', 'robot_description', 'std_msgs/msg/String', LATCHED,
          'URDF of the robot, made from its model', 'task is set'),
    Topic('sim_node', 'out', 'tf', 'tf2_msgs/msg/TFMessage', DEFAULT,
          'pose of base_frame_id in odom_frame_id', 'task is set, tf2_msgs is installed, and the base is floating'),
    Topic('sim_node', 'out', 'cmd_vel', 'geometry_msgs/msg/Twist', DEFAULT,
          'a pattern of twists; cmd_vel_type selects TwistStamped', 'drive is set and the task has a twist command'),
    Topic('sim_node', 'out', 'goal_pose', 'geometry_msgs/msg/PoseStamped', DEFAULT,
          'goals as in training', 'drive is set and the task has a goal'),
    Topic('sim_node', 'out', 'reset', 'std_msgs/msg/Empty', RELIABLE, 'an episode ended and the robot was reset'),
    Topic('sim_node', 'out', '~/reward', 'std_msgs/msg/Float64', DEFAULT,
          "the environment's reward in each control period"),
    Topic('sim_node', 'out', '~/episode_return', 'std_msgs/msg/Float64', DEFAULT, 'the return of each episode'),
    Topic('sim_node', 'out', '~/image', 'sensor_msgs/msg/Image', RELIABLE,
          'rgb8 images, rendered only while there is a subscriber', 'image.rate_hz is set'),
    Topic('sim_node', 'out', '/clock', 'rosgraph_msgs/msg/Clock', NEWEST, 'the simulated time', 'publish_clock is set'),
    Topic('sim_node', 'out', '/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', DEFAULT,
          'real-time factor, overruns, episodes and commands, once per second'),
    Topic('trainer_node', 'out', '~/episode_return', 'std_msgs/msg/Float64', DEFAULT, 'the return of each episode'),
    Topic('trainer_node', 'out', '~/metrics', 'diagnostic_msgs/msg/DiagnosticArray', DEFAULT,
          'losses and diagnostics of learning'),
    Topic('trainer_node', 'out', '~/policy', 'std_msgs/msg/String', LATCHED, 'the path of the newest best policy'),
    Topic('trainer_node', 'out', '/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', DEFAULT,
          'the state of training, once per second'),
    Topic('view_node', 'in', 'joint_states', 'sensor_msgs/msg/JointState', STATES, 'the state by joint name',
          'a page is open'),
    Topic('view_node', 'in', 'odom', 'nav_msgs/msg/Odometry', NEWEST, 'position of the floating base',
          'a page is open'),
    Topic('view_node', 'in', 'imu/data', 'sensor_msgs/msg/Imu', NEWEST,
          'orientation of the floating base, if there is no odometry', 'a page is open'),
    Topic('view_node', 'in', 'scan', 'sensor_msgs/msg/LaserScan', NEWEST, 'ranges of the laser scanner',
          'a page is open'),
    Topic('view_node', 'in', 'command', 'std_msgs/msg/Float64MultiArray', NEWEST,
          'the commands, in any type of policy_node', 'a page is open and another node subscribes to it'),
    Topic('view_node', 'in', 'cmd_vel', 'geometry_msgs/msg/Twist', NEWEST,
          'the commanded velocity, also as a TwistStamped', 'a page is open and it is published'),
    Topic('view_node', 'in', 'goal_pose', 'geometry_msgs/msg/PoseStamped', NEWEST,
          'the commanded goal, also as a PointStamped', 'a page is open and it is published'),
    Topic('view_node', 'in', 'policy_node/status', 'diagnostic_msgs/msg/DiagnosticStatus', LATCHED,
          "the controller's state"),
    Topic('view_node', 'in', 'policy_node/debug/hidden', 'std_msgs/msg/Float64MultiArray', NEWEST,
          'the hidden state', 'a page is open'),
    Topic('view_node', 'in', '/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray', STATES,
          'rate, latency and policy of the controller; return and falls of the simulation'),
    Topic('view_node', 'in', 'robot_description', 'std_msgs/msg/String', LATCHED, 'URDF of the robot',
          'model is empty'),
    Topic('view_node', 'out', 'cmd_vel', 'geometry_msgs/msg/Twist', DEFAULT,
          'the velocity of the sliders, also as a TwistStamped', 'a slider was moved'),
    Topic('view_node', 'out', 'goal_pose', 'geometry_msgs/msg/PoseStamped', DEFAULT,
          'the goal that was dragged, also as a PointStamped', 'the goal was moved'),
    Topic('view_node', 'out', 'emergency_stop', 'std_msgs/msg/Bool', DEFAULT,
          'true when the emergency stop was pressed'),
)

SERVICES = (
    Service('policy_node', '~/arm', 'std_srvs/srv/SetBool', 'true starts the publishing of commands, false stops it'),
    Service('policy_node', '~/start', 'std_srvs/srv/Trigger',
            'lets the policy take over as soon as the armed robot is at its start pose'),
    Service('policy_node', '~/emergency_stop', 'std_srvs/srv/SetBool', 'true latches a fault'),
    Service('policy_node', '~/reset_state', 'std_srvs/srv/Trigger', 'resets the hidden state'),
    Service('policy_node', '~/clear_fault', 'std_srvs/srv/Trigger', 'clears a latched fault'),
    Service('policy_node', '~/reload_policy', 'std_srvs/srv/Trigger', 'reads the policy file again'),
    Service('sim_node', '~/pause', 'std_srvs/srv/SetBool', 'true pauses the simulated time, false continues it'),
    Service('sim_node', '~/push', 'std_srvs/srv/Trigger',
            'pushes a floating base in a random direction, by push_speed'),
    Service('sim_node', '~/reset', 'std_srvs/srv/Trigger', 'ends the episode and resets the robot'),
    Service('trainer_node', '~/start', 'std_srvs/srv/Trigger', 'starts training'),
    Service('trainer_node', '~/stop', 'std_srvs/srv/Trigger', 'stops training'),
    Service('trainer_node', '~/save', 'std_srvs/srv/Trigger', 'writes a checkpoint'),
    Service('trainer_node', '~/pause', 'std_srvs/srv/SetBool', 'true pauses training, false continues it'),
)
# fmt: on


def topic(node: str, direction: str, name: str) -> Topic:
    """Return a row of :data:`TOPICS`; ``direction`` is ``in`` or ``out``."""
    return next(row for row in TOPICS if (row.node, row.direction, row.name) == (node, direction, name))
