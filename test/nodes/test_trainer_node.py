"""Training as a node, with a real training process behind it; the trainings are as short as can be."""

import os
import signal
from pathlib import Path

import pytest
from rclpy.qos import QoSDurabilityPolicy, QoSProfile

from velora_ros.errors import ConfigError
from velora_ros.nodes import trainer_node_parameters as table
from velora_ros.policy import PolicyFile
from velora_ros.training.config import TrainConfig

NUMBER = 'std_msgs/msg/Float64'
TRIGGER = 'std_srvs/srv/Trigger'
SHORT = {'start_steps': 50, 'boost_ratio': 1.0, 'eval_every': 100, 'eval_episodes': 1, 'n_neurons': 6}
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


def parameters(**values):
    text = {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items()}
    return [word for name, value in text.items() for word in ('-p', f'{name}:={value}')]


def children(pid):
    return [int(child) for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


def is_gone(pid):
    return not Path(f'/proc/{pid}').exists()


@pytest.fixture
def trainer(ros, tmp_path):
    return lambda **values: ros.start('trainer_node', *parameters(run_dir=tmp_path / 'run', **{**SHORT, **values}))


def test_every_hyperparameter_is_a_parameter_with_the_default_of_the_class():
    rows = {row.name: row for row in table.PARAMETERS}
    defaults = TrainConfig()
    for name in table.HYPERPARAMETERS:
        value = getattr(defaults, name)
        assert rows[name].default == (list(value) if isinstance(value, tuple) else value)
    values = {row.name: row.default for row in table.PARAMETERS}
    assert table.config_of(values) == TrainConfig(n_episodes=values['total_steps'])


def test_defaults_come_from_the_preset_of_the_environment():
    with_preset = {row.name: row.default for row in table.with_preset('InvertedPendulum-v5')}
    without = {row.name: row.default for row in table.with_preset('Nothing-v0')}
    assert with_preset['normalise'] is True
    assert without == {row.name: row.default for row in table.PARAMETERS}
    robust = {row.name: row.default for row in table.with_preset('InvertedPendulum-v5', 'robust')}
    assert robust['period_jitter'] > 0
    assert robust['action_delay'] == [0, 1]


def test_hyperparameters_that_do_not_fit_each_other_are_refused():
    values = {row.name: row.default for row in table.PARAMETERS}
    with pytest.raises(ConfigError, match='multiple of sequence_length'):
        table.config_of({**values, 'batch_size': 100})


@pytest.mark.ros
def test_a_training_publishes_its_progress_and_writes_the_policy(ros, trainer, tmp_path):
    process = trainer(total_steps=300)
    returns = ros.subscribe(NUMBER, 'trainer_node/episode_return')
    metrics = ros.subscribe('diagnostic_msgs/msg/DiagnosticArray', 'trainer_node/metrics')
    assert ros.call(TRIGGER, 'trainer_node/start').success
    assert not ros.call(TRIGGER, 'trainer_node/start').success
    ros.until(lambda: 'done: 300 steps' in process.output)
    assert returns
    assert 'critic_loss' in [pair.key for pair in metrics[-1].status[0].values]
    late = ros.subscribe('std_msgs/msg/String', 'trainer_node/policy', LATCHED)
    ros.until(lambda: late)
    file = PolicyFile.load(late[0].data)
    assert late[0].data == str(tmp_path / 'run' / 'policy.safetensors')
    assert file.environment == 'InvertedPendulum-v5'
    assert (tmp_path / 'run' / 'learning_curve.png').is_file()
    assert not ros.call(TRIGGER, 'trainer_node/stop').success
    process.signal(signal.SIGINT)
    assert process.wait() == 0


@pytest.mark.ros
def test_services_reach_the_training_and_its_death_is_noticed(ros, trainer, tmp_path):
    process = trainer(autostart=True, total_steps=10_000_000, eval_every=0)
    returns = ros.subscribe(NUMBER, 'trainer_node/episode_return')
    ros.until(lambda: returns, 'the first episode')
    assert 'libtorch' not in Path(f'/proc/{process.pid}/maps').read_text()
    assert ros.call('std_srvs/srv/SetBool', 'trainer_node/pause', data=True).success
    ros.spin(0.5)
    seen = len(returns)
    ros.spin(0.5)
    assert len(returns) == seen
    assert ros.call('std_srvs/srv/SetBool', 'trainer_node/pause', data=False).success
    ros.until(lambda: len(returns) > seen)
    assert ros.call(TRIGGER, 'trainer_node/save').success
    ros.until((tmp_path / 'run' / 'agent.safetensors').exists, 'the checkpoint')
    os.kill(children(process.pid)[0], signal.SIGKILL)
    ros.until(lambda: 'the training process was killed by signal 9' in process.output)
    assert ros.call(TRIGGER, 'trainer_node/start').success
    [child] = children(process.pid)
    seen = len(returns)
    ros.until(lambda: len(returns) > seen, 'an episode of the second training')
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert is_gone(child)
    assert (tmp_path / 'run' / 'policy.safetensors').is_file()


@pytest.mark.ros
def test_a_killed_node_takes_its_training_along(ros, trainer):
    process = trainer(autostart=True, total_steps=10_000_000, eval_every=0)
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
def test_what_cannot_be_trained_is_refused_with_the_reason(trainer, values, words):
    process = trainer(**values)
    assert process.wait() == 1
    assert words in process.output
