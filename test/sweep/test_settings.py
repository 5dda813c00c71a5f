import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.errors import ConfigError
from velora_ros.sweep.plan import Sweep
from velora_ros.training.hyperparameters import TrainConfig

PENDULUM = 'InvertedPendulum-v5'


@given(seed=st.integers(0, 2**31), count=st.integers(1, 5))
def test_drawn_values_lie_in_their_ranges_and_are_whole_where_they_must_be(seed, count):
    sample = {
        'count': count,
        'seed': seed,
        'actor_lr': {'loguniform': [0.0001, 0.01]},
        'tau': {'uniform': [0.001, 0.02]},
        'n_neurons': {'uniform': [8, 12]},
        'buffer_size': {'loguniform': [200, 100000]},
        'critic_sizes': {'choice': [[32], [64, 64]]},
    }
    sweep = Sweep.parse({'env': PENDULUM, 'steps': 1000, 'sample': sample})
    assert 1 <= len(sweep.settings) <= count
    for setting in sweep.settings:
        assert 0.0001 <= setting['actor_lr'] <= 0.01 and 0.001 <= setting['tau'] <= 0.02
        assert setting['n_neurons'] in range(8, 13) and isinstance(setting['buffer_size'], int)
        assert setting['critic_sizes'] in ((32,), (64, 64))
    assert sweep == Sweep.parse({'env': PENDULUM, 'steps': 1000, 'sample': sample})


def test_values_that_depend_on_each_other_are_checked_together(load):
    drawn = load(grid={'batch_size': [32, 64]}, sample={'count': 9, 'buffer_size': {'uniform': [64, 120]}}).settings
    assert max(setting['buffer_size'] for setting in drawn) < TrainConfig().batch_size
    with pytest.raises(ConfigError, match='the first update needs 128'):
        load(grid={'batch_size': [32, 128]}, sample={'count': 9, 'buffer_size': {'uniform': [64, 120]}})


def test_loguniform_draws_small_and_large_numbers_alike(load):
    drawn = load(sample={'count': 200, 'actor_lr': {'loguniform': [0.0001, 0.01]}}).settings
    below = sum(setting['actor_lr'] < math.sqrt(0.0001 * 0.01) for setting in drawn)
    assert 70 < below < 130


def test_each_point_of_the_grid_gets_the_same_draws(load):
    sweep = load(grid={'n_critics': [1, 2]}, sample={'count': 3, 'tau': {'uniform': [0.001, 0.02]}})
    draws = [[one['tau'] for one in sweep.settings if one['n_critics'] == critics] for critics in (1, 2)]
    assert len(draws[0]) == 3 and draws[0] == draws[1]


def test_a_setting_that_comes_twice_is_trained_once(load):
    assert len(load(grid={'n_neurons': [10, 20, 10]}).settings) == 2
