import csv

import pytest

from velora_ros.errors import ConfigError, StorageError
from velora_ros.sweep.folder import SweepFolder
from velora_ros.sweep.plan import Sweep
from velora_ros.sweep.results import FAILED, FINISHED, rank
from velora_ros.training.hyperparameters import TrainConfig


@pytest.fixture
def sweep():
    return Sweep.parse(
        {'env': 'InvertedPendulum-v5', 'steps': 1000, 'seeds': [0, 1], 'settings': [{}, {'critic_sizes': [32, 16]}]}
    )


def evaluated(folder, trial, *means):
    """Write the files that a trial leaves."""
    path = folder / trial.name
    path.mkdir()
    lines = [f'{500 * i},1,{i},{mean},0,{mean},{mean},1' for i, mean in enumerate(means, 1)]
    (path / 'evaluations.csv').write_text('\n'.join(['steps,episode,seconds,mean,std,min,max,episodes', *lines, '']))


def test_a_resumed_sweep_knows_what_is_done_and_repeats_failed_trials(tmp_path, sweep):
    with SweepFolder.start(tmp_path / 's', sweep) as folder:
        assert folder.to_do == sweep.trials()
        for trial, status in zip(sweep.trials(), (FINISHED, FAILED), strict=False):
            evaluated(folder.path, trial, 10, 5)
            folder.add(trial, status, 'a sentence, with a comma')
    with SweepFolder.resume(tmp_path / 's') as folder:
        assert folder.sweep.trials() == sweep.trials()
        assert folder.to_do == sweep.trials()[1:]
        (result,) = folder.results
        assert (result.last, result.best, result.steps, result.message) == (5, 10, 1000, 'a sentence, with a comma')


def test_the_tables_have_a_column_for_each_varied_hyperparameter(tmp_path, sweep):
    with SweepFolder.start(tmp_path, sweep) as folder:
        for trial in sweep.trials():
            evaluated(folder.path, trial, 10 + len(trial.setting))
            folder.add(trial, FINISHED)
        folder.finish(rank(sweep, folder.results))
    for path in (folder.trials_table, folder.settings_table):
        rows = list(csv.DictReader(path.read_text().splitlines()))
        assert {row['critic_sizes'] for row in rows} == {'', '32 16'}
    best = TrainConfig.from_yaml(folder.best)
    assert best.critic_sizes == (32, 16)


def test_a_folder_is_locked_by_one_sweep(tmp_path, sweep):
    with (
        SweepFolder.start(tmp_path, sweep),
        pytest.raises(StorageError, match='is in use by another sweep'),
        SweepFolder.resume(tmp_path),
    ):
        pass
    with pytest.raises(StorageError, match='already holds a sweep'), SweepFolder.start(tmp_path, sweep):
        pass


def test_a_sweep_that_failed_before_it_began_leaves_no_sweep(tmp_path, sweep):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), SweepFolder.start(tmp_path, sweep):
            raise ZeroDivisionError
    with pytest.raises(ConfigError, match='there is no sweep'), SweepFolder.resume(tmp_path):
        pass


@pytest.mark.parametrize('text', ['trial,status\nother-seed0,finished\n', 'nonsense\n1\n'])
def test_a_damaged_table_is_named_with_the_remedy(tmp_path, sweep, text):
    with SweepFolder.start(tmp_path, sweep) as folder:
        evaluated(folder.path, sweep.trials()[0], 1)
        folder.trials_table.write_text(text)
    with pytest.raises(ConfigError, match='remove the file'), SweepFolder.resume(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path, sweep):
    (tmp_path / 'file').touch()
    with pytest.raises(StorageError, match='cannot be created'), SweepFolder.start(tmp_path / 'file/s', sweep):
        pass
