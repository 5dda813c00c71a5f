from pathlib import Path
from typing import Any

import pytest

from velora_ros.errors import ConfigError
from velora_ros.training import TrainConfig
from velora_ros.utils import share_path


def test_an_integer_is_welcome_where_a_number_is() -> None:
    assert TrainConfig(gamma=1).gamma == 1.0
    assert isinstance(TrainConfig(noise_scale=0).noise_scale, float)


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


def test_every_shipped_preset_is_valid() -> None:
    presets = sorted(share_path('config', 'train').glob('*.yaml'))
    assert presets
    for preset in presets:
        TrainConfig.from_yaml(preset)
