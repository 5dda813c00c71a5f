"""policy_node gets another policy while it drives: by parameter, by service, by the trainer's topic."""

import dataclasses
import time

import numpy as np
import pytest
from policy_robot import MS, SPEC, STATE, Robot
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient

from velora_ros.nodes.ros.message_types import interface_class
from velora_ros.nodes.ros.topics_services_qos import LATCHED
from velora_ros.policy import Policy

pytestmark = pytest.mark.ros

VECTOR = interface_class('std_msgs/msg/Float64MultiArray')
# Every state must arrive, however long the machine is busy: what is counted is what the node does with it.
LOSSLESS = [
    f'qos_overrides./{topic}.{end}.{setting}'
    for topic, end in (('joint_states', 'subscription'), ('command', 'publisher'))
    for setting in ('reliability:=reliable', 'depth:=200')
]


@pytest.fixture(scope='module')
def files(make_policy_file, tmp_path_factory):
    """Paths of policies: two of one shape, a slow one, one of another shape, others that cannot be loaded."""
    folder, elsewhere = tmp_path_factory.mktemp('policies'), tmp_path_factory.mktemp('elsewhere')
    names = ('first', 'second', 'large', 'shape', 'slower', 'damaged', 'cut', 'absent')
    paths = {name: folder / f'{name}.safetensors' for name in names} | {'outside': elsewhere / 'p.safetensors'}
    make_policy_file(spec=SPEC).save(paths['first'])
    make_policy_file(seed=7, spec=SPEC).save(paths['second'])
    make_policy_file(n_neurons=3000, spec=SPEC).save(paths['large'])
    make_policy_file(n_observations=5).save(paths['shape'])
    make_policy_file(seed=7, spec=SPEC).save(paths['outside'])
    make_policy_file(spec=dataclasses.replace(SPEC, control_period=0.08)).save(paths['slower'])
    paths['cut'].write_bytes(paths['large'].read_bytes()[:-50])
    paths['damaged'].write_bytes(paths['second'].read_bytes()[:-50])
    (folder / 'link.safetensors').symlink_to(paths['outside'])
    (folder / 'circle.safetensors').symlink_to(folder / 'circle.safetensors')
    strange = {'long': folder / ('p' * 300), 'stranger': '~nobody_of_this_name/p.safetensors'}
    return paths | strange | {name: folder / f'{name}.safetensors' for name in ('link', 'circle')}


@pytest.fixture(scope='module')
def running(ros_bench, files):
    with ros_bench() as ros:
        robot = Robot(ros, files['first'], 'follow_trainer:=true', *LOSSLESS, depth=200)
        robot.updates = ros.publisher('std_msgs/msg/String', 'policy_update', LATCHED.profile())
        yield robot.until_it_answers()


@pytest.fixture
def robot(running, files):
    """The running robot, armed, with the first policy and a fresh hidden state."""
    running.ready()
    give(running, files['first'])
    running.ros.until(lambda: runs(running, files['first']), 'the first policy')
    return running.ready()


def give(robot, path):
    result = robot.ros.set_parameters('policy_node', policy=str(path))[0]
    assert result.successful, result.reason


def give_at_once(robot, paths):
    """Ask for one policy after the other, without waiting for an answer."""
    client = AsyncParameterClient(robot.ros.node, 'policy_node')
    robot.ros.until(client.services_are_ready, 'the parameter services')
    answers = [client.set_parameters([Parameter('policy', value=str(path))]) for path in paths]
    robot.ros.until(lambda: all(answer.done() for answer in answers), 'the answers')
    assert all(answer.result().results[0].successful for answer in answers)


def runs(robot, path):
    """Whether the first command after a reset is that of a policy."""
    robot.call('reset_state')
    expected = Policy.load(path, engine='numpy').step(np.array(STATE), None)
    return np.allclose(robot.command(), expected, atol=1e-9)


def parameter(robot, name='policy'):
    response = robot.ros.call('rcl_interfaces/srv/GetParameters', 'policy_node/get_parameters', names=[name])
    return response.values[0].string_value


def test_a_new_value_of_the_parameter_is_the_next_policy_from_a_fresh_hidden_state(robot, files):
    robot.command()
    give(robot, files['second'])
    robot.ros.until(lambda: runs(robot, files['second']), 'the second policy')
    assert parameter(robot) == str(files['second'])


def test_the_trainer_s_topic_brings_the_next_policy_and_the_parameter_says_so(robot, files):
    robot.updates.publish(robot.updates.msg_type(data=str(files['second'])))
    robot.ros.until(lambda: runs(robot, files['second']), 'the second policy')
    assert parameter(robot) == str(files['second'])


def test_disarmed_a_policy_is_swapped_without_a_command(robot, files):
    robot.command()
    robot.call('arm', data=False)
    robot.ros.until(lambda: list(robot.commands[-1].data) == [0.0], 'the fallback')
    swaps = int(robot.diagnostics().get('reset.swap', 0))
    robot.commands.clear()
    give(robot, files['second'])
    robot.ros.until(lambda: int(robot.diagnostics().get('reset.swap', 0)) > swaps, 'the swap')
    assert robot.no_command()
    robot.call('arm', data=True)
    assert runs(robot, files['second'])


BAD = {
    'damaged': 'damaged.safetensors',
    'cut': 'it is cut short: ',
    'shape': 'observation_names is [obs_0, obs_1, obs_2, obs_3, obs_4] instead of [slider/position,',
    'slower': 'control_period is 0.08 instead of 0.04',
    'absent': 'absent.safetensors',
}


@pytest.mark.parametrize('name', BAD)
def test_a_policy_that_cannot_go_on_is_refused_in_the_answer_and_leaves_no_trace(robot, files, name):
    before = robot.process.output
    result = robot.ros.set_parameters('policy_node', policy=str(files[name]))[0]
    assert not result.successful
    assert BAD[name] in result.reason
    assert parameter(robot) == str(files['first'])
    assert runs(robot, files['first'])
    assert '[ERROR]' not in robot.process.output[len(before) :]


@pytest.mark.parametrize('name', BAD)
def test_a_policy_of_the_trainer_that_cannot_go_on_is_refused_in_the_log(robot, files, name):
    failed = int(robot.diagnostics().get('swap.failed', 0))
    robot.updates.publish(robot.updates.msg_type(data=str(files[name])))
    robot.ros.until(lambda: int(robot.diagnostics().get('swap.failed', 0)) > failed, 'the refusal')
    assert BAD[name] in robot.diagnostics()['message']
    assert 'The old policy stays in use.' in robot.diagnostics()['message']
    assert (parameter(robot), runs(robot, files['first'])) == (str(files['first']), True)


@pytest.mark.parametrize('name', ['long', 'stranger', 'circle'])
def test_a_path_that_cannot_even_be_looked_up_is_refused_and_nothing_stops(robot, files, name):
    robot.updates.publish(robot.updates.msg_type(data=str(files[name])))
    refusal = f"the path '{files[name]}' cannot be resolved"
    robot.ros.until(lambda: refusal in robot.process.output, 'the refusal in the log')
    result = robot.ros.set_parameters('policy_node', policy=str(files[name]))[0]
    assert not result.successful
    assert refusal in result.reason
    assert runs(robot, files['first'])


def test_of_several_requests_for_a_policy_the_last_one_counts(robot, files):
    swaps = int(robot.diagnostics().get('reset.swap', 0))
    give_at_once(robot, [files[name] for name in ('large', 'first', 'large', 'second')])
    robot.ros.until(lambda: runs(robot, files['second']), 'the last one')
    robot.ros.spin(1.0)
    assert parameter(robot) == str(files['second'])
    assert runs(robot, files['second'])
    assert int(robot.diagnostics()['reset.swap']) == swaps + 1, 'those before were never in use'


def test_going_back_to_the_running_policy_calls_off_the_one_that_is_loading(robot, files):
    swaps = int(robot.diagnostics().get('reset.swap', 0))
    give_at_once(robot, [files['large'], files['first']])
    robot.ros.spin(2.0)
    assert parameter(robot) == str(files['first'])
    assert int(robot.diagnostics().get('reset.swap', 0)) == swaps


@pytest.mark.parametrize('name', ['outside', 'link'])
def test_files_elsewhere_are_refused_whatever_leads_to_them(robot, files, name):
    result = robot.ros.set_parameters('policy_node', policy=str(files[name]))[0]
    assert not result.successful
    assert 'is not in any of the folders from which policies are loaded' in result.reason
    robot.updates.publish(robot.updates.msg_type(data=str(files[name])))
    robot.ros.until(lambda: f"'{files[name]}' is not in any" in robot.process.output, 'the refusal in the log')
    assert runs(robot, files['first'])


@pytest.mark.parametrize('rate', [100, 500])
def test_under_load_every_state_gets_its_command_while_policies_are_swapped(robot, files, rate, tell):
    answered, sent = [], []
    robot.ros.node.create_subscription(VECTOR, 'command', lambda _: answered.append(time.monotonic()), 200)
    robot.ros.until(lambda: robot.command().any() and answered, 'the second listener')
    counts = robot.ros.counts_of('policy_node')
    before = robot.diagnostics()
    robot.commands.clear()

    def superseded():
        """States that were not answered: of those that wait behind a late one, the newest alone is."""
        return int((counts() or before)['superseded']) - int(before['superseded'])

    answered.clear()
    states = rate
    begun = time.monotonic()
    for tick in range(states):
        sent.append(time.monotonic())
        robot.publish(stamp=robot.now)
        if tick % (states // 4) == states // 8:
            name = 'second' if (tick // (states // 4)) % 2 else 'damaged'
            robot.updates.publish(robot.updates.msg_type(data=str(files[name])))
        robot.ros.spin(max(begun + (tick + 1) / rate - time.monotonic(), 0.0))
        # On a machine that is too slow for the rate, states would overflow the queues on their way.
        robot.ros.until(lambda tick=tick: len(robot.commands) + superseded() > tick - 50, 'the commands so far')
    robot.ros.until(lambda: len(robot.commands) + superseded() >= states, 'a command for every state')
    robot.ros.until(lambda: len(answered) == len(robot.commands), 'the second listener')
    after = robot.diagnostics()
    assert len(robot.commands) + int(after['superseded']) - int(before['superseded']) == states
    assert int(after['reset.swap']) > int(before.get('reset.swap', 0))
    assert after['drops'] == before['drops'] and after['faults'] == before['faults']
    if len(answered) == states:
        worst = 1e3 * max(back - there for there, back in zip(sent, answered, strict=True))
        tell(f'policies swapped at {rate} Hz: worst round trip {worst:.1f} ms, the turns of this busy process included')


def test_parameters_change_under_load_without_a_lost_command(robot):
    robot.commands.clear()
    counts, before = robot.ros.counts_of('policy_node'), robot.diagnostics()
    start = robot.now
    for tick in range(60):
        robot.publish(stamp=start + tick * MS)
        if tick % 20 == 10:
            changed = {'slew_rate': 50.0 + tick, 'ramp_s': 0.1}
            assert robot.ros.set_parameters('policy_node', **changed, atomically=True)[0].successful
        robot.ros.spin(0.01)

    def answered():
        """Commands, and the states that are left out when they wait behind a late one."""
        return len(robot.commands) + int((counts() or before)['superseded']) - int(before['superseded'])

    robot.ros.until(lambda: answered() >= 60, 'a command for every state')
    assert len(robot.commands) > 5
    sent = np.array([command.data[0] for command in robot.commands])
    assert np.isfinite(sent).all() and (np.abs(sent) <= 3.0).all()
    assert robot.ros.set_parameters('policy_node', slew_rate=[0.0], ramp_s=0.0, atomically=True)[0].successful


def test_states_are_answered_while_a_policy_loads(robot, files):
    sent = answered = 0
    for _ in range(20):  # a busy machine may stall this process for the whole time of a load
        robot.commands.clear()
        sent += publish_while_it_loads(robot, files['large'])
        answered += len(robot.commands)
        give(robot, files['first'])
        robot.ros.until(lambda: runs(robot, files['first']), 'the first policy again')
        if sent >= 5:
            break
    assert sent >= 5, 'this process was stalled in every load'
    assert answered >= max(4, sent // 10), 'loading on the control thread would leave hardly any'


def publish_while_it_loads(robot, path):
    """Ask for a policy, publish states until the node runs it, and return their number."""
    loaded = f'running the policy {path}'
    before, sent = robot.process.output.count(loaded), 0
    robot.updates.publish(robot.updates.msg_type(data=str(path)))

    def over():
        nonlocal sent
        if robot.process.output.count(loaded) > before:
            return True
        robot.publish()
        sent += 1
        robot.ros.spin(0.01)
        return False

    robot.ros.until(over, 'the large policy')
    return sent


def test_a_node_that_is_cleaned_up_while_it_loads_a_policy_lives_on(ros, files, tmp_path):
    path = tmp_path / 'policy.safetensors'
    path.write_bytes(files['first'].read_bytes())
    robot = Robot(ros, path).until_it_answers()
    path.write_bytes(files['large'].read_bytes())
    reload, change = (interface_class(name) for name in ('std_srvs/srv/Trigger', 'lifecycle_msgs/srv/ChangeState'))
    loader = ros.node.create_client(reload, 'policy_node/reload_policy')
    manager = ros.node.create_client(change, 'policy_node/change_state')
    ros.until(lambda: loader.service_is_ready() and manager.service_is_ready(), 'the services')
    answer = loader.call_async(reload.Request())
    ros.spin(0.05)  # the three requests come by three ways
    for label in ('deactivate', 'cleanup'):
        request = change.Request()
        request.transition.label = label
        done = manager.call_async(request)
    ros.until(lambda: answer.done() and done.done(), 'the answers')
    # Where the machine stalls between the requests, the policy is there before, or the clean-up.
    said = answer.result().message
    assert answer.result().success or 'cleaned up while the policy was loading' in said or 'configure it first' in said
    assert ros.transition('policy_node', 'configure')
    assert ros.transition('policy_node', 'activate')
    robot.until_it_answers()
    assert 'swap.failed' not in robot.diagnostics()


def test_without_a_policy_the_node_waits_for_the_first_one_of_the_trainer(ros, files):
    folder = f"policy_dirs:=['{files['first'].parent}']"
    process = ros.start('policy_node', *words('autostart:=true', 'follow_trainer:=true', 'engine:=numpy', folder))
    ros.until(lambda: 'waiting for the first policy on /policy_update' in process.output, 'the node')
    updates = ros.publisher('std_msgs/msg/String', 'policy_update', LATCHED.profile())
    updates.publish(updates.msg_type(data=str(files['first'])))
    status = ros.subscribe('diagnostic_msgs/msg/DiagnosticStatus', 'policy_node/status', LATCHED.profile())
    ros.until(lambda: status and 'disarmed' in status[-1].message, 'an active node')
    arrays = ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', '/diagnostics')
    ros.until(lambda: arrays, 'diagnostics')
    assert 'reset.swap' not in [pair.key for pair in arrays[-1].status[0].values]  # the same file once more is no swap
    process.signal(2)
    assert process.wait() == 0


def test_a_first_policy_from_elsewhere_ends_the_node_with_the_reason(ros, files):
    process = ros.start('policy_node', *words('autostart:=true', 'follow_trainer:=true'))
    updates = ros.publisher('std_msgs/msg/String', 'policy_update', LATCHED.profile())
    updates.publish(updates.msg_type(data=str(files['outside'])))
    assert process.wait() == 1
    assert 'is not in any of the folders' in process.output


def words(*parameters):
    return [word for text in parameters for word in ('-p', text)]
