"""The training process, spoken to as trainer_node does."""

import dataclasses
import json
import math
import re
import subprocess
import sys
import threading

import pytest

from velora_ros.errors import VeloraError
from velora_ros.nodes.trainer.event_reporter import EventReporter
from velora_ros.nodes.trainer.orders import Orders
from velora_ros.nodes.trainer.training_process import train
from velora_ros.nodes.trainer.training_status import TrainingStatus
from velora_ros.policy import PolicyFile
from velora_ros.training import EvaluationRecord, EvaluationResult, RunPaths, RunState, TrainResult
from velora_ros.training.diagnostics import DiagnosticsRecord, complete
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.policies import KeptPolicies
from velora_ros.utils import share_path


class Events:
    """Collects events as the node would get them."""

    def __init__(self):
        self.written = []

    def write(self, event, **values):
        self.written.append({'event': event, **values})


def test_a_stop_before_the_training_began_ends_the_process_without_a_run(tmp_path):
    run = tmp_path / 'run'
    job = {
        'env': 'InvertedPendulum-v5', 'seed': 0, 'total_steps': 100, 'run_dir': str(run), 'resume': False, 'out': '',
        'rival': '', 'announce_untrained': False, 'nice': 0, 'config': TrainConfig(n_episodes=100).__dict__,
    }  # fmt: skip
    result = subprocess.run(
        [sys.executable, '-m', 'velora_ros.nodes.trainer.training_process'],
        input=f'{json.dumps(job)}\nstop\n', capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    [event] = result.stdout.splitlines()
    assert json.loads(event) == {
        'event': 'end', 'steps': 0, 'seconds': 0.0, 'stopped': 'stopped on request before it began'
    }  # fmt: skip
    assert (result.returncode, run.exists()) == (0, False)


def test_only_a_stop_that_comes_before_the_training_ends_the_process_at_once(monkeypatch):
    left = []
    monkeypatch.setattr('velora_ros.nodes.trainer.orders.os._exit', left.append)
    orders = Orders(Events())
    orders.take('pause')
    orders.take('resume')
    assert not left
    orders.take('stop')
    assert left == [0]
    begun = Orders(Events())
    begun.begin()
    begun.take('stop')
    assert left == [0]


def test_a_change_that_comes_while_changes_are_taken_is_applied_once_and_not_lost(monkeypatch):
    orders, taken = Orders(Events()), []
    orders.take('set {"noise_scale": 0.1}')
    parse = json.loads

    def slowly(text):
        """Let an episode begin between the reading of the order and the storing of its changes."""
        episode = threading.Thread(target=lambda: taken.append(orders.on_episode_start()))
        episode.start()
        episode.join(1.0)
        return parse(text)

    monkeypatch.setattr('velora_ros.nodes.trainer.orders.json.loads', slowly)
    orders.take('set {"actor_lr": 0.5}')
    monkeypatch.undo()
    taken.append(orders.on_episode_start())
    assert sum('noise_scale' in one for one in taken) == 1
    assert sum('actor_lr' in one for one in taken) == 1


def test_an_episode_that_begins_while_an_order_is_stored_waits_for_it():
    orders, taken = Orders(Events()), []
    with orders._changes_lock:
        episode = threading.Thread(target=lambda: taken.append(orders.on_episode_start()))
        episode.start()
        episode.join(0.1)
        assert not taken
        orders._changes = {'noise_scale': 0.2}
    episode.join(5.0)
    assert taken == [{'noise_scale': 0.2}]


@pytest.mark.parametrize('means', [[21.0, 40.0, 99.0, 99.95, 120.0], [101.0, 100.95, 130.0]])
def test_a_process_that_goes_on_announces_nothing_worse_than_an_earlier_one(tmp_path, make_policy_file, means):
    """Its newest checkpoint is older than the policy of 100 that was announced before the first process died."""
    run, events = RunPaths(tmp_path), Events()
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


def test_the_node_remembers_the_best_that_was_announced_over_the_death_of_a_process():
    status = TrainingStatus()
    for mean, policy in ((50.0, {'policy': 'a'}), (100.0, {'policy': 'b'}), (99.95, {'policy': 'b'}), (400.0, {})):
        status.update('evaluation', {'steps': 1, 'mean': mean, 'best': True, **policy})
    status.process_started()
    assert status.announced == 100.0


def test_the_newest_diagnostics_are_reported_without_what_was_not_measured(tmp_path):
    status, events = TrainingStatus(), Events()
    reporter = EventReporter(events, None, RunPaths(tmp_path), rival=0.0, announce_untrained=False, niceness=0)
    assert status.learning == {}
    for steps, values in ((500, {'updates': 3, 'q_mean': 1.5}), (1000, {'updates': 9, 'noise': 0.25})):
        reporter.on_diagnostics(DiagnosticsRecord(steps, 2, 0.5, complete(values)))
        event = json.loads(json.dumps(events.written.pop(), allow_nan=False))
        status.update(event.pop('event'), event)
    assert status.learning == {'noise': 0.25, 'updates': 9.0}
    assert 'q_mean' not in status.values()


def test_a_policy_is_trained_on_in_an_environment_with_keywords(tmp_path):
    """As trainer_node hands the job on; the run's folder can then be resumed on the command line."""
    events, quick = (
        Events(),
        {'start_steps': 16, 'boost_ratio': 0.1, 'update_ratio': 0.1, 'eval_every': 30, 'eval_episodes': 1},
    )
    keywords = {'frame_skip': 2, 'reset_noise_scale': 0.0}  # its period is that of the shipped policy
    source = share_path('policies', 'InvertedPendulum-v5.safetensors')
    job = {
        'env': 'InvertedPendulum-v5', 'env_args': keywords, 'start_from': str(source), 'device': 'cpu', 'seed': 3,
        'total_steps': 60, 'run_dir': str(tmp_path / 'run'), 'resume': False, 'out': '', 'rival': '', 'nice': 0,
        'announce_untrained': False,
        'config': dataclasses.asdict(TrainConfig(**quick, n_episodes=60, n_neurons=31)),  # the file has its own
    }  # fmt: skip
    train(job, events, Orders(events))
    assert (events.written[-1]['event'], events.written[-1]['steps']) == ('end', 60)
    run, file = RunPaths(tmp_path / 'run'), PolicyFile.load(source)
    config = RunConfig.load(run.config)
    assert (config.env_args, config.start_from) == (keywords, str(source))
    assert config.hyperparameters.n_neurons == file.n_neurons
    provenance = PolicyFile.load(run.last_policy).provenance
    assert (provenance['from']['digest'], provenance['env_args']) == (file.digest, keywords)
    train({**job, 'resume': True, 'total_steps': 90, 'start_from': ''}, events, Orders(events))
    assert events.written[-1]['steps'] == 90


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'device': 'mps'}, "the device is 'mps'"),
        ({'device': 'cuda:7'}, "the device is 'cuda:7', but"),
        ({'env_args': {'frame_skipp': 2}}, 'frame_skipp'),
        ({'start_from': 'DOUBLE'}, 'has observation_names'),
    ],
)
def test_a_job_that_cannot_be_done_is_one_sentence(tmp_path, changes, words):
    changes = {
        name: str(share_path('policies', 'InvertedDoublePendulum-v5.safetensors')) if value == 'DOUBLE' else value
        for name, value in changes.items()
    }
    job = {
        'env': 'InvertedPendulum-v5', 'seed': 3, 'total_steps': 60, 'run_dir': str(tmp_path / 'run'), 'resume': False,
        'out': '', 'rival': '', 'nice': 0, 'announce_untrained': False, 'config': {'n_episodes': 60}, **changes,
    }  # fmt: skip
    with pytest.raises(VeloraError, match=re.escape(words)) as error:
        train(job, Events(), Orders(Events()))
    assert '\n' not in str(error.value)
