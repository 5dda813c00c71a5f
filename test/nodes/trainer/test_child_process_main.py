"""The training process, spoken to as trainer_node does."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest
from written_events import WrittenEvents

from velora_ros.errors import VeloraError
from velora_ros.nodes.trainer.child_process_main import train
from velora_ros.nodes.trainer.pause_save_stop import TrainingRequests
from velora_ros.policy import PolicyFile
from velora_ros.training import RunPaths
from velora_ros.training.hyperparameters import TrainConfig
from velora_ros.training.runs.config import RunConfig
from velora_ros.utils.shipped_files import share_path


def test_a_stop_before_the_training_ends_the_process_without_a_run(tmp_path):
    run = tmp_path / 'run'
    job = {
        'env': 'InvertedPendulum-v5', 'seed': 0, 'total_steps': 100, 'run_dir': str(run), 'resume': False, 'out': '',
        'rival': '', 'announce_untrained': False, 'nice': 0, 'config': TrainConfig(n_episodes=100).__dict__,
    }  # fmt: skip
    result = subprocess.run(
        [sys.executable, '-m', 'velora_ros.nodes.trainer.child_process_main'],
        input=f'{json.dumps(job)}\nstop\n', capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    [event] = result.stdout.splitlines()
    assert json.loads(event) == {
        'event': 'end', 'steps': 0, 'seconds': 0.0, 'stopped': 'stopped on request before it began'
    }  # fmt: skip
    assert (result.returncode, run.exists()) == (0, False)


def test_training_begins_from_a_policy_in_an_environment_with_keywords(tmp_path):
    """As trainer_node hands the job on; the run's folder can then be resumed on the command line."""
    events, quick = (
        WrittenEvents(),
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
    train(job, events, TrainingRequests(events))
    assert (events.written[-1]['event'], events.written[-1]['steps']) == ('end', 60)
    run, file = RunPaths(tmp_path / 'run'), PolicyFile.load(source)
    config = RunConfig.load(run.config)
    assert (config.env_args, config.start_from) == (keywords, str(source))
    assert config.hyperparameters.n_neurons == file.n_neurons
    provenance = PolicyFile.load(run.last_policy).provenance
    assert (provenance['from']['digest'], provenance['env_args']) == (file.digest, keywords)
    train({**job, 'resume': True, 'total_steps': 90, 'start_from': ''}, events, TrainingRequests(events))
    assert events.written[-1]['steps'] == 90


def test_a_job_in_many_environments_is_trained_and_resumed(tmp_path):
    events, quick = WrittenEvents(), {'start_steps': 16, 'boost_steps': 0, 'update_ratio': 0.1, 'eval_every': 0}
    job = {
        'env': 'InvertedPendulum-v5', 'seed': 3, 'total_steps': 90, 'num_envs': 3, 'run_dir': str(tmp_path / 'run'),
        'resume': False, 'out': '', 'rival': '', 'nice': 0, 'announce_untrained': False,
        'config': dataclasses.asdict(TrainConfig(**quick, n_episodes=90)),
    }  # fmt: skip
    train(job, events, TrainingRequests(events))
    assert RunConfig.load(RunPaths(tmp_path / 'run').config).num_envs == 3
    with pytest.raises(VeloraError, match='started with num_envs 3, but now it is 1'):
        train({**job, 'resume': True, 'num_envs': 1}, events, TrainingRequests(events))
    train({**job, 'resume': True, 'total_steps': 180}, events, TrainingRequests(events))
    assert [event['steps'] for event in events.written if event['event'] == 'end'] == [90, 180]


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'device': 'mps'}, "the device is 'mps'"),
        ({'device': 'cuda:7'}, "the device is 'cuda:7', but"),
        ({'env_args': {'frame_skipp': 2}}, 'frame_skipp'),
        ({'start_from': 'DOUBLE'}, 'has observation_names'),
    ],
)
def test_an_invalid_job_is_refused_in_one_sentence(tmp_path, changes, words):
    changes = {
        name: str(share_path('policies', 'InvertedDoublePendulum-v5.safetensors')) if value == 'DOUBLE' else value
        for name, value in changes.items()
    }
    job = {
        'env': 'InvertedPendulum-v5', 'seed': 3, 'total_steps': 60, 'run_dir': str(tmp_path / 'run'), 'resume': False,
        'out': '', 'rival': '', 'nice': 0, 'announce_untrained': False, 'config': {'n_episodes': 60}, **changes,
    }  # fmt: skip
    with pytest.raises(VeloraError, match=re.escape(words)) as error:
        train(job, WrittenEvents(), TrainingRequests(WrittenEvents()))
    assert '\n' not in str(error.value)
