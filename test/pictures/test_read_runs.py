import numpy as np
import pytest

from velora_ros.errors import ConfigError
from velora_ros.pictures.read_runs import Curve, grouped, read_diagnostics, read_run, read_table


def curve(returns, every=500):
    steps = every * np.arange(1, len(returns) + 1)
    return Curve(steps, steps / 100, np.asarray(returns, dtype=float))


def test_smoothing_averages_the_points_within_the_span():
    np.testing.assert_allclose(curve([1, 3, 5, 7]).smooth(1000).returns, [1, 2, 4, 6])
    np.testing.assert_allclose(curve([1, 3, 5, 7]).smooth(0).returns, [1, 3, 5, 7])
    assert len(curve([]).smooth(5)) == 0


def test_a_table_gives_a_run_for_each_seed_and_setting(tmp_path):
    path = tmp_path / 'reacher.csv'
    path.write_text(
        'task,seed,steps,seconds,mean,settings\n'
        'reacher,1,500,1.0,-9,{}\nreacher,2,500,1.1,-8,{}\nreacher,1,1000,2.0,-7,{}\n'
        'reacher,1,500,1,-5,"{""tau"": 1}"\n'
    )
    groups = grouped(read_table(path))
    assert list(groups) == ['reacher', 'reacher {"tau": 1}']
    assert [list(run.evaluations.returns) for run in groups['reacher']] == [[-9, -7], [-8]]
    assert {run.label for run in read_table(path, 'ours')} == {'ours'}


def test_a_row_that_is_still_being_written_does_not_count(tmp_path):
    path = tmp_path / 'evaluations.csv'
    path.write_text('steps,seconds,mean\n500,1,10\n1000,2,2')
    assert list(read_run('', path, tmp_path / 'absent').evaluations.returns) == [10]


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        ('', 'no rows yet'),
        ('steps,seconds,mean\n', 'no rows yet'),
        ('a,b\n1,2\n', 'lacks steps, seconds, mean among its columns'),
        ('steps,seconds,mean\n1,2,three\n', "line 2: steps '1', seconds '2', mean 'three'"),
        ('steps,seconds,mean\n1,2\n', 'line 2'),
        ('steps,seconds,mean\n1,2,nan\n', 'must be finite'),
    ],
)
def test_a_table_that_is_not_a_learning_curve_is_refused(tmp_path, text, named):
    (tmp_path / 'a.csv').write_text(text)
    with pytest.raises(ConfigError, match=named):
        read_table(tmp_path / 'a.csv')


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        (None, 'does not exist'),
        ('steps,seconds,critic_loss\n', 'no row with steps and seconds yet'),
        ('steps,seconds,critic_loss\n1000,2.0,', 'no row with steps and seconds yet'),
        ('a,b\n1,2\n', 'no row with steps and seconds yet'),
        ('steps,seconds,critic_loss\n1000,2.0,high\n', 'is not a table of diagnostics'),
    ],
)
def test_a_table_without_diagnostics_is_refused(tmp_path, text, named):
    if text is not None:
        (tmp_path / 'diagnostics.csv').write_text(text)
    with pytest.raises(ConfigError, match=named):
        read_diagnostics(tmp_path / 'diagnostics.csv', '')


def test_a_file_in_the_place_of_a_run_folder_is_named(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match='is a file; give the folder of the run'):
        read_diagnostics(tmp_path / 'file' / 'diagnostics.csv', '')
