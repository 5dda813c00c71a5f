import math

import pytest

from velora_ros.sweep.plan import Sweep
from velora_ros.sweep.results import FAILED, FINISHED, STOPPED, TrialResult, rank, table


@pytest.fixture
def sweep():
    return Sweep.parse(
        {'env': 'InvertedPendulum-v5', 'steps': 1000, 'seeds': [0, 1], 'grid': {'n_neurons': [10, 20, 30]}}
    )


def results(sweep, returns, status=FINISHED):
    """Results of the trials by name; each return is (last, best)."""
    trials = {trial.name: trial for trial in sweep.trials()}
    return [TrialResult(trials[name], status, 1000, *values, 1.0) for name, values in returns.items()]


def test_settings_are_ranked_by_the_mean_over_their_seeds(sweep):
    found = results(sweep, {
        'n_neurons=10-seed0': (100, 300), 'n_neurons=10-seed1': (200, 300),
        'n_neurons=20-seed0': (400, 400), 'n_neurons=20-seed1': (100, 100),
    })  # fmt: skip
    ranked = rank(sweep, found)
    assert [one.label for one in ranked] == ['n_neurons=20', 'n_neurons=10', 'n_neurons=30']
    assert [one.mean for one in ranked[:2]] == [250, 150]
    assert ranked[0].row()['median'] == 250 and ranked[0].row()['min'] == 100
    assert math.isnan(ranked[2].mean)


def test_the_best_evaluation_can_count_instead_of_the_last(sweep):
    by_best = Sweep(**{**sweep.__dict__, 'rank_by': 'best'})
    found = results(by_best, {'n_neurons=10-seed0': (100, 300), 'n_neurons=20-seed0': (200, 250)})
    assert [one.label for one in rank(by_best, found)][:2] == ['n_neurons=10', 'n_neurons=20']


def test_failed_trials_do_not_count_and_stopped_ones_do(sweep):
    found = results(sweep, {'n_neurons=10-seed0': (100, 100), 'n_neurons=10-seed1': (300, 300)}, STOPPED)
    found += results(sweep, {'n_neurons=20-seed0': (900, 900)}, FAILED)
    first, *others = rank(sweep, found)
    assert (first.label, first.mean, first.row()['stopped']) == ('n_neurons=10', 200, 2)
    assert not any(one.trials for one in others)


def test_the_table_has_a_line_for_each_setting(sweep):
    lines = table(rank(sweep, results(sweep, {'n_neurons=30-seed1': (12.5, 20)})))
    assert len(lines) == 4
    assert lines[1].split() == ['n_neurons=30', '1/2', '12.50', '12.50', '12.50', '12.50']
    assert lines[2].split() == ['n_neurons=10', '0/2', '-', '-', '-', '-']
