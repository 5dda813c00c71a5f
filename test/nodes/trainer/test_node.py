"""Training as a node, with a real training process behind it; the runs are as short as possible."""

import os
import signal
from pathlib import Path

import pytest
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from ros_bench import SOURCE

from velora_ros.policy import PolicyFile

DIAGNOSTICS = 'diagnostic_msgs/msg/DiagnosticArray'
NUMBER = 'std_msgs/msg/Float64'
SET_BOOL = 'std_srvs/srv/SetBool'
TRIGGER = 'std_srvs/srv/Trigger'
SHORT = {'start_steps': 50, 'boost_ratio': 1.0, 'eval_every': 100, 'eval_episodes': 1, 'n_neurons': 6}
# A training run that goes on until the test has seen enough, in no hurry.
ENDLESS = {'env': 'unhurried:UnhurriedPendulum-v0', 'total_steps': 10_000_000, 'eval_every': 0}
LATCHED = QoSProfile(depth=20, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)  # no announcement replaces another


def parameters(**values):
    text = {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items()}
    return [word for name, value in text.items() for word in ('-p', f'{name}:={value}')]


def children(pid):
    return [int(child) for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


def is_gone(pid):
    return not Path(f'/proc/{pid}').exists()


def diagnosis(ros):
    """The node's next diagnostics, each value a string."""
    arrays = ros.subscribe(DIAGNOSTICS, '/diagnostics')
    status = ros.until(lambda: arrays and arrays[0].status[0], 'diagnostics')
    level = {b'\0': 'ok', b'\1': 'warn', b'\2': 'error'}[status.level]
    return {pair.key: pair.value for pair in status.values} | {'message': status.message, 'level': level}


@pytest.fixture
def trainer(ros, tmp_path):
    search = os.pathsep.join(map(str, (SOURCE, SOURCE / 'test')))

    def start(**values):
        given = parameters(run_dir=tmp_path / 'run', **{**SHORT, **values})
        return ros.start('trainer_node', *given, PYTHONPATH=search)

    return start


@pytest.mark.ros
def test_a_training_publishes_its_progress_and_writes_the_policy(ros, trainer, tmp_path):
    process = trainer(total_steps=1_100, announce_untrained=True, out=tmp_path / 'out.safetensors')
    returns = ros.subscribe(NUMBER, 'trainer_node/episode_return')
    metrics = ros.subscribe(DIAGNOSTICS, 'trainer_node/metrics')
    policies = ros.subscribe('std_msgs/msg/String', 'trainer_node/policy', LATCHED)
    begun = ros.call(TRIGGER, 'trainer_node/start')
    again = ros.call(TRIGGER, 'trainer_node/start')
    assert (again.success, again.message) == (False, 'already training; call ~/stop first.')
    assert begun.success or begun == again, 'a lost answer is asked for again, but a start is never refused otherwise'
    ros.until(lambda: 'done: 1100 steps' in process.output)
    assert returns
    assert {'critic_loss', 'updates', 'actor_lr'} <= {pair.key for pair in metrics[-1].status[0].values}
    folder = tmp_path / 'run' / 'policies'
    best, untrained = str(folder / 'best.safetensors'), str(folder / 'untrained.safetensors')
    assert [policies[0].data, policies[-1].data] == [untrained, best]
    late = ros.subscribe('std_msgs/msg/String', 'trainer_node/policy', LATCHED)
    ros.until(lambda: late)
    assert late[0].data == best
    assert PolicyFile.load(untrained).environment == PolicyFile.load(best).environment == 'InvertedPendulum-v5'
    assert PolicyFile.load(tmp_path / 'out.safetensors').digest == PolicyFile.load(best).digest
    assert (tmp_path / 'run' / 'learning_curve.png').is_file()
    for service, kind, fields in (('stop', TRIGGER, {}), ('save', TRIGGER, {}), ('pause', SET_BOOL, {'data': True})):
        answer = ros.call(kind, f'trainer_node/{service}', **fields)
        assert not answer.success
        assert answer.message.startswith(f'cannot {service}: the state is done; it must be training')
    process.signal(signal.SIGINT)
    assert process.wait() == 0


@pytest.mark.ros
def test_pause_save_and_stop(ros, trainer, tmp_path):
    process = trainer(autostart=True, **ENDLESS)
    returns = ros.subscribe(NUMBER, 'trainer_node/episode_return')
    ros.until(lambda: returns, 'the first episode')
    assert 'libtorch' not in Path(f'/proc/{process.pid}/maps').read_text()
    for data, message in ((True, 'paused'), (True, 'paused'), (False, 'training'), (True, 'paused')):
        answer = ros.call(SET_BOOL, 'trainer_node/pause', data=data)
        assert (answer.success, answer.message) == (True, message)
    seen = ros.until_quiet(returns, 0.5)
    assert diagnosis(ros)['state'] == 'paused'
    assert ros.call(SET_BOOL, 'trainer_node/pause', data=False).success
    ros.until(lambda: len(returns) > seen)
    answer = ros.call(TRIGGER, 'trainer_node/save')
    assert answer.message == 'a checkpoint will be written at the end of the current episode'
    ros.until(lambda: 'checkpoint' in diagnosis(ros), 'the checkpoint in the diagnostics')
    assert Path(diagnosis(ros)['checkpoint']).is_file()
    answer = ros.call(TRIGGER, 'trainer_node/stop')
    assert answer.message == f'stopping; the results are in {tmp_path / "run"}'
    ros.until(lambda: 'stopped on request' in process.output, 'the end of the training')
    refused = ros.call(TRIGGER, 'trainer_node/start')
    assert (refused.success, 'which is not overwritten' in refused.message) == (False, True)
    [result] = ros.set_parameters('trainer_node', resume=True)
    assert result.successful
    answer = ros.call(TRIGGER, 'trainer_node/start')
    assert (answer.success, f'resuming {tmp_path / "run"}' in answer.message) == (True, True)
    seen = len(returns)
    ros.until(lambda: len(returns) > seen, 'an episode of the resumed training')
    [child] = children(process.pid)
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert is_gone(child)
    assert (tmp_path / 'run' / 'policies' / 'last.safetensors').is_file()


@pytest.mark.ros
def test_a_signal_before_the_first_step_ends_the_node_cleanly(ros, trainer, tmp_path):
    process = trainer(autostart=True, exit_when_done=True, total_steps=10_000_000)
    ros.until(lambda: 'training: InvertedPendulum-v5' in process.output, 'the training process')
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    assert 'done: 0 steps in 0 s, stopped on request before it began' in process.output


@pytest.mark.ros
def test_live_hyperparameters_change_with_the_next_episode_and_the_others_say_why_not(ros, trainer):
    process = trainer(**ENDLESS)
    [result] = ros.set_parameters('trainer_node', n_neurons=8)
    assert result.successful
    assert ros.call(TRIGGER, 'trainer_node/start').success
    for result in ros.set_parameters(
        'trainer_node', noise_scale=0.125, actor_lr=0.0002, critic_lr=0.002, update_ratio=2
    ):
        assert result.successful
    # Before torch is loaded there is no episode yet; set one by one, they arrive together.
    ros.until(lambda: 'noise_scale 0.125, actor_lr 0.0002, critic_lr 0.002, update_ratio 2 from step' in process.output)
    assert diagnosis(ros)['noise_scale'] == '0.125'
    for change, reason in (
        ({'n_neurons': 9}, 'networks, optimisers and replay are created at its start'),
        ({'gamma': 0.9}, 'it applies from the first step to the last'),
        ({'dropped_frames': 0.1}, 'its environments are created at its start'),
        ({'total_steps': 5}, 'it determines what is trained'),
        ({'noise_scale': -1.0}, 'it must be at least 0'),
        ({'noise_scal': 0.1}, "Did you mean 'noise_scale'?"),
    ):
        [result] = ros.set_parameters('trainer_node', **change)
        assert not result.successful
        assert reason in result.reason
    assert diagnosis(ros)['noise_scale'] == '0.125'


@pytest.mark.ros
def test_the_death_of_the_training_process_is_reported(ros, trainer):
    process = trainer(autostart=True, **ENDLESS)
    returns = ros.subscribe(NUMBER, 'trainer_node/episode_return')
    ros.until(lambda: returns, 'the first episode')
    os.kill(children(process.pid)[0], signal.SIGKILL)
    ros.until(lambda: 'failed: the training process was killed by SIGKILL after' in process.output)
    values = diagnosis(ros)
    assert (values['level'], values['state'], values['process'], values['deaths']) == ('error', 'failed', 'none', '1')
    assert "set 'resume' to true and call ~/start to resume from the newest checkpoint" in values['message']


@pytest.mark.ros
def test_a_training_that_fails_without_a_policy_ends_the_node_if_others_wait_for_one(ros, trainer):
    process = trainer(autostart=True, **ENDLESS, exit_when_failed=True)
    ros.until(lambda: 'training: ' in process.output and children(process.pid), 'the training process')
    os.kill(children(process.pid)[0], signal.SIGKILL)
    assert process.wait() == 1
    assert 'failed: the training process was killed by SIGKILL after 0 steps' in process.output


@pytest.mark.ros
def test_with_resume_on_death_another_process_resumes_from_the_newest_checkpoint(ros, trainer, tmp_path):
    process = trainer(autostart=True, **ENDLESS, resume_on_death=True, actor_lr=0.0001)
    returns = ros.subscribe(NUMBER, 'trainer_node/episode_return')
    ros.until(lambda: returns, 'the first episode')
    [result] = ros.set_parameters('trainer_node', actor_lr=0.0003)
    assert result.successful
    steps = int(diagnosis(ros)['steps'])
    assert steps > 0
    earlier = process.output.count('checkpoint /')
    assert ros.call(TRIGGER, 'trainer_node/save').success
    ros.until(lambda: process.output.count('checkpoint /') > earlier, 'a checkpoint')
    [child] = children(process.pid)
    os.kill(child, signal.SIGKILL)
    ros.until(lambda: 'resuming: the training process was killed by SIGKILL after' in process.output)
    assert ros.call(SET_BOOL, 'trainer_node/pause', data=True).message.startswith('cannot pause: the state is resuming')
    seen = len(returns)
    ros.until(lambda: len(returns) > seen, 'an episode of the second process')
    values = diagnosis(ros)
    assert (values['state'], values['deaths']) == ('training', '1')
    assert int(values['steps']) >= steps, 'from the checkpoint, not from the beginning'
    assert values['process'] != str(child)
    assert values['actor_lr'] == '0.0003'


@pytest.mark.ros
def test_a_process_that_dies_without_progress_is_not_restarted_forever(ros, trainer):
    process = trainer(autostart=True, **ENDLESS, resume_on_death=True)
    for _ in range(2):
        ros.until(lambda: 'training: ' in process.output and children(process.pid), 'a training process')
        os.kill(children(process.pid)[0], signal.SIGKILL)
        ros.until(lambda: 'killed by SIGKILL after 0 steps' in process.output)
        ros.spin(0.3)
    ros.until(lambda: 'again without any progress' in process.output)
    assert not children(process.pid)


@pytest.mark.ros
def test_with_a_rival_only_better_policies_are_announced(ros, trainer):
    process = trainer(autostart=True, total_steps=200, rival='InvertedPendulum-v5')
    policies = ros.subscribe('std_msgs/msg/String', 'trainer_node/policy', LATCHED)
    ros.until(lambda: 'done: 200 steps' in process.output)
    assert 'policies are announced if their return is above' in process.output
    assert 'step 200: return' in process.output
    assert not policies


@pytest.mark.ros
def test_the_training_process_ends_with_a_killed_node(ros, trainer):
    process = trainer(autostart=True, **ENDLESS)
    returns = ros.subscribe(NUMBER, 'trainer_node/episode_return')
    ros.until(lambda: returns, 'the first episode')
    [child] = children(process.pid)
    process.signal(signal.SIGKILL)
    ros.until(lambda: is_gone(child), 'the end of the training')


@pytest.mark.ros
@pytest.mark.parametrize(
    ('values', 'words'),
    [
        ({'env': 'Nothing-v0', 'autostart': True, 'exit_when_done': True}, "there is no environment 'Nothing-v0'"),
        ({'batch_size': 100}, 'multiple of sequence_length'),
        ({'actor_lr': 'fast'}, "parameter 'actor_lr' is 'fast'"),
        ({'n_neuron': 5}, "Did you mean 'n_neurons'?"),
    ],
)
def test_an_invalid_training_is_refused_with_the_reason(trainer, values, words):
    process = trainer(**values)
    assert process.wait() == 1
    assert words in process.output
