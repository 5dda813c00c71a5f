import pytest

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.sweep.plan import LONGEST_NAME, Sweep
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.recipe import recipe

PENDULUM = 'InvertedPendulum-v5'


def test_a_grid_is_trained_point_by_point_with_each_seed(load):
    sweep = load(seeds=[3, 5], grid={'n_neurons': [10, 20], 'tau': [0.01]})
    assert [trial.name for trial in sweep.trials()] == [
        f'n_neurons={neurons},tau=0.01-seed{seed}' for seed in (3, 5) for neurons in (10, 20)
    ]
    config = sweep.trials()[1].config
    assert (config.env, config.seed, config.total_steps) == (PENDULUM, 3, 1000)
    assert config.hyperparameters.n_neurons == 20


def test_what_is_not_named_comes_from_the_recipe_or_a_preset_and_fixed_wins_over_it(load):
    usual = TrainConfig.from_dict(recipe(PENDULUM))
    hyperparameters = load(fixed={'gamma': 0.9}).trials()[0].config.hyperparameters
    assert hyperparameters.gamma == 0.9
    assert hyperparameters.n_neurons == usual.n_neurons != TrainConfig().n_neurons
    robust = load(preset='robust', fixed={'eval_every': 500}).trials()[0].config.hyperparameters
    assert robust.period_jitter > 0


def test_without_anything_to_vary_there_is_one_trial_for_each_seed(load):
    assert [trial.name for trial in load(seeds='0-2').trials()] == [f'{PENDULUM}-seed{seed}' for seed in range(3)]


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


@pytest.mark.parametrize(('env', 'named'), [('InvertedPendulm-v5', 'Did you mean'), ('CartPole-v1', 'Discrete')])
def test_an_environment_that_cannot_be_learnt_is_refused(load, env, named):
    with pytest.raises(UnsupportedEnvironmentError, match=named):
        load(env=env)
