"""The parameters of trainer_node: defaults, presets, and what may change during training."""

import subprocess
import sys

import pytest

from velora_ros.errors import ConfigError
from velora_ros.nodes.trainer import parameters as table
from velora_ros.training.hyperparameters import LIVE, TrainConfig
from velora_ros.training.recipe import named_hyperparameters, recipe, task_steps


def test_every_hyperparameter_is_a_parameter_with_the_default_of_the_class():
    rows = {row.name: row for row in table.PARAMETERS}
    defaults = TrainConfig()
    for name in table.HYPERPARAMETERS:
        value = getattr(defaults, name)
        assert rows[name].default == (list(value) if isinstance(value, tuple) else value)
    values = {row.name: row.default for row in table.PARAMETERS}
    assert table.hyperparameters_of(values) == TrainConfig(n_episodes=values['total_steps'])


def test_defaults_come_from_the_recipe_or_a_preset():
    for name in ('InvertedPendulum-v5', 'Nothing-v0'):
        values = {row.name: row.default for row in table.with_preset(name)}
        assert table.hyperparameters_of(values) == TrainConfig(**recipe(name), n_episodes=values['total_steps'])
    robust = {row.name: row.default for row in table.with_preset('InvertedPendulum-v5', 'robust')}
    assert robust['period_jitter'] > 0
    assert robust['action_delay'] == [0, 1]


@pytest.mark.parametrize(('task', 'preset'), [('quadruped', ''), ('rover', ''), ('rover', 'tuned')])
def test_a_task_is_trained_with_what_the_command_line_chooses(task, preset):
    values = {row.name: row.default for row in table.with_preset(task, preset)}
    chosen, _ = named_hyperparameters(task, preset)
    steps = task_steps(task)
    assert values['total_steps'] == steps
    assert table.hyperparameters_of(values) == TrainConfig.from_dict({**chosen, 'n_episodes': steps})


def test_an_environment_of_a_module_has_the_discount_of_its_time_limit(tmp_path, monkeypatch):
    text = "import gymnasium\nprint('loaded')\ngymnasium.register('Brief-v0', 'gymnasium:Env', max_episode_steps=200)\n"
    (tmp_path / 'registers_brief.py').write_text(text)
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=':')
    gamma = next(row.default for row in table.with_preset('registers_brief:Brief-v0') if row.name == 'gamma')
    assert gamma == pytest.approx(0.975)
    assert 'registers_brief' not in sys.modules


def test_the_task_of_a_user_is_loaded_in_another_process(tmp_path):
    (tmp_path / 'robot.py').write_text('import os\n\nos._exit(7)\n')
    with pytest.raises(ConfigError, match=r"'.*robot.py' cannot be loaded: its process ended with status 7"):
        table.with_preset(str(tmp_path / 'robot.py'))
    with pytest.raises(ConfigError, match=r"there is no preset 'robost' for 'rover'; the valid presets are tuned"):
        table.with_preset('rover', 'robost')
    code = (
        "import sys; from velora_ros.nodes.trainer.recipe_in_process import find_defaults as f; f('rover'); "
        "sys.exit('mujoco' in sys.modules)"
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0


def test_contradicting_hyperparameters_are_refused():
    values = {row.name: row.default for row in table.PARAMETERS}
    with pytest.raises(ConfigError, match='multiple of sequence_length'):
        table.hyperparameters_of({**values, 'batch_size': 100})


def test_a_ratio_of_updates_that_has_no_effect_is_refused():
    values = {row.name: row.default for row in table.PARAMETERS} | {'samples_per_transition': 16.0}
    with pytest.raises(ConfigError, match="'update_ratio' has no effect, because samples_per_transition replaces it"):
        table.refuse_changes(values, {**values, 'update_ratio': 2.0})
    table.refuse_changes(values, {**values, 'noise_scale': 0.1})


def test_parameters_that_cannot_change_during_a_training_say_why():
    values = {row.name: row.default for row in table.PARAMETERS}
    for name in table.HYPERPARAMETERS:
        if name in LIVE:
            table.refuse_changes(values, {**values, name: 0.5})
        else:
            with pytest.raises(ConfigError, match=f"'{name}' cannot change during training: .*Call ~/stop"):
                table.refuse_changes(values, {**values, name: 'another'})
