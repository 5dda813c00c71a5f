"""policy_node's life: starts that are refused, transitions by another node, silence, and clean ends."""

import gc
import itertools
import math
import shutil
import signal
import sys

import numpy as np
import pytest
import rclpy
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from ros_bench import SOURCE

from velora_ros.nodes.policy.loop import PolicyLoop
from velora_ros.nodes.policy.node import PolicyNode
from velora_ros.nodes.ros.conversions import to_joint_state, to_vector
from velora_ros.nodes.ros.topics_services_qos import LATCHED, NEWEST
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros

NAMES = ('slider/position', 'hinge/position', 'slider/velocity', 'hinge/velocity')
SPEC = PolicySpec(NAMES, ('m', 'rad', 'm/s', 'rad/s'), ('slider/effort',), ('N',), (-3.0,), (3.0,), 0.04)


TRIGGER, SET_BOOL = 'std_srvs/srv/Trigger', 'std_srvs/srv/SetBool'
SERVICES_OF_A_POLICY = (
    ((SET_BOOL, 'policy_node/arm'), {'data': True}),
    ((TRIGGER, 'policy_node/reset_state'), {}),
    ((TRIGGER, 'policy_node/clear_fault'), {}),
    ((TRIGGER, 'policy_node/reload_policy'), {}),
)


@pytest.fixture(scope='module')
def policies(make_policy_file, tmp_path_factory):
    """Paths of a policy that reads joints, one that reads a vector, and one cut short."""
    folder = tmp_path_factory.mktemp('policies')
    paths = {name: folder / f'{name}.safetensors' for name in ('joints', 'vector', 'damaged', 'missing')}
    make_policy_file(spec=SPEC).save(paths['joints'])
    make_policy_file().save(paths['vector'])
    paths['damaged'].write_bytes(paths['joints'].read_bytes()[:-20])
    return paths


# On a busy machine a state may be older than three periods, and ten of them may pass without one.
PATIENT = ('watchdog_timeout_s:=30', 'max_state_age_s:=5')


def start(ros, path, *extra, autostart=True):
    given = {str(word).partition(':=')[0] for word in extra}
    patient = [text for text in PATIENT if text.partition(':=')[0] not in given]
    return ros.start(
        'policy_node', '-p', f'policy:={path}', '-p', f'autostart:={str(autostart).lower()}',
        '-p', 'arm_on_activate:=true', '-p', 'engine:=numpy', *extra,
        *(word for text in patient for word in ('-p', text)),
    )  # fmt: skip


def status_of(ros, node='policy_node'):
    status = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', f'{node}/status', LATCHED.profile())
    ros.until(lambda: status, 'the latched status')
    return status


def drive(ros, states, commands):
    """Publish states until a command comes back; returns a function that does it once more."""

    def again():
        commands.clear()

        def answered():
            stamp = ros.node.get_clock().now().nanoseconds
            joints = to_joint_state(('slider', 'hinge'), np.array([0.1, 0.2]), np.array([0.3, 0.4]), np.empty(0), stamp)
            states.publish(joints)
            ros.spin(0.02)
            return commands

        ros.until(answered, 'a command')
        return commands[-1].data[0]

    again()
    return again


def connect(ros):
    commands = ros.subscribe('std_msgs/msg/Float64MultiArray', 'command')
    return commands, drive(ros, ros.publisher('sensor_msgs/msg/JointState', 'joint_states'), commands)


@pytest.mark.parametrize(
    ('name', 'extra', 'message'),
    [
        ('missing', (), 'there is no such file'),
        ('damaged', (), 'damaged.safetensors'),
        ('joints', ('-p', 'observation.fields:=["joints:a/position"]'), 'the number of observations is 4: slider/pos'),
        ('joints', ('-p', 'command.interface:=position'), "set 'command.interface' to 'effort' or leave"),
        ('joints', ('-p', 'command.type:=Twist'), "sets the interface 'velocity', but the policy's"),
        ('joints', ('-p', 'watchdog_timeout:=1.0'), "Did you mean 'watchdog_timeout_s'?"),
        ('joints', ('-p', 'observation.joints.topic:=robot-1/states'), "'robot-1/states' is not a valid topic name"),
        ('joints', ('-p', 'max_tilt:=0.5'), "'max_tilt' is 0.5, but it would never stop the robot"),
        ('joints', ('-p', 'qos_overrides./joint_state.subscription.depth:=2'), "'qos_overrides./joint_states.subscr"),
    ],
)  # fmt: skip
def test_an_autostart_that_cannot_work_ends_with_one_sentence_and_status_one(ros, policies, name, extra, message):
    process = start(ros, policies[name], *extra)
    assert process.wait() == 1
    assert message in process.output
    assert process.output.count('\n') == 1


@pytest.fixture
def read_only_install(tmp_path):
    """A read-only copy of the package, in which not even root can write a cache beside the source."""
    root = tmp_path / 'install'
    shutil.copytree(SOURCE / 'velora_ros', root / 'velora_ros', ignore=shutil.ignore_patterns('__pycache__'))
    (root / 'velora_ros/policy/__pycache__').write_text('in the way')
    folders = [root, *(path for path in root.rglob('*') if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield root
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.parametrize('home', [(), ('HOME=/dev/null',), ('HOME=/', 'ROS_LOG_DIR=/dev/null/log')])
def test_it_starts_from_a_read_only_install_without_a_home(ros, policies, read_only_install, home):
    places = ('HOME', 'ROS_HOME', 'ROS_LOG_DIR', 'XDG_CACHE_HOME', 'NUMBA_CACHE_DIR')
    node = ['env', *(f'--unset={name}' for name in places), *home, sys.executable, '-m', 'velora_ros.nodes.policy']
    parameters = (f'policy:={policies["joints"]}', 'autostart:=true', 'engine:=numba')
    words = [word for text in parameters for word in ('-p', text)]
    process = ros.start([*node, '--ros-args', *words], PYTHONPATH=str(read_only_install))
    status = status_of(ros)
    ros.until(lambda: 'disarmed: waiting' in status[-1].message, 'an active node')
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_sends_the_fallback_and_exits_zero(ros, policies, number):
    process = start(ros, policies['joints'])
    commands, again = connect(ros)
    assert again() != 0.0
    commands.clear()
    process.signal(number)
    assert process.wait() == 0
    ros.until(lambda: commands and list(commands[-1].data) == [0.0], 'the fallback')


def test_silence_is_a_latched_fault_with_one_fallback(ros, policies):
    start(ros, policies['joints'], '-p', 'watchdog_timeout_s:=2')
    status = status_of(ros)
    commands, again = connect(ros)
    ros.until(lambda: status[-1].level == b'\x02', 'the fault')
    assert 'no usable state for' in status[-1].message
    ros.spin(1.0)
    sent = [command.data[0] for command in commands]
    assert sent[-1] == 0.0 and sent.count(0.0) == 1
    assert ros.set_parameters('policy_node', auto_recover=True)[0].successful
    assert again() != 0.0, 'auto_recover goes on with the next usable state'


def test_joint_states_of_another_robot_are_reported_with_the_expected_joints(ros, policies):
    start(ros, policies['joints'])
    status = status_of(ros)
    states = ros.publisher('sensor_msgs/msg/JointState', 'joint_states')

    def told():
        stamp = ros.node.get_clock().now().nanoseconds
        states.publish(to_joint_state(('thigh', 'leg'), np.array([0.1, 0.2]), np.array([0.3, 0.4]), np.empty(0), stamp))
        ros.spin(0.02)
        return 'joint states have thigh, leg, but' in status[-1].message

    ros.until(told, 'the reason')
    assert "'slider/position', 'hinge/position'" in status[-1].message
    assert status[-1].level == b'\x01'


def test_parameters_that_change_all_the_time_do_not_hold_up_the_watchdog(ros, policies):
    start(ros, policies['joints'], '-p', 'watchdog_timeout_s:=2')
    status = status_of(ros)
    connect(ros)
    client = AsyncParameterClient(ros.node, 'policy_node')
    ros.until(client.services_are_ready, 'the parameter services')
    changed = []
    for gap in itertools.cycle((3.0, 4.0)):
        changed.append(client.set_parameters([Parameter('max_gap_s', value=gap)]))
        ros.until(changed[-1].done, 'an answer')
        ros.spin(0.05)
        if status[-1].level == b'\x02' or len(changed) > 100:
            break
    assert 'no usable state for' in status[-1].message


def test_a_vector_policy_in_a_namespace_names_what_fits_when_the_length_is_wrong(ros, policies):
    start(ros, policies['vector'], '-r', '__ns:=/robot1', '-r', '__node:=brain', '-p', 'watchdog_timeout_s:=0')
    status = status_of(ros, '/robot1/brain')
    commands = ros.subscribe('std_msgs/msg/Float64MultiArray', '/robot1/command')
    vectors = ros.publisher('std_msgs/msg/Float64MultiArray', '/robot1/observation')

    def answered():
        vectors.publish(to_vector(np.array([0.1, 0.2, 0.3, 0.4])))
        ros.spin(0.02)
        return commands

    ros.until(answered, 'a command')
    ros.settle('/robot1/brain')
    for values, reason in (((1.0, 2.0), 'reads 4: obs_0, obs_1'), ((0.1, math.nan, 0, 0), "'obs_1' is nan")):
        commands.clear()
        vectors.publish(to_vector(np.array(values)))
        ros.until(lambda reason=reason: reason in status[-1].message, reason)
        assert not commands


def test_a_lifecycle_manager_may_try_its_transitions_again(ros, policies):
    process = start(ros, policies['missing'], autostart=False)
    status = status_of(ros)
    assert not ros.transition('policy_node', 'configure')
    assert 'there is no such file' in process.output
    for service, fields in SERVICES_OF_A_POLICY:
        answer = ros.call(*service, **fields)
        assert not answer.success
        assert 'the node is unconfigured; configure it first.' in answer.message
    assert ros.set_parameters('policy_node', policy=str(policies['joints']))[0].successful
    for _ in range(2):
        assert ros.transition('policy_node', 'configure')
        assert ros.transition('policy_node', 'activate')
        commands, again = connect(ros)
        assert again() != 0.0
        commands.clear()
        assert ros.transition('policy_node', 'deactivate')
        ros.until(
            lambda commands=commands: commands and list(commands[-1].data) == [0.0], 'the fallback of deactivation'
        )
        ros.until(lambda: status[-1].message == 'inactive', 'its status')
        assert ros.transition('policy_node', 'cleanup')
    assert ros.call('std_srvs/srv/SetBool', 'policy_node/emergency_stop', data=True).success
    assert ros.transition('policy_node', 'configure')
    assert ros.transition('policy_node', 'activate')
    ros.until(lambda: 'emergency stop' in status[-1].message, 'the stop that was latched before')
    assert ros.call('std_srvs/srv/Trigger', 'policy_node/clear_fault').success
    assert ros.transition('policy_node', 'shutdown')
    ros.until(lambda: status[-1].message == 'finalized', 'its status')
    assert 'finalized' in process.output.splitlines()[-1]
    for service, fields in SERVICES_OF_A_POLICY:
        answer = ros.call(*service, **fields)
        assert not answer.success
        assert 'the node is finalized; start its process again.' in answer.message
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_what_an_earlier_policy_left_goes_with_the_next_activation(ros, policies):
    def loops():
        return sum(type(thing) is PolicyLoop for thing in gc.get_objects())  # some answer isinstance with warnings

    words = [word for text in (f'policy:={policies["joints"]}', 'engine:=numpy') for word in ('-p', text)]
    gc.unfreeze()
    gc.collect()  # what earlier tests of this process left must not go during this one
    others = loops()
    rclpy.init(args=['--ros-args', *words], domain_id=ros.domain)
    node = PolicyNode()
    try:
        there, back = ('configure', 'activate'), ('deactivate', 'cleanup')
        for name in (*there, *back, *there, *back, *there):
            assert getattr(node, f'trigger_{name}')() == TransitionCallbackReturn.SUCCESS
        gc.unfreeze()  # what is frozen is not listed
        assert loops() == others + 1
    finally:
        node.destroy_node()
        rclpy.shutdown()
    ros.until(lambda: 'policy_node' not in ros.node.get_node_names(), 'the end of the node, in a process that goes on')


@pytest.mark.parametrize('by_topic', [True, False])
def test_an_emergency_stop_before_there_is_a_policy_is_latched_and_shown(ros, policies, by_topic):
    start(ros, policies['joints'], autostart=False)
    status = status_of(ros)
    assert status[-1].message == 'unconfigured'
    diagnostics = ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')
    if by_topic:
        stop = ros.publisher('std_msgs/msg/Bool', 'emergency_stop', 10)
        ros.deliver(stop, stop.msg_type(data=True))
        ros.deliver(stop, stop.msg_type(data=False))
    else:
        assert ros.call('std_srvs/srv/SetBool', 'policy_node/emergency_stop', data=True).success
    ros.until(lambda: (status[-1].level, status[-1].message) == (b'\x02', 'fault: emergency stop'), 'its status')
    ros.until(lambda: diagnostics and diagnostics[-1].status[0].message == 'fault: emergency stop', 'diagnostics')
    assert ros.transition('policy_node', 'configure')
    assert ros.transition('policy_node', 'activate')
    states = ros.publisher('sensor_msgs/msg/JointState', 'joint_states')
    commands = ros.subscribe('std_msgs/msg/Float64MultiArray', 'command')
    for _ in range(10):
        now = ros.node.get_clock().now().nanoseconds
        states.publish(to_joint_state(('slider', 'hinge'), np.zeros(2), np.zeros(2), np.empty(0), now))
        ros.spin(0.02)
    assert not commands
    for name in ('deactivate', 'cleanup'):
        assert ros.transition('policy_node', name)
    assert ros.call('std_srvs/srv/Trigger', 'policy_node/clear_fault').success
    ros.until(lambda: status[-1].message == 'unconfigured', 'the end of the fault')


def test_an_emergency_stop_counts_from_before_the_start_and_from_any_publisher(ros, policies):
    stop = ros.publisher('std_msgs/msg/Bool', 'emergency_stop', LATCHED.profile(), matched=False)
    stop.publish(stop.msg_type(data=True))
    process = start(ros, policies['joints'])
    status = status_of(ros)
    ros.until(lambda: status[-1].message == 'fault: emergency stop', 'the stop of before')
    assert not ros.call(SET_BOOL, 'policy_node/arm', data=True).success
    assert ros.call(TRIGGER, 'policy_node/clear_fault').success
    volatile = ros.publisher('std_msgs/msg/Bool', 'emergency_stop')
    ros.deliver(volatile, volatile.msg_type(data=True))
    ros.until(lambda: status[-1].message == 'fault: emergency stop', 'the stop of now')
    assert ros.call(TRIGGER, 'policy_node/clear_fault').success
    best_effort = ros.publisher('std_msgs/msg/Bool', 'emergency_stop', NEWEST.profile())

    def stopped():
        best_effort.publish(best_effort.msg_type(data=True))  # until it was matched from the other side as well
        return status[-1].message == 'fault: emergency stop'

    ros.until(stopped, 'the stop of a publisher with best effort')
    assert 'incompatible' not in process.output


def test_a_fault_outlives_a_clean_up(ros, policies):
    start(ros, policies['joints'])
    status = status_of(ros)
    stop = ros.publisher('std_msgs/msg/Bool', 'emergency_stop', 10)
    ros.deliver(stop, stop.msg_type(data=True))
    ros.until(lambda: 'emergency stop' in status[-1].message, 'the stop')
    for name in ('deactivate', 'cleanup', 'configure', 'activate'):
        assert ros.transition('policy_node', name)
        ros.spin(0.1)
        assert status[-1].message == 'fault: emergency stop', name
    assert not ros.call('std_srvs/srv/SetBool', 'policy_node/arm', data=True).success
