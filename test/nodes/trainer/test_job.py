"""The job of a training process, and what is checked before it starts."""

import pytest

from velora_ros.errors import ConfigError, StorageError, VeloraError
from velora_ros.nodes.trainer import parameters as table
from velora_ros.nodes.trainer.job import make_job
from velora_ros.training.recipe import SIMULATIONS
from velora_ros.training.runs.config import TASK_ENV
from velora_ros.utils.shipped_files import share_path


def test_a_run_is_neither_overwritten_nor_resumed_by_mistake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {row.name: row.default for row in table.PARAMETERS}
    assert make_job(values, '')['run_dir'] == str(tmp_path / 'runs' / 'InvertedPendulum-v5-seed0')
    for change in ({'resume': True}, {'resume': True, 'run_dir': 'nowhere'}):
        with pytest.raises(ConfigError, match='run_dir'):
            make_job({**values, **change}, '')
    (tmp_path / 'there').mkdir()
    (tmp_path / 'there' / 'config.yaml').touch()
    with pytest.raises(ConfigError, match='which is not overwritten'):
        make_job({**values, 'run_dir': 'there'}, '')
    assert make_job({**values, 'resume': True}, 'there')['run_dir'] == str(tmp_path / 'there')


def test_start_file_and_keywords_are_checked_before_the_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {row.name: row.default for row in table.PARAMETERS}
    job = make_job({**values, 'env_args': ['frame_skip=4', 'terms=[a, b]', 'colour=red']}, '')
    assert job['env_args'] == {'frame_skip': 4, 'terms': ['a', 'b'], 'colour': 'red'}
    assert (job['start_from'], job['device']) == ('', 'cpu')
    policy = share_path('policies', 'InvertedPendulum-v5.safetensors')
    assert make_job({**values, 'start_from': str(policy)}, '')['start_from'] == str(policy)
    (tmp_path / 'model.zip').write_bytes(b'PK\x03\x04 and then nothing more')
    for change, words in (
        ({'env_args': ['frame_skip']}, "parameter 'env_args': 'frame_skip' is not name=value"),
        ({'start_from': 'model.zip'}, "'model.zip' is a zip archive"),
        ({'start_from': 'absent'}, "'absent' does not exist"),
    ):
        with pytest.raises(VeloraError, match=words):
            make_job({**values, **change}, '')


def test_a_path_that_cannot_be_written_is_refused_before_the_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('HOME', str(tmp_path))
    values = {row.name: row.default for row in table.PARAMETERS}
    with pytest.raises(ConfigError, match=f"parameter 'out' is '{tmp_path}', a folder; name a file in it"):
        make_job({**values, 'out': str(tmp_path)}, '')
    (tmp_path / 'file').touch()
    with pytest.raises(StorageError, match='cannot be written'):
        make_job({**values, 'out': 'file/policy.safetensors'}, '')
    assert make_job({**values, 'out': '~/best.safetensors'}, '')['out'] == str(tmp_path / 'best.safetensors')
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_a_task_is_trained_in_many_simulations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {row.name: row.default for row in table.PARAMETERS}
    job = make_job({**values, 'task': 'quadruped'}, '')
    assert (job['env'], job['env_args'], job['num_envs']) == (TASK_ENV, {'task': 'quadruped'}, SIMULATIONS)
    assert job['run_dir'] == str(tmp_path / 'runs' / 'quadruped-seed0')
    assert make_job({**values, 'task': 'quadruped', 'num_envs': 8}, '')['num_envs'] == 8
    assert make_job(values, '')['num_envs'] == 1
