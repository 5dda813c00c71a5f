import numpy as np

from velora_ros.pictures.draw_learning_curves import draw_learning
from velora_ros.pictures.read_runs import Curve, Run


def curve(returns, every=500):
    steps = every * np.arange(1, len(returns) + 1)
    return Curve(steps, steps / 100, np.asarray(returns, dtype=float))


def run(label, evaluations, episodes=()):
    return Run(label, curve(evaluations), curve(episodes, 50))


def test_a_group_has_a_line_an_interval_and_its_number_of_seeds():
    runs = [run('ours', [1, 5 + seed, 9]) for seed in range(5)] + [run('theirs', [0, 1, 2])]
    (axes,) = draw_learning(runs, solved=8.5).axes
    assert axes.get_legend_handles_labels()[1] == ['ours (5 seeds)', 'theirs']
    line = axes.get_legend_handles_labels()[0][0]
    np.testing.assert_allclose(line.get_ydata(), [1, 7, 9])
    assert axes.get_title(loc='right') == 'interquartile mean of the seeds, 95 % interval'


def test_only_recorded_returns_get_a_panel():
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
