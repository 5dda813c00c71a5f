"""The scheduler. The trials themselves run in test/cli/test_sweep.py."""

from types import SimpleNamespace

import pytest

from velora_ros.sweep.plan import Sweep
from velora_ros.sweep.ray_tune import scheduler
from velora_ros.sweep.results import FINISHED, TrialResult


def sweep(**entries):
    return Sweep.parse({'env': 'InvertedPendulum-v5', 'steps': 1000, 'seeds': '0-5', **entries})


def test_without_a_scheduler_no_trial_is_stopped_early(tmp_path):
    assert scheduler(sweep(), tmp_path, []) is None


@pytest.mark.parametrize(('value', 'decision'), [(10.0, 'STOP'), (1000.0, 'CONTINUE')])
def test_a_resumed_scheduler_compares_with_what_was_reached_before(tmp_path, value, decision):
    plan = sweep(scheduler={'asha': {'grace_steps': 500, 'reduction_factor': 2}})
    done = [TrialResult(trial, FINISHED, 500, 100.0, 100.0, 1.0) for trial in plan.trials()[:3]]
    for result in done:
        folder = tmp_path / result.trial.name
        folder.mkdir()
        (folder / 'evaluations.csv').write_text(
            'steps,episode,seconds,mean,std,min,max,episodes\n500,1,1,100,0,100,100,1\n'
        )
    asha, newcomer = scheduler(plan, tmp_path, done), SimpleNamespace(trial_id='new')
    asha.on_trial_add(None, newcomer)
    assert asha.on_trial_result(None, newcomer, {'steps': 500, 'return': value}) == decision
