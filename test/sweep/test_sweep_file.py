"""Invalid entries are refused before anything starts; each error names the file, the entry and what is valid."""

import math
import sys

import pytest

from velora_ros.errors import ConfigError, MissingDependencyError


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
        ({'seeds': [1, 1]}, 'seeds is [1, 1]; it must not contain a seed twice'),
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
        ({'sample': {'count': 2, 'tau': {'uniform': [0.2, 0.1]}}}, 'the lower number first'),
        ({'sample': {'count': 2, 'tau': {'uniform': ['1e-4', 0.1]}}}, '1.0e-4 as a number'),
        ({'sample': {'count': 2, 'tau': {'uniform': [0.1, 2]}}}, 'tau is 2.0; it must be a number'),
        ({'sample': {'count': 2, 'tau': {'loguniform': [0, 0.1]}}}, 'it must start above 0'),
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


def test_without_pydantic_the_error_says_what_to_install(load, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pydantic', None)
    for name in ('settings', 'sweep_file'):
        monkeypatch.delitem(sys.modules, f'velora_ros.sweep.{name}', raising=False)
    with pytest.raises(MissingDependencyError, match=r"pip install pydantic 'ray\[tune\]'"):
        load()
