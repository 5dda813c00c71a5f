import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from velora_ros.errors import ConfigError
from velora_ros.pictures.draw_learning_curves import draw_learning
from velora_ros.pictures.read_runs import STATISTICS, Curve, band, grouped, interquartile_mean, interval, read_table
from velora_ros.pictures.read_runs import read_run as read_files

RETURNS = arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.floats(-1e3, 1e3))


def curve(returns, every=500):
    steps = every * np.arange(1, len(returns) + 1)
    return Curve(steps, steps / 100, np.asarray(returns, dtype=float))


@given(RETURNS)
def test_the_interquartile_mean_is_the_mean_of_what_lies_in_the_middle(values):
    rows = np.sort(values, axis=0)
    cut = len(rows) // 4
    np.testing.assert_allclose(interquartile_mean(values), rows[cut : len(rows) - cut].mean(axis=0))
    shuffled = values[::-1]
    np.testing.assert_allclose(interquartile_mean(shuffled), interquartile_mean(values))


@pytest.mark.parametrize('statistic', STATISTICS.values(), ids=STATISTICS)
def test_an_interval_lies_within_the_values_and_is_the_same_each_time(statistic):
    values = np.random.default_rng(1).normal(size=(10, 3))
    low, high = interval(values, statistic)
    assert (values.min(axis=0) <= low).all() and (low < high).all() and (high <= values.max(axis=0)).all()
    np.testing.assert_array_equal(low, interval(values, statistic)[0])


def test_runs_that_are_equal_have_no_interval():
    one = band([curve([1, 2, 3])] * 4, 'steps', interquartile_mean)
    np.testing.assert_array_equal(one.x, [500, 1000, 1500])
    for values in (one.centre, one.low, one.high):
        np.testing.assert_allclose(values, [1, 2, 3])


def test_a_band_ends_where_the_first_run_ends():
    assert list(band([curve([1, 2, 3]), curve([3, 4])], 'steps', interquartile_mean).x) == [500, 1000]
    apart = [curve([1]), Curve(*np.array([[9e3], [90.0], [1.0]]))]
    assert len(band(apart, 'steps', interquartile_mean).x) == 0


def test_runs_evaluated_at_other_times_meet_in_between():
    other = Curve(np.array([500.0, 1500.0]), np.array([5.0, 15.0]), np.array([10.0, 30.0]))
    both = band([curve([10, 20, 30]), other], 'time', interquartile_mean)
    np.testing.assert_allclose(both.x, [5, 10, 15])
    np.testing.assert_allclose(both.centre, [10, 20, 30])


def test_smoothing_takes_what_there_is():
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
    assert list(read_files('', path, tmp_path / 'absent').evaluations.returns) == [10]


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        ('', 'no row yet'),
        ('steps,seconds,mean\n', 'no row yet'),
        ('a,b\n1,2\n', 'lacks steps, seconds, mean among its columns'),
        ('steps,seconds,mean\n1,2,three\n', "line 2: steps '1', seconds '2', mean 'three'"),
        ('steps,seconds,mean\n1,2\n', 'line 2'),
        ('steps,seconds,mean\n1,2,nan\n', 'must be finite'),
    ],
)
def test_what_is_no_learning_curve_is_refused(tmp_path, text, named):
    (tmp_path / 'a.csv').write_text(text)
    with pytest.raises(ConfigError, match=named):
        read_table(tmp_path / 'a.csv')


# --- the picture


def run(label, evaluations, episodes=()):
    from velora_ros.pictures.read_runs import Run

    return Run(label, curve(evaluations), curve(episodes, 50))


def test_a_group_has_a_line_an_interval_and_its_number_of_seeds():
    runs = [run('ours', [1, 5 + seed, 9]) for seed in range(5)] + [run('theirs', [0, 1, 2])]
    (axes,) = draw_learning(runs, solved=8.5).axes
    assert axes.get_legend_handles_labels()[1] == ['ours (5 seeds)', 'theirs']
    line = axes.get_legend_handles_labels()[0][0]
    np.testing.assert_allclose(line.get_ydata(), [1, 7, 9])
    assert axes.get_title(loc='right') == 'interquartile mean of the seeds, 95 % interval'


def test_there_is_a_panel_for_what_there_is():
    def panels(*runs):
        return [axes.get_title(loc='left').split(' (')[0] for axes in draw_learning(runs).axes]

    assert panels(run('a', [1, 2])) == ['evaluation return']
    assert panels(run('a', [], [1, 2])) == ['episode return']
    assert panels(run('a', [1, 2]), run('b', [], [1, 2])) == ['evaluation return', 'episode return']


def test_the_x_axis_is_steps_or_time():
    for axis, last, text in (('steps', 1000, 'environment steps'), ('time', 10, 'training time [s]')):
        (axes,) = draw_learning([run('a', [1, 2])], axis=axis).axes
        assert axes.lines[0].get_xdata()[-1] == last
        assert axes.get_xlabel() == text
