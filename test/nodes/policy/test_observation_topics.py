"""Several sources as one observation: goals, velocity commands, frames, arrays, angles that wrap."""

import math

import pytest
from rclpy.time import Time

from velora_ros.contract.sources import ObservationSettings, Source
from velora_ros.errors import ConfigError, ObservationError
from velora_ros.nodes.policy.observation_topics import ObservationTopics
from velora_ros.nodes.ros.conversions import to_vector
from velora_ros.nodes.ros.message_types import interface_class

pytestmark = pytest.mark.ros

MS = 1_000_000
ODOM = Source('odom', 'odom', 'Odometry')
GOAL = 'geometry_msgs/msg/PoseStamped'


class Bench:
    """The topics of an observation without a node; messages are stored as policy_node does; states are 20 ms apart."""

    def __init__(self, names, ages=None, **settings):
        self.now, self.errors, self.resets, self.read_once = 0, [], set(), False
        settings = ObservationSettings(**settings)
        self.topics = ObservationTopics(names, settings)
        self.observation = self.topics.observation(lambda stamp: not self.read_once or stamp in self.resets)
        self.by_name = {topic.source.topic: topic for topic in (self.topics.trigger, *self.topics.others)}
        sources = [source.name for source in settings.sources]
        self.topics.limit_ages({f'observation.{name}.max_age_s': (ages or {}).get(name, -1.0) for name in sources}, 0.1)

    def say(self, topic, kind, frame='', **fields):
        message = interface_class(kind)()
        if hasattr(message, 'header'):
            message.header.stamp, message.header.frame_id = Time(nanoseconds=self.now).to_msg(), frame
        for path, value in fields.items():
            *parents, last = path.split('__')
            target = message
            for parent in parents:
                target = getattr(target, parent)
            setattr(target, last, value)
        self.receive(topic, message)

    def receive(self, topic, message):
        try:
            self.by_name[topic].store(message, self.now)
        except ObservationError as error:
            self.errors.append(str(error))

    def odometry(self, x=0.0, frame='odom'):
        self.now += 20 * MS
        self.say('odom', 'nav_msgs/msg/Odometry', frame, pose__pose__position__x=x)

    def read(self):
        values = self.observation.read(self.now).tolist()
        self.read_once = True
        return values


def with_goal(**settings):
    source = Source('goal', 'goal_pose', GOAL, **settings)
    fields = ('odom:pose.pose.position.x', 'goal:pose.position.x')
    return Bench(('x', 'goal'), {'goal': 0.0}, sources=(ODOM, source), fields=fields)


def test_a_goal_survives_resets_of_the_robot_but_not_a_new_activation():
    bench = with_goal()
    bench.odometry()
    with pytest.raises(ObservationError, match="no message has arrived from the source 'goal'"):
        bench.read()
    bench.say('goal_pose', GOAL, 'odom', pose__position__x=3.0)
    bench.now += 3_600_000 * MS
    bench.odometry(1.0)
    assert bench.read() == [1.0, 3.0]
    bench.topics.forget_states()
    with pytest.raises(ObservationError, match="source 'odom'"):
        bench.read()
    bench.odometry(2.0)
    assert bench.read() == [2.0, 3.0]
    bench.observation.forget()
    bench.odometry(2.0)
    with pytest.raises(ObservationError, match="no message has arrived from the source 'goal'"):
        bench.read()


def test_a_goal_in_another_frame_than_the_robot_is_refused_until_one_comes_that_fits():
    bench = with_goal()
    bench.odometry()
    bench.say('goal_pose', GOAL, 'odom', pose__position__x=3.0)
    assert bench.read() == [0.0, 3.0]
    bench.say('goal_pose', GOAL, 'map', pose__position__x=4.0)
    assert "'goal' is in the frame 'map', but 'odom' is in 'odom'" in bench.errors[-1]
    bench.odometry()
    with pytest.raises(ObservationError, match=r"in the frame '.*; publish both in one frame"):
        bench.read()
    for frame in ('odom', '/odom', ''):
        bench.say('goal_pose', GOAL, frame, pose__position__x=5.0)
        bench.odometry()
        assert bench.read() == [0.0, 5.0]


def test_a_frame_that_is_set_for_a_source_is_required():
    bench = with_goal(frame='map')
    bench.odometry()
    bench.say('goal_pose', GOAL, 'odom')
    with pytest.raises(ObservationError, match=r"in the frame 'odom', but 'observation.goal.frame_id' is 'map'"):
        bench.read()
    bench.say('goal_pose', GOAL, 'map', pose__position__x=6.0)
    bench.odometry()
    assert bench.read() == [0.0, 6.0], 'the user says that map is right'


@pytest.mark.parametrize('kind', ['geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped'])
def test_a_velocity_command_that_stops_is_read_as_its_missing_values(kind):
    path = 'twist.' if kind.endswith('Stamped') else ''
    source = Source('cmd_vel', 'cmd_vel', kind, missing=(0.0,))
    fields = ('odom:pose.pose.position.x', f'cmd_vel:{path}linear.x', f'cmd_vel:{path}angular.z')
    bench = Bench(('x', 'v', 'w'), {'cmd_vel': 0.5}, sources=(ODOM, source), fields=fields)
    bench.odometry()
    assert bench.read() == [0.0, 0.0, 0.0]
    given = {f'{path.replace(".", "__")}{name}': value for name, value in (('linear__x', 0.4), ('angular__z', -1.0))}
    bench.say('cmd_vel', kind, **given)
    bench.now += 480 * MS
    bench.odometry()
    assert bench.read() == [0.0, 0.4, -1.0]
    bench.odometry()
    assert bench.read() == [0.0, 0.0, 0.0]


def test_a_velocity_command_that_stops_is_refused_without_missing_values():
    fields = ('odom:pose.pose.position.x', 'cmd_vel:linear.x')
    bench = Bench(('x', 'v'), {'cmd_vel': 0.5}, sources=(ODOM, Source('cmd_vel', 'cmd_vel', 'Twist')), fields=fields)
    bench.say('cmd_vel', 'geometry_msgs/msg/Twist', linear__x=0.4)
    bench.now += 500 * MS
    bench.odometry()
    with pytest.raises(ObservationError, match=r"the source 'cmd_vel' is more than 0.5 s older"):
        bench.read()


def test_a_scan_fills_its_observations_and_one_that_is_too_short_is_named_at_every_state():
    scan = Source('scan', 'scan', 'sensor_msgs/msg/LaserScan')
    fields = ('scan:ranges[0:3]', 'odom:pose.pose.position.x', 'scan:min(ranges)')
    bench = Bench([f'obs_{i}' for i in range(5)], sources=(ODOM, scan), fields=fields)
    bench.odometry(1.0)
    bench.say('scan', scan.type, ranges=[4.0, math.inf, 2.0, 1.5], range_max=9.0)
    assert bench.read() == [4.0, 9.0, 2.0, 1.0, 1.5]
    bench.say('scan', scan.type, ranges=[4.0, 3.0], range_max=9.0)
    bench.odometry(1.0)
    with pytest.raises(ObservationError, match=r"has 2 values of 'ranges', but 'ranges.0:3.' needs 3 and finds 2"):
        bench.read()


def test_one_name_for_all_fields_applies_to_the_messages_that_have_it():
    joints, scan = Source('joints', 'joint_states', 'JointState'), Source('scan', 'scan', 'sensor_msgs/msg/LaserScan')
    fields = ('odom:pose.pose.position.x', 'joints:a/position', 'scan:ranges[0]')
    bench = Bench(('x', 'a', 'r'), sources=(ODOM, joints, scan), fields=fields, nonfinite=('range_max',))
    assert [part.nonfinite for part in bench.topics.plans] == [[''], [''], ['range_max']]
    with pytest.raises(ConfigError, match=r"'observation.nonfinite' is 'rangemax'"):
        Bench(('x', 'r'), sources=(ODOM, scan), fields=(fields[0], fields[2]), nonfinite=('rangemax',))


def test_values_of_a_vector_that_are_not_finite_are_replaced():
    bench = Bench(('a', 'b'), nonfinite=('0.5',), sources=(Source('vector', 'observation', 'Float64MultiArray'),))
    bench.now = MS
    bench.receive('observation', to_vector([math.nan, 2.0]))
    assert bench.read() == [0.5, 2.0]


def test_an_unwrapped_angle_continues_until_the_hidden_state_is_reset():
    source = Source('wheel', 'wheel', 'std_msgs/msg/Float64')
    bench = Bench(('wheel',), sources=(source,), fields=('wheel:data',), transform=('unwrap',), scale=(-1.0,))
    read = []
    for angle in (3.0, -3.0, 3.0, -3.0):
        bench.now += 20 * MS
        if len(read) == 2:
            bench.resets.add(bench.now)
        bench.say('wheel', source.type, data=angle)
        read.append(bench.read()[0])
    assert read == pytest.approx([-3.0, 3.0 - 2 * math.pi, -3.0, 3.0 - 2 * math.pi])


@pytest.mark.parametrize(
    ('source', 'field', 'message'),
    [
        (Source('v', 'v', 'Twist', frame='odom'), 'v:linear.x', "'observation.v.frame_id' is 'odom', but a Twist"),
        (Source('v', 'v', 'Twist', missing=(1.0, 2.0)), 'v:linear.x', "'observation.v.missing' has 2 numbers"),
        (Source('v', 'v', 'JointState', missing=(1.0,)), 'v:a/position', "v.missing' does not apply to joint states"),
    ],
)
def test_settings_that_a_source_cannot_have_are_refused(source, field, message):
    with pytest.raises(ConfigError, match=message):
        Bench(('x', 'v'), sources=(ODOM, source), fields=('odom:pose.pose.position.x', field))


def test_the_first_source_cannot_have_missing_values():
    with pytest.raises(ConfigError, match=r"'observation.v.missing' is not valid for the first source"):
        Bench(('v',), sources=(Source('v', 'v', 'Twist', missing=(0.0,)),), fields=('v:linear.x',))
