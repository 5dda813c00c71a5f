"""SI units on the wire, and what policy_node wants to have confirmed before it commands a robot."""

import json

import numpy as np
import pytest
import safetensors.numpy
import yaml
from policy_robot import NAMES, STATE, Robot, T
from ros_bench import SOURCE

from velora_ros.control.command_limits import Safety
from velora_ros.nodes.policy.parameters import parameters
from velora_ros.nodes.policy.settings_of_parameters import open_confirmations, settings_of
from velora_ros.nodes.ros.topics_services_qos import NEWEST
from velora_ros.policy import Policy, PolicyFile
from velora_ros.spec import PolicySpec

pytestmark = pytest.mark.ros


def old_file(make_policy_file):
    """The bytes of a file of version 1: the unit has the scale in it, and the period was assumed."""
    spec = PolicySpec(NAMES, ('m', 'rad', 'm/s', 'rad/s'), ('slider/effort',), ('N',), (-3.0,), (3.0,), T, True)
    file = make_policy_file(spec=spec)
    old = {**file._metadata(), 'format_version': 1}
    old['spec'] = {**old['spec'], 'action_units': ['100 N']}
    text = json.dumps({**old, 'digest': file._digest(old)})
    return safetensors.numpy.save(dict(file.tensors), metadata={'velora_ros': text})


@pytest.fixture(scope='module')
def running(ros_bench, make_policy_file, tmp_path_factory):
    path = tmp_path_factory.mktemp('policies') / 'policy.safetensors'
    path.write_bytes(old_file(make_policy_file))
    with ros_bench() as ros:
        yield Robot(ros, path)


def test_an_old_file_is_not_armed_before_units_and_period_are_confirmed_and_then_sends_newtons(running):
    robot = running
    refused = robot.until_status('disarmed: commands are now in SI units')
    assert refused.level == b'\x01'
    both = "'slider/effort' was sent as at most 3 in units of 100 N, and is now sent as at most 300 N"
    assert both in refused.message and both in robot.process.output
    assert robot.no_command()
    for name, reason in (('command__si_confirmed', 'command.si_confirmed'), ('control_period_confirmed', '0.04 s was')):
        answer = robot.call('arm', data=True)
        assert not answer.success and reason in answer.message and answer.message.endswith('.')
        assert reason in robot.diagnostics()['message']
        assert robot.no_command()
        assert robot.ros.set_parameters('policy_node', **{name: True})[0].successful
    robot.until_status('armed')
    robot.call('reset_state')
    expected = 100 * Policy.load(robot.path, engine='numpy').step(np.array(STATE), None)
    assert robot.command() == pytest.approx(expected, abs=1e-9)
    assert abs(expected[0]) > 3.0, 'a number that no command in the old unit could have'


def test_the_same_policy_saved_as_version_2_needs_no_confirmation_of_units(running):
    robot = running
    robot.call('arm', data=False)
    robot.ros.set_parameters('policy_node', command__si_confirmed=False, control_period_confirmed=True)
    assert 'version 1' in robot.call('arm', data=True).message
    new = robot.path.with_name('version_2.safetensors')
    PolicyFile.load(robot.path).save(new)
    assert robot.ros.set_parameters('policy_node', policy=str(new))[0].successful
    robot.ros.until(lambda: robot.call('arm', data=True).success, 'the confirmation that is not needed any more')
    robot.call('arm', data=False)
    assert robot.ros.set_parameters('policy_node', policy=str(robot.path))[0].successful
    robot.until_status('disarmed: commands are now in SI units')
    assert 'version 1' in robot.call('arm', data=True).message


def test_debug_and_limits_are_in_newtons(running):
    robot = running
    robot.ros.set_parameters('policy_node', command__si_confirmed=True, control_period_confirmed=True)
    raw = robot.ros.subscribe('std_msgs/msg/Float64MultiArray', 'policy_node/debug/raw_action', NEWEST.profile())
    robot.ready()

    def shown():
        command = robot.command()[0]
        robot.ros.spin(0.02)
        return command in [message.data[0] for message in raw]

    robot.ros.until(shown, 'the action beside its command')
    pose = robot.ros.set_parameters('policy_node', fallback='pose', fallback_pose=[301.0], atomically=True)[0]
    assert "'fallback_pose' has 301 for 'slider/effort'; it must be from -300 to 300 N" in pose.reason
    posed = {'fallback': 'pose', 'fallback_pose': [250.0]}
    assert robot.ros.set_parameters('policy_node', **posed, atomically=True)[0].successful
    robot.commands.clear()
    robot.call('arm', data=False)
    robot.ros.until(lambda: robot.commands, 'the fallback')
    assert list(robot.commands[-1].data) == [250.0]
    robot.ros.set_parameters('policy_node', fallback='auto')
    scale = robot.ros.set_parameters('policy_node', command__scale=[2.0])[0]
    assert "'command.scale' is read when the node is configured" in scale.reason


def test_a_scale_that_does_not_fit_ends_the_start_with_one_sentence(ros):
    parameters = ('policy:=InvertedPendulum-v5', 'autostart:=true', 'command.scale:=[1.0, 2.0]')
    process = ros.start('policy_node', *(word for text in parameters for word in ('-p', text)))
    assert process.wait() == 1
    assert "'command.scale' has 2 values, but the number of actions is 1: slider/effort" in process.output
    assert 'Traceback' not in process.output


@pytest.mark.parametrize(
    ('names', 'units', 'given', 'said'),
    [
        (('action_0', 'action_1'), ('', ''), {}, "did not define the meaning of the policy's action_0, action_1"),
        (('action_0', 'action_1'), ('', ''), {'command.scale': [0.25, 0.25]}, "then set 'command.si_confirmed'"),
        (('elbow/position', 'action_1'), ('rad', ''), {}, "did not define the meaning of the policy's action_1"),
        (('action_0', 'action_1'), ('', ''), {'command.si_confirmed': True}, ''),
        (('action_0', 'action_1'), ('', ''), {'command.fields': ['1', '0']}, ''),
        (('action_0', 'action_1'), ('', ''), {'command.type': 'Twist', 'command.fields': ['linear.x', 'linear.y']}, ''),
        (('action_0', 'action_1'), ('m/s', 'rad/s'), {}, ''),
        (('elbow/position', 'gripper'), ('rad', ''), {}, ''),
    ],
)
def test_an_action_without_a_meaning_goes_to_a_joint_controller_once_confirmed(
    make_policy_file, names, units, given, said
):
    spec = PolicySpec(NAMES, ('m', 'rad', 'm/s', 'rad/s'), names, units, (-1.0,) * 2, (1.0,) * 2, T)
    file = make_policy_file(n_actions=2, spec=spec)
    values = {row.name: row.default for row in parameters(None)} | given
    safety = Safety(spec, settings_of(values))
    sentences = open_confirmations(values, file, safety, '/left/forward_position_controller/commands')
    assert len(sentences) == bool(said)
    assert open_confirmations(values, file, safety, '/left/command') == []
    assert said in ''.join(sentences)


def test_the_simulator_s_configuration_confirms_what_is_true_of_the_simulator(make_policy_file):
    file = PolicyFile.from_bytes(old_file(make_policy_file))
    values = {row.name: row.default for row in parameters(None)}
    safety = Safety(file.spec, settings_of(values))
    units, period = open_confirmations(values, file, safety)
    assert 'command.si_confirmed' in units and 'control_period_confirmed' in period
    simulated = yaml.safe_load((SOURCE / 'config' / 'control.yaml').read_text())['/**/policy_node']['ros__parameters']
    assert open_confirmations(values | simulated, file, safety) == []


def test_a_file_in_si_units_whose_period_is_known_needs_no_confirmation():
    values = {row.name: row.default for row in parameters(None)}
    for path in (SOURCE / 'policies').glob('Inverted*.safetensors'):
        file = PolicyFile.load(path)
        assert open_confirmations(values, file, Safety(file.spec, settings_of(values))) == []
        assert file.spec.action_units == ('N',) and file.spec.action_scale != ()
