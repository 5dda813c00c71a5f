from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from toy_tasks import reacher
from toy_vector import Walk, walks

from velora_ros.errors import ConfigError, UnsupportedEnvironmentError
from velora_ros.models import LiquidDDPG
from velora_ros.training import RunPaths, TrainResult
from velora_ros.training.runs import checkpoint_schedule
from velora_ros.training.runs.checkpoint import read
from velora_ros.training.runs.paths import checkpoint_files
from velora_ros.utils import memory

SETTINGS: dict[str, Any] = {
    'total_steps': 300, 'start_steps': 64, 'boost_steps': 0, 'update_ratio': 0.1, 'eval_every': 0, 'progress': False,
}  # fmt: skip


def model(**changes: Any) -> LiquidDDPG:
    return LiquidDDPG(2, 4, 1, **{'seed': 1, 'critic_sizes': (8,), 'buffer_size': 1000, **changes})


def train(env: VectorEnv[Any, Any, Any], agent: LiquidDDPG | None = None, **changes: Any) -> TrainResult:
    batch_size = changes.pop('batch_size', 16)
    return (agent or model()).train(env, batch_size, **{**SETTINGS, **changes})


@pytest.mark.parametrize('mode', list(AutoresetMode))
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_an_agent_trains_in_a_vector(mode: AutoresetMode, dtype: Any) -> None:
    agent = model()
    before = {name: one.clone() for name, one in _weights(agent).items()}
    result = train(walks(4, mode, dtype=dtype), agent)
    assert 300 <= result.steps < 304
    assert agent.agent.updates > 20
    assert not any(one.equal(before[name]) for name, one in _weights(agent).items())


def _weights(agent: LiquidDDPG) -> dict[str, Any]:
    return {name: one for name, one in agent.agent.networks.actor.state_dict().items() if name.endswith('weight')}


def test_training_in_a_vector_repeats_with_its_seed() -> None:
    one, other = model(), model()
    train(walks(3), one)
    train(walks(3), other)
    for name, weight in _weights(one).items():
        assert weight.equal(_weights(other)[name])


def test_an_agent_goes_on_in_another_number_of_environments() -> None:
    agent = model()
    train(walks(3), agent)
    train(walks(5), agent)
    agent.train(Walk(), 16, **SETTINGS)
    assert agent.agent.steps == 300 + 300 + 300


def test_evaluations_of_a_vector_are_in_one_more_environment() -> None:
    names = [lambda: gymnasium.make('InvertedPendulum-v5')] * 2
    agent = LiquidDDPG(4, 4, 1, seed=1)
    env = SyncVectorEnv(names, autoreset_mode=AutoresetMode.DISABLED)
    result = train(env, agent, eval_every=150, eval_episodes=1)
    assert [one.steps for one in result.evaluations] == [150, 300]
    assert agent.spec.action_names == ('slider/effort',)
    assert agent.spec.control_period == pytest.approx(0.04)


def test_environments_in_other_processes_are_known_by_a_further_one() -> None:
    agent = LiquidDDPG(4, 4, 1, seed=1)
    env = AsyncVectorEnv([lambda: gymnasium.make('InvertedPendulum-v5')] * 2)
    try:
        result = train(env, agent, eval_every=150, eval_episodes=1)
        with pytest.raises(ConfigError, match='max_steps is 10'):
            train(env, max_steps=10, agent=LiquidDDPG(4, 4, 1, seed=1))
    finally:
        env.close()
    assert len(result.evaluations) == 2
    assert agent.spec.control_period == pytest.approx(0.04)


def test_a_task_is_evaluated_in_many_simulations() -> None:
    env = reacher().make_vec(3)
    spec = env.policy_spec
    agent = LiquidDDPG(spec.observation_dim, 4, spec.action_dim, seed=1)
    result = train(env, agent, eval_every=150, eval_episodes=4)
    assert [len(one.result.returns) for one in result.evaluations] == [4, 4]
    assert agent.spec == spec


# --- bad input


def test_environments_with_other_periods_are_refused() -> None:
    class Faster(Walk):
        dt = 0.1

    env = SyncVectorEnv([Walk, Walk, Faster], autoreset_mode=AutoresetMode.DISABLED)
    with pytest.raises(
        UnsupportedEnvironmentError, match=r'environment 2 of the vector has the period 0.1, but .* 0.5'
    ):
        train(env)


def test_environments_with_other_bounds_are_refused() -> None:
    class Bounded(Walk):
        def __init__(self) -> None:
            super().__init__()
            self.observation_space = gymnasium.spaces.Box(-9, np.inf, (2,), np.float64)

    env = SyncVectorEnv([Walk, Bounded], autoreset_mode=AutoresetMode.DISABLED, observation_mode='different')
    with pytest.raises(UnsupportedEnvironmentError, match='environment 1 of the vector has the observation space Box'):
        train(env)


def test_nan_from_one_of_many_streams_names_it_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    class Breaks(Walk):
        """Returns NaN from its 120th step on."""

        steps = 0

        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            self.steps += 1
            observation, *others = super().step(action)
            return (observation if self.steps < 120 else observation * np.nan, *others)  # type: ignore[return-value]

    env = SyncVectorEnv([Walk] * 7 + [Breaks] + [Walk] * 56, autoreset_mode=AutoresetMode.DISABLED)
    env.get_state, env.set_state = dict, lambda state: None  # type: ignore[attr-defined]
    options = {'run_dir': tmp_path, 'total_steps': 64 * 200, 'checkpoint_every': 0.0, 'update_ratio': 0.001}
    with pytest.raises(UnsupportedEnvironmentError, match='not finite in stream 7 of 64, entry 0') as caught:
        train(env, **options)
    assert 'The run is kept up to step 6400; resume it with: velora_ros train --resume' in str(caught.value)
    assert read(checkpoint_files(RunPaths(tmp_path))[0]).state.steps == 6400


def test_the_steps_between_two_checkpoints_are_those_of_each_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('velora_ros.models.train.EVERY_STEPS', 150)
    monkeypatch.setattr(checkpoint_schedule, 'LARGEST_SHARE_OF_STEPS', 1e9)  # however slow the disk is
    env = walks(4)
    env.get_state, env.set_state = dict, lambda state: None  # type: ignore[attr-defined]
    options = {'checkpoint_every': 1e6, 'keep_checkpoints': 9, 'update_ratio': 0.001}
    train(env, run_dir=tmp_path, total_steps=2000, **options)  # it can be saved every 400 steps
    assert sorted(int(path.stem) for path in checkpoint_files(RunPaths(tmp_path))) == [0, 800, 1600, 2000]


@pytest.mark.parametrize(
    ('agent', 'changes', 'said'),
    [
        ({'buffer_size': 100}, {'batch_size': 128}, 'buffer_size is 100, but the first update needs'),
        ({'buffer_size': 300}, {}, 'buffer_size is 300; 64 environments need at least 512 transitions'),
        ({'buffer_size': 600}, {'batch_size': 600}, 'of which 64 environments keep 576 transitions, the same number'),
        ({}, {'episode_share': 0.5}, 'episode_share is 0.5, which needs a single environment'),
    ],
)
def test_what_cannot_be_trained_in_so_many_environments_is_refused(
    agent: dict[str, Any], changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        train(walks(64), model(**agent), **changes, run_dir=tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_observations_that_are_no_vector_are_refused() -> None:
    class Picture(Walk):
        def __init__(self) -> None:
            super().__init__()
            self.observation_space = gymnasium.spaces.Box(-1, 1, (2, 2), np.float64)

    with pytest.raises(UnsupportedEnvironmentError, match='must be'):
        train(SyncVectorEnv([Picture] * 2, autoreset_mode=AutoresetMode.DISABLED))


def test_a_replay_that_will_not_fit_into_memory_is_refused_before_a_folder_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / 'meminfo').write_text('MemAvailable: 4 kB\n')
    monkeypatch.setattr(memory, 'MEMORY', tmp_path / 'meminfo')
    with pytest.raises(ConfigError, match=r'the replay will need about .*; lower buffer_size'):
        train(walks(4), run_dir=tmp_path / 'run')
    assert not (tmp_path / 'run').exists()
    train(walks(4), total_steps=20)


@pytest.mark.parametrize('streams', [1, 3])
def test_where_failing_early_pays_the_start_up_warns(streams: int, caplog: pytest.LogCaptureFixture) -> None:
    class Costly(Walk):
        fails = True

        def step(self, action: Any) -> Any:
            observation, _, terminated, truncated, info = super().step(action)
            return observation, -1.0, self.fails and terminated, truncated, info

    class Endless(Costly):
        fails = False

    for kind, warns in ((Costly, True), (Endless, False)):
        caplog.clear()
        env: Any = SyncVectorEnv([kind] * streams, autoreset_mode=AutoresetMode.DISABLED) if streams > 1 else kind()
        train(env)
        assert ('100 % of the rewards in the start-up steps are below 0, and episodes' in caplog.text) is warns
