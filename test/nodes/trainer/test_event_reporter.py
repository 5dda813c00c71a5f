"""What the training process reports and announces."""

import json
import math

import pytest
from written_events import WrittenEvents

from velora_ros.nodes.trainer.event_reporter import EventReporter
from velora_ros.nodes.trainer.training_status import TrainingStatus
from velora_ros.policy import PolicyFile
from velora_ros.training import EvaluationRecord, EvaluationResult, RunPaths, RunState, TrainResult
from velora_ros.training.diagnostics import DiagnosticsRecord, complete
from velora_ros.training.runs.best_and_last_policy import KeptPolicies


@pytest.mark.parametrize('means', [[21.0, 40.0, 99.0, 99.95, 120.0], [101.0, 100.95, 130.0]])
def test_a_resumed_process_announces_nothing_worse_than_an_earlier_one(tmp_path, make_policy_file, means):
    """Its newest checkpoint is older than the policy of 100 that was announced before the first process died."""
    run, events = RunPaths(tmp_path), WrittenEvents()
    run.policies.mkdir()
    make_policy_file(seed=1).save(run.best_policy)
    earlier = PolicyFile.load(run.best_policy).digest
    reporter = EventReporter(
        events, None, run,
        rival=-math.inf, announced=100.0, announce_untrained=False, niceness=0,
    )  # fmt: skip
    kept, result = KeptPolicies(run, lambda: None), TrainResult()
    for callback in (kept, reporter):
        callback.on_resume(RunState(result=result))
    assert PolicyFile.load(run.best_policy).digest == earlier
    best = -math.inf
    for number, mean in enumerate(means):
        policy, is_best = make_policy_file(seed=2 + number), mean >= best * 0.999
        best = max(best, mean)
        record = EvaluationRecord(100 * number, 1, 1.0, EvaluationResult((mean,), (10,)))
        for callback in (kept, reporter):
            callback.on_evaluation(record, policy, is_best=is_best)
        on_disk = PolicyFile.load(run.best_policy).digest
        assert on_disk == (policy.digest if mean >= 99.9 else earlier)
    announced = [one['mean'] for one in events.written if 'policy' in one]
    assert announced == [mean for mean in means if mean >= 99.9]
    assert [one['mean'] for one in events.written if one['best']] == announced


def test_the_newest_diagnostics_are_reported_without_unmeasured_ones(tmp_path):
    status, events = TrainingStatus(), WrittenEvents()
    reporter = EventReporter(events, None, RunPaths(tmp_path), rival=0.0, announce_untrained=False, niceness=0)
    assert status.learning == {}
    for steps, values in ((500, {'updates': 3, 'q_mean': 1.5}), (1000, {'updates': 9, 'noise': 0.25})):
        reporter.on_diagnostics(DiagnosticsRecord(steps, 2, 0.5, complete(values)))
        event = json.loads(json.dumps(events.written.pop(), allow_nan=False))
        status.update(event.pop('event'), event)
    assert status.learning == {'noise': 0.25, 'updates': 9.0}
    assert 'q_mean' not in status.values()
