import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from run_and_kill import train
from run_folders import assert_same_run
from toy import Reach

from velora_ros.errors import (
    ConfigError,
    DivergenceError,
    PolicyFileError,
    SpecError,
    StorageError,
    UnsupportedEnvironmentError,
)
from velora_ros.gym import make
from velora_ros.models import LiquidDDPG
from velora_ros.models.run_from_config import make_environment, make_model, train_run
from velora_ros.policy import PolicyFile
from velora_ros.spec import PolicySpec
from velora_ros.training import (
    Callback,
    RunConfig,
    RunFolder,
    RunPaths,
    RunState,
    StopTraining,
    TrainConfig,
    agent_file,
)
from velora_ros.training.records import EpisodeRecord
from velora_ros.training.runs import checkpoint
from velora_ros.training.runs.paths import checkpoint_files

# --- damaged and foreign checkpoints


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of some checkpoints and one that was never stopped; nothing may be changed in it."""
    folder = tmp_path_factory.mktemp('trained')
    train(folder / 'whole')
    train(folder / 'run', total_steps=40)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> RunPaths:
    """A run of some checkpoints, and beside it one that was never stopped."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return RunPaths(tmp_path / 'run')


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize('damage', [cut_short, flip_a_bit, lambda path: path.write_bytes(b'')])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_taken(
    run: RunPaths, damage: Callable[[Path], None]
) -> None:
    newest, before, *_ = checkpoint_files(run)
    damage(newest)
    with pytest.warns(UserWarning, match=f'The run is resumed from the previous checkpoint, {before.name}'):
        train(run.folder)
    assert newest.with_suffix('.damaged').exists()
    assert_same_run(RunPaths(run.folder.parent / 'whole'), run)


def test_without_a_checkpoint_that_can_be_read_nothing_is_changed(run: RunPaths) -> None:
    for path in checkpoint_files(run):
        cut_short(path)
    before = {path: path.read_bytes() for path in run.checkpoints.iterdir()}
    with pytest.raises(PolicyFileError, match=r'none of the 3 checkpoints in .* can be read'):
        train(run.folder)
    assert {path: path.read_bytes() for path in run.checkpoints.iterdir()} == before


def test_a_checkpoint_of_another_format_version_is_refused(run: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_file, 'FORMAT_VERSION', 99)
    with pytest.raises(PolicyFileError, match='format version 2; this package reads 99'):
        train(run.folder)


def test_a_run_keeps_the_module_of_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gymnasium.registry, 'Arm-v0', gymnasium.envs.registration.EnvSpec('Arm-v0', 'toy:Reach'))
    for resume, name in ((False, 'toy:Arm-v0'), (True, 'toy:Arm-v0'), (True, 'Arm-v0')):
        model = LiquidDDPG(2, 4, 1, critic_sizes=(8,), n_critics=2, buffer_size=60, seed=3)
        env = make(name)
        model.train(env, 16, total_steps=40, sequence_length=4, run_dir=tmp_path, resume=resume, progress=False)
        assert RunConfig.load(RunPaths(tmp_path).config).env == 'toy:Arm-v0'


def test_another_environment_is_refused(run: RunPaths) -> None:
    model = LiquidDDPG(2, 4, 1, critic_sizes=(8,), n_critics=2, buffer_size=60, seed=3)
    with RunFolder.resume(run.folder) as folder, pytest.raises(SpecError, match=r"'action_low'|action_low"):
        model.train(Reach(low=-5.0, high=5.0), 16, sequence_length=4, run_dir=folder, progress=False)


def pendulum(folder: Path, *, resume: bool, steps: int = 20, **keywords: Any) -> None:
    """Train in a pendulum made with some keywords."""
    model = LiquidDDPG(4, 4, 1, critic_sizes=(8,), seed=3)
    options: dict[str, Any] = {'start_steps': 8, 'eval_every': 0, 'progress': False, 'checkpoint_every': 0}
    with gymnasium.make('InvertedPendulum-v5', **keywords) as env:
        model.train(env, 8, total_steps=steps, run_dir=folder, resume=resume, **options)


def test_a_run_of_a_release_that_had_the_scale_in_the_unit_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_version_1(spec: PolicySpec) -> dict[str, Any]:
        values = {name: value for name, value in to_dict(spec).items() if name != 'action_scale'}
        return {**values, 'action_units': ['100.001 N']}  # six digits of the scale, and no more

    to_dict = PolicySpec.to_dict
    with monkeypatch.context() as patched:
        patched.setattr(PolicySpec, 'to_dict', of_version_1)
        patched.setattr(PolicySpec, 'is_extended', False)
        pendulum(tmp_path, resume=False)
    pendulum(tmp_path, resume=True, steps=30)
    spec = PolicyFile.load(RunPaths(tmp_path).last_policy).spec
    assert (spec.action_units, spec.action_scale) == (('N',), (100.0,))


def test_an_environment_made_with_other_keywords_is_refused(tmp_path: Path) -> None:
    numpys: Any = np.float64(0.2)
    pendulum(tmp_path, resume=False, reset_noise_scale=numpys, render_mode=None)
    assert RunConfig.load(RunPaths(tmp_path).config).env_kwargs == {'reset_noise_scale': 0.2}
    for keywords, now in (({}, 'no reset_noise_scale'), ({'reset_noise_scale': 0.1}, r'reset_noise_scale=0\.1')):
        with pytest.raises(SpecError, match=rf'made with reset_noise_scale=0\.2, but this one has {now}; resume it'):
            pendulum(tmp_path, resume=True, **keywords)
    pendulum(tmp_path, resume=True, steps=30, reset_noise_scale=0.2, render_mode='rgb_array')


def test_the_folder_of_an_older_version_is_resumed(tmp_path: Path) -> None:
    pendulum(tmp_path, resume=False)
    config = RunPaths(tmp_path).config
    config.write_text(config.read_text().replace('env_kwargs: {}\n', ''))
    assert RunConfig.load(config).env_kwargs is None
    pendulum(tmp_path, resume=True, steps=30, reset_noise_scale=0.2)


def test_a_run_by_the_name_of_its_environment_notes_the_keywords_too(tmp_path: Path) -> None:
    config = RunConfig('InvertedPendulum-v5', 3, TrainConfig(n_neurons=4, eval_every=0), total_steps=10)
    with make_environment(config) as env, RunFolder.start(tmp_path, config) as folder:
        train_run(folder, make_model(config, env), env, progress=False)
    assert RunConfig.load(RunPaths(tmp_path).config) == dataclasses.replace(config, env_kwargs={})


# --- what may change, and what not


def test_a_larger_budget_gives_the_run_that_had_it_from_the_start(run: RunPaths) -> None:
    assert_same_weights(train(run.folder), train(run.folder.parent / 'again'))


def assert_same_weights(one: LiquidDDPG, other: LiquidDDPG) -> None:
    weights, others = one.agent.networks.state_dict(), other.agent.networks.state_dict()
    assert all(np.array_equal(weights[name], others[name]) for name in weights)


@pytest.mark.parametrize(
    ('changes', 'named'),
    [({'gamma': 0.9}, 'gamma'), ({'seed': 4}, 'seed'), ({'sequence_length': 8}, 'sequence_length')],
)
def test_other_hyperparameters_are_refused_by_name(run: RunPaths, changes: dict[str, Any], named: str) -> None:
    before = run.config.read_bytes()
    with pytest.raises(ConfigError, match=f'was started with {named} '):
        train(run.folder, **changes)
    assert run.config.read_bytes() == before


def test_a_run_needs_resume_and_resume_needs_a_run(tmp_path: Path, run: RunPaths) -> None:
    with pytest.raises(StorageError, match='already holds a run'):
        train(run.folder, resume=False)
    with pytest.raises(ConfigError, match='no run in'):
        train(tmp_path / 'nothing', resume=True)
    with pytest.raises(ConfigError, match='resume is True without run_dir'):
        LiquidDDPG(2, 4, 1).train(Reach(), 8, resume=True)


def test_a_run_killed_before_its_first_checkpoint_begins_again(run: RunPaths) -> None:
    for path in checkpoint_files(run):
        path.unlink()
    train(run.folder)
    assert_same_run(RunPaths(run.folder.parent / 'whole'), run)
    for path in checkpoint_files(run):
        path.unlink()
    with pytest.raises(ConfigError, match='ended before its first checkpoint'):
        LiquidDDPG(2, 4, 1, critic_sizes=(8,), n_critics=2, buffer_size=60, seed=8).train(
            Reach(), 16, sequence_length=4, run_dir=RunFolder.resume(run.folder), progress=False
        )


def test_live_changes_outlast_the_process(tmp_path: Path) -> None:
    class Change(Callback):
        episodes = 0

        def on_episode_start(self) -> dict[str, float]:
            self.episodes += 1
            return {'noise_scale': 0.01, 'update_ratio': 2.0, 'actor_lr': 5e-5} if self.episodes == 3 else {}

    train(tmp_path / 'run', total_steps=40, callbacks=[Change()])
    model = train(tmp_path / 'run')
    assert model.agent.config.actor_lr == 5e-5
    _, metadata = agent_file.read(checkpoint_files(RunPaths(tmp_path / 'run'))[0])
    assert metadata['run']['live'] == {'noise_scale': 0.01, 'update_ratio': 2.0}


def test_a_run_stopped_in_the_middle_of_an_episode_runs_it_again(tmp_path: Path, run: RunPaths) -> None:
    class Stop(Callback):
        def on_step(self, steps: int) -> None:
            if steps == 43:
                raise StopTraining('enough')

    train(tmp_path / 'stopped', callbacks=[Stop()])
    train(tmp_path / 'stopped')
    assert_same_run(RunPaths(tmp_path / 'whole'), RunPaths(tmp_path / 'stopped'))


# --- an environment that fails


@pytest.mark.parametrize('failure', [float('nan'), RuntimeError('the simulator\nis gone.')])
def test_an_environment_that_fails_ends_the_run_with_one_sentence(tmp_path: Path, failure: Any) -> None:
    class Failing(Reach):
        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            observation, reward, *rest = super().step(action)
            if len(self.actions) == 13 and isinstance(failure, Exception):
                raise failure
            return observation, failure if len(self.actions) == 13 else reward, *rest

    with pytest.raises(UnsupportedEnvironmentError, match='in step 13') as error:
        LiquidDDPG(2, 4, 1, seed=0).train(
            Failing(length=5), 8, eval_every=0, progress=False, run_dir=tmp_path, checkpoint_every=0
        )
    assert '\n' not in str(error.value)
    kept = 'The run is kept up to step 10; resume it with: velora_ros train --resume'
    assert str(error.value).endswith(f'{kept} {tmp_path}')


@pytest.mark.parametrize('optim', [torch.optim.Adam, torch.optim.RMSprop])
def test_a_training_that_diverges_ends_with_what_to_lower_and_what_was_saved_stays(tmp_path: Path, optim: Any) -> None:
    class Explodes(Reach):
        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            observation, reward, *rest = super().step(action)
            return observation, 1e30 if len(self.actions) > 22 else reward, *rest

    model = LiquidDDPG(2, 4, 1, seed=0, optim=optim)
    options: dict[str, Any] = {'start_steps': 10, 'eval_every': 5, 'eval_episodes': 1, 'progress': False}
    with pytest.raises(DivergenceError, match=r'is not finite: training has diverged\. Lower actor_lr') as error:
        model.train(Explodes(length=5), 8, eval_env=Reach(), run_dir=tmp_path, checkpoint_every=0, **options)
    assert str(error.value).endswith(f"Everything saved before is kept in '{tmp_path}'.")
    assert all(torch.isfinite(values).all() for values in model.agent.networks.state_dict().values())
    run = RunPaths(tmp_path)
    assert checkpoint_files(run)[0].stem == '000000020'
    PolicyFile.load(run.best_policy)
    LiquidDDPG.load(checkpoint_files(run)[0])


def test_weights_that_are_not_finite_take_the_place_of_nothing(tmp_path: Path) -> None:
    model = train(tmp_path / 'run', total_steps=20)
    model.export(tmp_path / 'policy.safetensors')
    before = (tmp_path / 'policy.safetensors').read_bytes()
    model.agent.networks.actor.motor.bias.data[0] = np.nan
    with pytest.raises(DivergenceError, match=r'a weight of the networks \(actor\.motor\.bias\) is not finite'):
        model.export(tmp_path / 'policy.safetensors')
    assert (tmp_path / 'policy.safetensors').read_bytes() == before
    with pytest.raises(DivergenceError):
        checkpoint.write(tmp_path / 'checkpoint.safetensors', model.agent, model.arguments(), RunState())
    assert not (tmp_path / 'checkpoint.safetensors').exists()


# --- the file


def test_a_checkpoint_is_an_agent_that_can_be_loaded(run: RunPaths) -> None:
    model = LiquidDDPG.load(checkpoint_files(run)[0])
    assert model.agent.steps == int(checkpoint_files(run)[0].stem)
    assert len(model.agent.buffer) == min(model.agent.steps, 60)


def test_an_agent_trained_with_another_seed_than_its_own_keeps_its_wiring(tmp_path: Path) -> None:
    model = LiquidDDPG(2, 12, 1, seed=0)
    model.train(Reach(), 8, n_episodes=2, seed=1, eval_every=0, progress=False)
    model.save(tmp_path / 'agent.safetensors')
    loaded = LiquidDDPG.load(tmp_path / 'agent.safetensors')
    assert np.array_equal(loaded.agent.wiring.command, model.agent.wiring.command)
    assert loaded.agent.streams.run_seed == 1
    assert loaded.agent.policy_file().digest == model.agent.policy_file().digest


def test_a_run_config_tells_the_wrappers_that_a_name_does_not(tmp_path: Path) -> None:
    train(tmp_path / 'run', total_steps=20)
    config = RunConfig.load(RunPaths(tmp_path / 'run').config)
    with pytest.raises(ConfigError, match='without an id'):
        config.name_of_env()


def test_episodes_are_records(run: RunPaths) -> None:
    """The loop's integers are restored as integers."""
    seen: list[EpisodeRecord] = []

    class Watch(Callback):
        def on_resume(self, state: Any) -> None:
            seen.extend(state.result.episodes)

    train(run.folder, callbacks=[Watch()])
    assert seen
    assert all(isinstance(one.steps, int) and isinstance(one.length, int) for one in seen)


class Bare(Reach):
    """States its period only by its frame rate, which earlier releases ignored."""

    def __init__(self, fps: int | None = None) -> None:
        super().__init__()
        self.metadata = {} if fps is None else {'render_fps': fps}

    def __getattribute__(self, name: str) -> Any:
        if name == 'dt':
            raise AttributeError(name)
        return super().__getattribute__(name)


def test_a_run_whose_period_was_assumed_goes_on_although_it_is_found_today(tmp_path: Path) -> None:
    options = {'run_dir': tmp_path / 'run', 'start_steps': 4, 'progress': False, 'checkpoint_every': 0}
    with pytest.warns(UserWarning, match='1 s is assumed'):
        LiquidDDPG(2, 8, 1, seed=1).train(Bare(), 8, n_episodes=2, **options)
    again = LiquidDDPG(2, 8, 1, seed=1)
    again.train(Bare(fps=50), 8, n_episodes=3, resume=True, **options)
    assert again.spec is not None
    assert (again.spec.control_period, again.spec.control_period_assumed) == (1.0, True)
