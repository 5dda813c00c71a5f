import argparse
import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import Reach

from velora_ros.cli.arguments import add_hyperparameters
from velora_ros.errors import ConfigError
from velora_ros.gym import Disturbances
from velora_ros.models import LiquidDDPG
from velora_ros.nodes.trainer.parameters import PARAMETERS
from velora_ros.training import TrainConfig
from velora_ros.training.env_args import read_keyword
from velora_ros.training.hyperparameters import fields
from velora_ros.training.presets import preset_path
from velora_ros.utils.shipped_files import share_path


def test_signatures_flags_parameters_and_docs_have_every_hyperparameter() -> None:
    """Nothing but the dataclass lists them: what is added there is everywhere."""
    parser = argparse.ArgumentParser()
    add_hyperparameters(parser.add_argument_group())
    flags = {action.dest for action in parser._actions}
    ros = {row.name: row for row in PARAMETERS}
    docs = Path(__file__).parents[2].joinpath('docs', 'hyperparameters.md').read_text(encoding='utf-8')
    disturbances = inspect.signature(Disturbances).parameters
    functions: dict[str, Any] = {'agent': LiquidDDPG, 'train': LiquidDDPG.train}
    for item in fields():
        if item.metadata['group'] == 'env':
            assert disturbances[item.name].default == item.default, item.name
        else:
            function = functions[item.metadata['group']]
            shown = inspect.signature(function).parameters[item.name]
            assert shown.default == item.default or shown.default is inspect.Parameter.empty, item.name
            assert re.search(rf'^ *{item.name}: ', function.__doc__, re.MULTILINE), item.name
        assert item.name in flags or item.name == 'n_episodes', item.name
        if item.name not in ('n_episodes', 'window_size'):
            default = list(item.default) if isinstance(item.default, tuple) else item.default
            assert ros[item.name].default == default, item.name
            assert ros[item.name].unit == item.metadata['unit'], item.name
        assert f'| `{item.name}` |' in docs, item.name
        assert not item.metadata['help'].endswith('.'), item.name


def test_arguments_reach_the_training_whether_the_signature_names_them_or_not() -> None:
    model = LiquidDDPG(2, 4, 1, buffer_size=50, actor_lr=2e-4, critic_lr=2e-3, n_critics=2)
    given = {
        'n_episodes': 1,
        'max_steps': 3,
        'noise_scale': 0.2,
        'gamma': 0.9,
        'tau': 0.1,
        'window_size': 7,
        'trace': 0.3,
    }
    model.train(Reach(), 8, **given, progress=False)
    agent, train = model.arguments(), model.agent.provenance['train']
    assert [agent[name] for name in ('buffer_size', 'actor_lr', 'critic_lr', 'n_critics')] == [50, 2e-4, 2e-3, 2]
    assert {name: train[name] for name in given} == given


def test_an_unknown_argument_is_a_type_error_with_the_nearest_name() -> None:
    with pytest.raises(TypeError, match=r"LiquidDDPG\(\) got an unexpected keyword argument 'polcy_tau'. Did you mean"):
        LiquidDDPG(2, 4, 1, polcy_tau=0.1)
    with pytest.raises(TypeError, match=r"train\(\) got an unexpected keyword argument 'sparsity'"):
        LiquidDDPG(2, 4, 1).train(Reach(), 8, sparsity=0.1)


def test_an_integer_is_welcome_where_a_number_is() -> None:
    assert TrainConfig(gamma=1).gamma == 1.0
    assert isinstance(TrainConfig(noise_scale=0).noise_scale, float)


def test_numpys_numbers_are_welcome_and_become_pythons() -> None:
    config = TrainConfig(
        n_neurons=np.int64(10), gamma=np.float32(0.5), dt_input=np.bool_(False), critic_sizes=(np.int32(8),)
    )
    assert config == TrainConfig(n_neurons=10, gamma=0.5, dt_input=False, critic_sizes=(8,))
    assert [type(value) for value in (config.n_neurons, config.gamma, config.dt_input)] == [int, float, bool]
    assert type(config.critic_sizes[0]) is int


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'gama': 0.9}, "no hyperparameter 'gama'. Did you mean 'gamma'"),
        ({'gamma': '1e-4'}, "gamma is '1e-4'; it must be a number"),
        ({'gamma': float('nan')}, 'gamma is nan'),
        ({'tau': 0}, 'tau is 0; it must be a number, above 0 and at most 1'),
        ({'n_neurons': 1}, 'n_neurons is 1; it must be an integer, at least 2'),
        ({'n_neurons': True}, 'n_neurons is True'),
        ({'normalise': 'yes'}, "normalise is 'yes'; it must be true or false"),
        ({'critic_sizes': []}, 'critic_sizes is'),
        ({'batch_size': 100}, 'must be a multiple of sequence_length'),
        ({'buffer_size': 127}, 'buffer_size is 127, but the first update needs 128 transitions'),
        ({'buffer_size': 50, 'batch_size': 8, 'burn_in': 43}, 'needs 51 transitions'),
        ({'critic_neurons': 1}, 'critic_neurons is 1; it must be at least 2'),
        ({'n_neurons': np.float64(10.5)}, 'it must be an integer'),
        ({'action_delay': [1]}, 'action_delay is [1]; it must be two numbers, in control periods'),
        ({'period_jitter': 1.5}, 'period_jitter is 1.5; it must be a number, at least 0 and at most 1'),
    ],
)
def test_what_is_not_valid_is_refused_with_what_would_be(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict(values)
    assert message in str(caught.value)


def test_a_file_that_is_no_mapping_or_no_yaml_is_refused_by_name(tmp_path: Path) -> None:
    for text in ('- a\n', 'a: [', 'gamma: 2.0'):
        path = tmp_path / 'preset.yaml'
        path.write_text(text)
        with pytest.raises(ConfigError, match=r'preset\.yaml|gamma'):
            TrainConfig.from_yaml(path)
    with pytest.raises(ConfigError, match='cannot be read'):
        TrainConfig.from_yaml(tmp_path / 'none.yaml')


def test_the_disturbances_of_the_environment_are_hyperparameters() -> None:
    config = TrainConfig(period_jitter=0.5, action_delay=(0, 1), positions_only=True)
    assert config.disturbances() == Disturbances(period_jitter=0.5, action_delay=(0, 1), positions_only=True)
    assert TrainConfig().disturbances() == Disturbances()
    assert 'period_jitter' not in {**config.agent_arguments(), **config.train_arguments()}


def test_a_preset_is_found_by_environment_and_name() -> None:
    tuned = preset_path('InvertedPendulum-v5', 'tuned')
    assert tuned.name == 'InvertedPendulum-v5-tuned.yaml'
    assert tuned.is_file()
    with pytest.raises(ConfigError, match=r"no preset 'robost' for 'InvertedPendulum-v5'; the valid .* are .*robust"):
        preset_path('InvertedPendulum-v5', 'robost')


def test_every_shipped_preset_is_valid() -> None:
    presets = sorted(share_path('config', 'train').glob('*.yaml'))
    assert presets
    for preset in presets:
        TrainConfig.from_yaml(preset)


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('1e-3', 1e-3),
        ('-2E+5', -2e5),
        ('1.5e-3', 1.5e-3),
        ("'1e-3'", '1e-3'),
        ('7', 7),
        ('true', True),
        ('', None),
        ('go1.xml', 'go1.xml'),
        ('a=b', 'a=b'),
        ('1e', '1e'),
        ("'2026-01-01'", '2026-01-01'),
        ('{x: [1, 2e3]}', {'x': [1, 2e3]}),
    ],
)
def test_the_value_of_a_keyword_is_what_everybody_means_by_it(text: str, value: Any) -> None:
    assert read_keyword(f'name={text}') == ('name', value)
    assert type(read_keyword(f'name={text}')[1]) is type(value)
