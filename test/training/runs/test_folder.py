import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from velora_ros.errors import ConfigError, StorageError
from velora_ros.training import RunConfig, RunFolder, RunPaths, TrainConfig, free_folder

CONFIG = RunConfig('InvertedPendulum-v5', 3, TrainConfig(critic_sizes=(8, 4)), total_steps=500, flags='--tau 0.1')


def test_a_run_is_started_once_and_resumed_as_often_as_need_be(tmp_path: Path) -> None:
    with RunFolder.start(tmp_path / 'run', CONFIG) as run:
        (run.checkpoints / '1.safetensors').touch()
    for _ in range(2):
        with RunFolder.resume(tmp_path / 'run') as run:
            assert run.started_with == CONFIG
    with pytest.raises(StorageError, match=r'already holds a run.*--resume.*another folder'):
        RunFolder.start(tmp_path / 'run', CONFIG)


def test_what_was_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'notes.txt').write_text('mine')
    with RunFolder.start(tmp_path, CONFIG) as run:
        (run.checkpoints / '1.safetensors').touch()
    before = RunPaths(tmp_path).config.read_bytes()
    with pytest.raises(StorageError):
        RunFolder.start(tmp_path, dataclasses.replace(CONFIG, seed=4))
    assert RunPaths(tmp_path).config.read_bytes() == before
    assert (tmp_path / 'notes.txt').read_text() == 'mine'


def test_a_run_that_failed_before_it_began_leaves_the_folder_free(tmp_path: Path) -> None:
    with pytest.raises(ConfigError), RunFolder.start(tmp_path, CONFIG):
        raise ConfigError('no such device')
    RunFolder.start(tmp_path, CONFIG).close()


def test_a_folder_in_use_is_refused_in_this_process_and_in_another_one(tmp_path: Path) -> None:
    script = (
        'import sys; from velora_ros.training import RunFolder\n'
        'try: RunFolder.resume(sys.argv[1])\n'
        'except Exception as error: print(error)'
    )
    with RunFolder.start(tmp_path, CONFIG):
        with pytest.raises(StorageError, match='in use by another training run; wait'):
            RunFolder.resume(tmp_path)
        said = subprocess.run([sys.executable, '-c', script, tmp_path], capture_output=True, text=True, check=True)
        assert 'in use by another training run' in said.stdout
    RunFolder.resume(tmp_path).close()


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'no run in .*config\.yaml'):
        RunFolder.resume(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(StorageError, match='cannot be created or written'):
        RunFolder.start(tmp_path / 'file' / 'run', CONFIG)


def test_files_that_a_killed_process_left_unfinished_are_swept_away(tmp_path: Path) -> None:
    RunFolder.start(tmp_path, CONFIG).close()
    for folder in (tmp_path, tmp_path / 'checkpoints', tmp_path / 'policies'):
        (folder / '.x.safetensors.abc.tmp').touch()
    RunFolder.resume(tmp_path).close()
    assert not list(tmp_path.rglob('*.tmp'))


def test_a_larger_budget_is_written_down(tmp_path: Path) -> None:
    RunFolder.start(tmp_path, CONFIG).close()
    with RunFolder.resume(tmp_path) as run:
        run.change(total_steps=900, n_episodes=7)
    changed = RunConfig.load(RunPaths(tmp_path).config)
    assert (changed.total_steps, changed.hyperparameters.n_episodes) == (900, 7)
    assert changed.hyperparameters.critic_sizes == (8, 4)


def test_the_next_free_folder_is_found(tmp_path: Path) -> None:
    assert free_folder(tmp_path / 'run') == tmp_path / 'run'
    for name in ('run', 'run-2'):
        RunFolder.start(tmp_path / name, CONFIG).close()
    assert free_folder(tmp_path / 'run') == tmp_path / 'run-3'


# --- the configuration


def test_the_command_repeats_the_run() -> None:
    assert CONFIG.command == 'velora_ros train --env InvertedPendulum-v5 --seed 3 --steps 500 --tau 0.1'
    assert dataclasses.replace(CONFIG, flags=None).command == ''


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        ('format_version: 2\n', 'format version 1'),
        ('- 1\n', "must hold 'name: value' lines"),
        ('format_version: 1\n', 'damaged'),
        ('format_version: 1\nenv: X\nseed: 0\nhyperparameters: {gama: 1}\n', "no hyperparameter 'gama'. Did you mean"),
        ('format_version: 1\nenv: X\nseed: 0\nhyperparameters: {gamma: 2}\n', 'gamma is 2'),
        ('format_version: 1\nenv: X\nsead: 0\nhyperparameters: {}\n', "no entry 'sead'. Did you mean 'seed'"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_explained(tmp_path: Path, text: str, named: str) -> None:
    RunPaths(tmp_path).config.write_text(text)
    with pytest.raises(ConfigError) as error:
        RunFolder.resume(tmp_path)
    assert named in str(error.value)


def test_a_resumed_run_keeps_what_it_was_started_with_but_its_budget() -> None:
    CONFIG.refuse_differences({'gamma': 0.99, 'total_steps': 10_000, 'n_episodes': 5, 'window_size': 3}, 'run')
    with pytest.raises(ConfigError, match=r'started with gamma 0\.99, but now it is 0\.9;'):
        CONFIG.refuse_differences({'gamma': 0.9}, 'run')
    with pytest.raises(ConfigError, match='started with seed 3, but now it is 4'):
        CONFIG.refuse_differences({'seed': 4}, 'run')


def test_each_of_several_runs_that_start_at_once_gets_a_folder_of_its_own(tmp_path):
    """All have looked for a free name before the first one takes it."""
    first = tmp_path / 'run-seed0'
    runs = [RunFolder.start_in_free(lambda: first, CONFIG) for _ in range(3)]
    assert [run.folder.name for run in runs] == ['run-seed0', 'run-seed0-2', 'run-seed0-3']
    other = RunFolder(tmp_path / 'run-seed0-4')
    with other._taken(make=True):  # it has the folder and has not written its configuration yet
        beside = RunFolder.start_in_free(lambda: other.folder, CONFIG)
        assert beside.folder.name == 'run-seed0-5'
    for run in (*runs, other, beside):
        run.close()


def test_a_place_that_cannot_be_written_is_not_searched_for_ever(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(StorageError, match='cannot be created or written'):
        RunFolder.start_in_free(lambda: tmp_path / 'file' / 'run', CONFIG)
