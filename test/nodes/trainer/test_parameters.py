"""The parameters of trainer_node: defaults, presets, and what may change during training."""

import pytest

from velora_ros.errors import ConfigError
from velora_ros.nodes.trainer import parameters as table
from velora_ros.training.hyperparameters import LIVE, TrainConfig
from velora_ros.training.recipe import recipe


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


def test_contradicting_hyperparameters_are_refused():
    values = {row.name: row.default for row in table.PARAMETERS}
    with pytest.raises(ConfigError, match='multiple of sequence_length'):
        table.hyperparameters_of({**values, 'batch_size': 100})


def test_parameters_that_cannot_change_during_a_training_say_why():
    values = {row.name: row.default for row in table.PARAMETERS}
    for name in table.HYPERPARAMETERS:
        if name in LIVE:
            table.refuse_changes(values, {**values, name: 0.5})
        else:
            with pytest.raises(ConfigError, match=f"'{name}' cannot change during training: .*Call ~/stop"):
                table.refuse_changes(values, {**values, name: 'another'})
