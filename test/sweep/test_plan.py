"""The file of a sweep: what it may hold, what comes of it, and what bad ones are answered."""

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.errors import ConfigError, UnsupportedEnvironmentError
from velora_ros.sweep.plan import LONGEST_NAME, Sweep
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.presets import preset_path

PENDULUM = 'InvertedPendulum-v5'


@pytest.fixture
def load(tmp_path):
    """Return the sweep that a file with these entries holds; what is not named is a small valid sweep."""

    def from_entries(**entries):
        path = tmp_path / 'sweep.yaml'
        path.write_text(yaml.safe_dump({'env': PENDULUM, 'steps': 1000, **entries}))
        return Sweep.load(path)

    return from_entries


# --- what comes of it


def test_a_grid_is_trained_point_by_point_with_each_seed(load):
    sweep = load(seeds=[3, 5], grid={'n_neurons': [10, 20], 'tau': [0.01]})
    assert [trial.name for trial in sweep.trials()] == [
        f'n_neurons={neurons},tau=0.01-seed{seed}' for seed in (3, 5) for neurons in (10, 20)
    ]
    config = sweep.trials()[1].config
    assert (config.env, config.seed, config.total_steps) == (PENDULUM, 3, 1000)
    assert config.hyperparameters.n_neurons == 20


def test_what_is_not_named_comes_from_the_preset_and_fixed_wins_over_it(load):
    usual = TrainConfig.from_yaml(preset_path(PENDULUM))
    hyperparameters = load(fixed={'gamma': 0.9}).trials()[0].config.hyperparameters
    assert hyperparameters.gamma == 0.9
    assert hyperparameters.n_neurons == usual.n_neurons != TrainConfig().n_neurons
    robust = load(preset='robust', fixed={'eval_every': 500}).trials()[0].config.hyperparameters
    assert robust.period_jitter > 0


def test_without_anything_to_vary_there_is_one_trial_for_each_seed(load):
    assert [trial.name for trial in load(seeds='0-2').trials()] == [f'{PENDULUM}-seed{seed}' for seed in range(3)]


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
    with pytest.raises(ConfigError, match='no update comes before the replay holds 128'):
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


def test_settings_can_be_listed(load):
    sweep = load(settings=[{}, {'cell': 'gru', 'dt_input': False}, {'critic_sizes': [32, 32]}])
    assert sweep.labels() == [PENDULUM, 'cell=gru,dt_input=false', 'critic_sizes=32x32']


def test_names_too_long_for_a_folder_become_numbers(load):
    varied = {
        name: {'uniform': [0.1, 0.9]} for name in ('gamma', 'trace', 'sparsity', 'lr_final', 'boost_ratio', 'tau')
    }
    more = {name: {'uniform': [0.1, 0.9]} for name in ('noise_scale', 'target_noise', 'update_ratio', 'max_grad_norm')}
    labels = load(sample={'count': 2, **varied, **more}).labels()
    assert labels == ['setting-001', 'setting-002'] and len(labels[0]) < LONGEST_NAME


def test_a_written_sweep_is_read_back_with_everything_that_was_drawn(load, tmp_path):
    sweep = load(
        seeds=[0, 1],
        fixed={'critic_sizes': [32]},
        grid={'n_critics': [1, 2]},
        sample={'count': 3, 'actor_lr': {'loguniform': [0.0001, 0.01]}},
        scheduler={'asha': {'grace_steps': 100}},
        max_concurrent=2,
        rank_by='best',
    )
    sweep.save(tmp_path / 'again.yaml')
    assert Sweep.load(tmp_path / 'again.yaml').trials() == sweep.trials()
    assert 'loguniform' not in (tmp_path / 'again.yaml').read_text()
    assert Sweep.load(tmp_path / 'again.yaml').scheduler == sweep.scheduler


# --- what is refused, before anything starts


@pytest.mark.parametrize(
    ('entries', 'named'),
    [
        ({'seed': [1]}, "there is no entry 'seed'. Did you mean 'seeds'?"),
        ({'env': 5}, 'env is 5; it must be a valid string'),
        ({'steps': None}, 'steps is None; it must be an integer'),
        ({'steps': 0}, 'steps is 0; it must be greater than or equal to 1'),
        ({'steps': '1e4'}, "steps is '1e4'"),
        ({'env_args': {'reset_noise_scale': '1e-3'}}, 'YAML reads 1.0e-3 as a number'),
        ({'env_args': {'reset_noise_scale': math.inf}}, 'env_args holds inf, which is not finite'),
        ({'seeds': [1, 1]}, 'seeds is [1, 1]; it must not name a seed twice'),
        ({'seeds': '4-1'}, "seeds is '4-1'"),
        ({'seeds': [-1]}, 'seeds.0 is -1; it must be greater than or equal to 0'),
        ({'seeds': []}, 'seeds is []'),
        ({'preset': 'robost'}, "no preset 'robost'"),
        ({'fixed': {'gama': 0.9}}, "no hyperparameter 'gama'. Did you mean 'gamma'?"),
        ({'fixed': [1]}, "fixed is [1]; it must hold 'name: value' lines"),
        ({'fixed': {'n_episodes': 5}}, 'fixed: n_episodes cannot be set'),
        ({'fixed': {'eval_every': 0}}, 'eval_every is 0 and steps 1000'),
        ({'fixed': {'eval_every': 2000}}, 'eval_every is 2000 and steps 1000'),
        ({'grid': {'actr_lr': [0.1]}}, "no hyperparameter 'actr_lr'. Did you mean 'actor_lr'?"),
        ({'grid': {'tau': 0.1}}, 'grid.tau is 0.1; it must be a list'),
        ({'grid': {'tau': [0.1, 2]}}, 'tau is 2; it must be a number'),
        ({'grid': {'tau': ['1e-4']}}, "tau is '1e-4'; it must be a number"),
        ({'grid': {'tau': [0.1]}, 'fixed': {'tau': 0.2}}, 'tau is under fixed and under grid'),
        ({'grid': {'batch_size': [64, 100]}}, 'must be a multiple of sequence_length'),
        ({'sample': {'tau': {'uniform': [0.1, 0.2]}}}, 'sample.count is missing'),
        ({'sample': {'count': 2, 'tauu': {'uniform': [0.1, 0.2]}}}, "no hyperparameter 'tauu'"),
        (
            {'sample': {'count': 2, 'tau': {'normal': [0.1, 0.2]}}},
            "sample.tau: there is no entry 'normal'. Did you mean 'uniform'? Valid: choice, loguniform",
        ),
        ({'sample': {'count': 2, 'tau': {'uniform': [0.2, 0.1]}}}, 'the lower one first'),
        ({'sample': {'count': 2, 'tau': {'uniform': ['1e-4', 0.1]}}}, '1.0e-4 as a number'),
        ({'sample': {'count': 2, 'tau': {'uniform': [0.1, 2]}}}, 'tau is 2.0; it must be a number'),
        ({'sample': {'count': 2, 'tau': {'loguniform': [0, 0.1]}}}, 'it must begin above 0'),
        ({'sample': {'count': 2, 'n_neurons': {'uniform': [8.5, 12]}}}, 'two integers'),
        ({'sample': {'count': 1, 'cell': {'choice': ['cfc', 'lstm']}}}, "cell is 'lstm'"),
        ({'settings': [{'tau': 0.1}], 'grid': {'tau': [0.1]}}, 'settings cannot be combined with grid or sample'),
        ({'settings': {'tau': 0.1}}, "settings is {'tau': 0.1}; it must be a list"),
        ({'scheduler': 'hyperband'}, "scheduler is 'hyperband'; it must be asha, or {asha: {grace_steps: N"),
        (
            {'scheduler': {'asha': {'grace': 5}}},
            "scheduler.asha: there is no entry 'grace'. Did you mean 'grace_steps'?",
        ),
        (
            {'scheduler': {'asha': {'grace_steps': 1000}}},
            'scheduler.asha.grace_steps is 1000; it must be below steps, 1000',
        ),
        (
            {'scheduler': {'asha': {'reduction_factor': 1}}},
            'scheduler.asha.reduction_factor is 1; it must be greater than 1',
        ),
        ({'cpus_per_trial': 0}, 'cpus_per_trial is 0'),
        ({'max_concurrent': True}, 'max_concurrent is True'),
        ({'rank_by': 'mean'}, "rank_by is 'mean'; it must be 'last' or 'best'"),
        ({'control_period': -1}, 'control_period is -1'),
    ],
)
def test_an_invalid_entry_is_named(load, entries, named):
    with pytest.raises(ConfigError) as caught:
        load(**entries)
    assert named in str(caught.value)
    assert 'sweep.yaml' in str(caught.value)


@pytest.mark.parametrize(('env', 'named'), [('InvertedPendulm-v5', 'Did you mean'), ('CartPole-v1', 'Discrete')])
def test_an_environment_that_cannot_be_learnt_is_refused(load, env, named):
    with pytest.raises(UnsupportedEnvironmentError, match=named):
        load(env=env)
