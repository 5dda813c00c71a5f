"""policy_node reads of a robot's messages what the policy read in training, for every robot that ships, to rounding."""

import numpy as np
import pytest
from rclpy.serialization import serialize_message

from velora_ros.contract.actions import commanded_joints
from velora_ros.control import Controller
from velora_ros.errors import ObservationError
from velora_ros.gym.disturbances.disturb_arrays import DisturbanceStack
from velora_ros.nodes.policy.observation_topics import ObservationTopics
from velora_ros.nodes.policy.parameters import parameters as policy_parameters
from velora_ros.nodes.policy.parameters_with_contract import with_contract
from velora_ros.nodes.policy.settings_of_parameters import observation_of, settings_of
from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.sim.message_faults import MessageFaults
from velora_ros.nodes.sim.parameters import parameters as sim_parameters
from velora_ros.nodes.sim.task_robot_messages import TaskMessages
from velora_ros.policy import Policy
from velora_ros.tasks.find_task import find, shipped
from velora_ros.tasks.task_robot import TaskRobot

pytestmark = pytest.mark.ros

TOLD = {'twist': (0.7, -0.2, 0.5), 'goal': (0.4, 0.3, 0.5)}
KINDS = {'Twist': 'geometry_msgs/msg/Twist', 'PoseStamped': 'geometry_msgs/msg/PoseStamped'}


class Rehearsal:
    """A task's robot and what policy_node makes of its messages, without a node; a random policy moves it."""

    def __init__(self, name, make_policy_file, **values):
        self.task = find(name)
        spec = self.task.policy_spec
        period = spec.control_period
        size = (spec.observation_dim, 20, spec.action_dim)
        self.policy = Policy(make_policy_file(*size, spec=spec, dt_range=(period, period)), 'numpy')
        self.robot = TaskRobot(self.task, seed=3)
        faults = DisturbanceStack(self.robot.sensors.names, *self.robot.bounds, seeds=[0])
        published = {row.name: row.default for row in sim_parameters(use_sim_time=False)}
        self.messages = TaskMessages(self.robot, faults, published)
        defaults = {row.name: row.default for row in policy_parameters(None)}
        self.values = with_contract({**defaults, 'start_pose_speed': 0.0, **values}, spec)
        self.topics = ObservationTopics(spec.observation_names, observation_of(self.values), commanded_joints(spec))
        measures = self.topics.measures_joints
        self.controller = Controller(self.policy, settings_of(self.values), measures_joints=measures)
        self.observation = self.topics.observation(self.controller.begins, self.controller.last_action)
        self.topics.limit_ages(self.values, self.controller.safety.max_state_age)
        self.controller.activate(arm=True)
        self.stamp = 1_000_000_000

    def tell(self, told):
        """Give task and node the same commands."""
        for name, values in told.items():
            if name not in self.task.commands:
                continue
            source = self.task.commands[name].read_from
            self.robot.set_command(name, values)
            message = interface_class(KINDS[source.type])()
            vector = message.pose.position if source.type == 'PoseStamped' else message.linear
            vector.x, vector.y, vector.z = values
            if source.type == 'Twist':
                message.linear.z, message.angular.z = 0.0, values[2]
            self._store(source.topic, message)

    def look(self):
        """Publish the robot's messages; return what policy_node reads of them."""
        for topic, message in zip(self.messages.topics, self.messages.measure(self.stamp), strict=True):
            self._store(topic.name or topic.row, message)
        return self.observation.read(self.stamp).copy()

    def move(self, observation):
        """Let the policy command a period."""
        measured = self.observation.joint_positions if self.topics.measures_joints else None
        command = self.controller.decide(observation, self.stamp, self.stamp, self.stamp * 1e-9, measured)
        self.sent = command
        self.robot.set_action(command)
        while self.robot.advance() is None:
            pass
        self.stamp += round(self.task.period * 1e9)

    def _store(self, name, message):
        for topic in (self.topics.trigger, *self.topics.others):
            if topic.source.topic == name:
                topic.store(serialize_message(message) if topic.is_raw else message, self.stamp)


@pytest.mark.parametrize('name', shipped())
def test_every_observation_is_that_of_training_while_the_robot_moves(name, make_policy_file):
    rehearsal = Rehearsal(name, make_policy_file)
    rehearsal.tell(TOLD)
    scale = np.array(rehearsal.task.policy_spec.contract.scale)
    # The simulator infers an action from the command, where a target was too far from its joint.
    own = np.array([name.startswith('last_action') for name in rehearsal.task.policy_spec.observation_names])
    action = np.zeros(own.sum())
    for step in range(12):
        rehearsal.tell(TOLD)
        read, trained = rehearsal.look(), rehearsal.robot.observation
        np.testing.assert_allclose((read / scale)[~own], (trained / scale)[~own], atol=2e-6, err_msg=f'step {step}')
        assert (read[own] == action).all(), 'the own output before limits, zero at first'
        rehearsal.move(read)
        action = rehearsal.controller.policy_action.copy()
    assert rehearsal.controller.status.text == 'armed'


def test_a_command_that_became_too_old_is_zero_and_the_clock_stands_with_it(make_policy_file):
    rehearsal = Rehearsal('quadruped', make_policy_file)
    names = rehearsal.task.policy_spec.observation_names
    told, clock = ([i for i, name in enumerate(names) if name.startswith(what)] for what in ('twist', 'clock'))
    assert not rehearsal.look()[told + clock].any(), 'no command has come yet'
    rehearsal.tell({'twist': (9.0, -9.0, 0.5)})
    read = rehearsal.look()
    assert read[told].tolist() == [2 * 1.0, 2 * -0.4, 0.5], 'clipped to the range of training'
    assert np.hypot(*read[clock]) == pytest.approx(1.0)
    rehearsal.stamp += 400_000_000
    assert rehearsal.look()[told].any()
    rehearsal.stamp += 200_000_000
    assert not rehearsal.look()[told + clock].any()
    rehearsal.tell({'twist': (float('nan'), 0.0, 0.5)})
    assert not rehearsal.look()[told].any(), 'a command that is not finite counts as none'


def test_a_robot_with_a_goal_is_not_commanded_before_one_comes(make_policy_file):
    rehearsal = Rehearsal('rover', make_policy_file)
    with pytest.raises(ObservationError, match="no message has arrived from the source 'goal_pose'"):
        rehearsal.look()
    rehearsal.tell(TOLD)
    rehearsal.look()
    rehearsal.stamp += 3_600_000_000_000
    rehearsal.look()  # a goal stays


def test_an_inertial_sensor_that_is_mounted_askew_is_turned_into_the_base(make_policy_file):
    upright, askew = (
        Rehearsal('quadruped', make_policy_file, **values)
        for values in ({}, {'observation.imu.mounting_rpy': [0.0, 0.0, np.pi / 2]})
    )
    before, after = upright.look()[:6], askew.look()[:6]
    turned = [-before[1], before[0], before[2], -before[4], before[3], before[5]]
    np.testing.assert_allclose(after, turned, atol=1e-9)


def test_an_inertial_sensor_without_an_orientation_stops_a_robot_that_reads_it(make_policy_file):
    rehearsal = Rehearsal('quadruped', make_policy_file)
    rehearsal.move(rehearsal.look())
    rehearsal.messages.message_faults = MessageFaults(no_orientation=True, scan_rays=0, odom_jump_m=0.0)
    with pytest.raises(ObservationError, match='the Imu has no orientation: its first covariance is -1'):
        rehearsal.look()
    rehearsal.messages.message_faults = MessageFaults(no_orientation=False, scan_rays=0, odom_jump_m=0.0)
    rehearsal.look()


@pytest.mark.parametrize('apart', [-0.2, 0.2])
def test_sources_that_disagree_in_time_stop_a_robot_and_the_source_is_named(make_policy_file, apart):
    rehearsal = Rehearsal('quadruped', make_policy_file)
    rehearsal.move(rehearsal.look())
    for topic in rehearsal.topics.others:
        if topic.source.name == 'imu':
            topic.values._stamp += round(apart * 1e9)
    with pytest.raises(ObservationError, match=r"the source 'imu' is more than 0\.06 s older or newer than the state"):
        rehearsal.observation.read(rehearsal.stamp - round(rehearsal.task.period * 1e9))
    rehearsal.look()


@pytest.mark.parametrize('rays', [20, 1])
def test_a_laser_that_no_longer_sees_a_sector_stops_a_robot_and_the_sector_is_named(make_policy_file, rays):
    rehearsal = Rehearsal('rover', make_policy_file)
    rehearsal.tell(TOLD)
    rehearsal.move(rehearsal.look())
    rehearsal.messages.message_faults = MessageFaults(no_orientation=False, scan_rays=rays, odom_jump_m=0.0)
    with pytest.raises(ObservationError, match='sector'):
        rehearsal.look()
        rehearsal.observation.read(rehearsal.stamp)


def test_an_odometry_that_jumps_is_read_as_it_is_and_the_command_keeps_bounds_and_slew_rate(make_policy_file):
    rehearsal = Rehearsal('rover', make_policy_file, slew_rate=[0.5, 1.0])
    rehearsal.tell({'goal': (2.0, 1.0, 0.0)})
    sent = []
    for jump in (0.0, 0.0, 3.0, 3.0, -5.0):
        rehearsal.messages.message_faults = MessageFaults(no_orientation=False, scan_rays=0, odom_jump_m=jump)
        rehearsal.move(rehearsal.look())
        assert rehearsal.controller.status.text == 'armed' and rehearsal.controller.counts['reset.gap'] == 0
        sent.append(rehearsal.sent)
    low, high = np.array(rehearsal.controller.safety.bounds).T
    assert ((sent >= low) & (sent <= high)).all()
    assert (np.abs(np.diff(sent, axis=0)) <= np.array([0.5, 1.0]) * rehearsal.task.period + 1e-9).all()
