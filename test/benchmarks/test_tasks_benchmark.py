"""The tables of the benchmarks of tasks: what was run is not run again, and what was judged is shown."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / 'benchmarks'
RUN = {'side': 'ours', 'seed': 100, 'minutes': 3.5, 'reached': True, 'steps': 300_000, 'tracking': 0.81}


@pytest.fixture
def tasks(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    import tasks

    monkeypatch.setattr(tasks, 'TABLE', tmp_path / 'runs.csv')
    yield tasks
    sys.modules.pop('tasks', None)


def test_a_run_that_is_in_the_table_is_not_repeated_and_another_seed_or_agent_is(tasks):
    tasks.append({**RUN, 'at_most': 60})
    assert tasks.taken('ours', 100, 60) == 3.5
    assert tasks.taken('ours', 101, 60) is None
    assert tasks.taken('sb3_sac', 100, 60) is None


def test_a_run_that_never_got_there_counts_as_long_as_it_may_last_and_is_repeated_for_longer(tasks):
    tasks.append({**RUN, 'reached': False, 'minutes': 20, 'at_most': 20})
    assert tasks.taken('ours', 100, 20) == 20
    assert tasks.taken('ours', 100, 60) is None


def test_runs_in_the_table_are_compared_without_running_anything(tasks, monkeypatch):
    monkeypatch.setattr(tasks, 'in_own_process', None)
    for side, minutes in (('ours', 4.0), ('sb3_sac', 12.0), ('sb3_ppo', 60.0)):
        tasks.append({**RUN, 'side': side, 'minutes': minutes, 'at_most': 60})
    found = tasks.learning(['ours', 'sb3_sac', 'sb3_ppo'], [100], 60)
    assert found['times_sooner'] == 3.0
    assert found['median'] == {'ours': 4.0, 'sb3_sac': 12.0, 'sb3_ppo': 60.0}


def claim(seed, tracking):
    figures = f'{{"tracking": {tracking}, "air_times_s": [0.2, 0.25]}}'
    values = ('quadruped', seed, False, 1000, 60, 256, figures, '')
    return dict(
        zip(('task', 'seed', 'disturbed', 'steps', 'seconds', 'episodes', 'figures', 'flags'), values, strict=True)
    )


def test_a_run_that_is_judged_again_replaces_its_rows_and_the_page_shows_all_rows(tasks, monkeypatch, tmp_path):
    import results_page_tasks
    import tasks_claim

    monkeypatch.setattr(tasks_claim, 'TABLE', tmp_path / 'claims.csv')
    tasks_claim.write([claim(101, 0.5)])
    tasks_claim.write([claim(100, 0.75)])
    tasks_claim.write([claim(101, 0.9)])
    rows = [line for line in results_page_tasks.section().splitlines() if 'undisturbed |' in line]
    assert [row.split(' | ')[0] for row in rows] == ['| 100', '| 101']
    assert ' 0.900 ' in rows[1]
    assert ' 0.200, 0.250 ' in rows[1]
