"""Continuing from a file: what is kept, what starts from scratch, what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy import Reach

from velora_ros.errors import ConfigError, PolicyFileError, SpecError
from velora_ros.gym import PartialObservation
from velora_ros.models import LiquidDDPG
from velora_ros.policy import Policy, PolicyFile
from velora_ros.training import RunPaths, TrainResult

QUICK: dict[str, Any] = {'start_steps': 16, 'boost_ratio': 1.0, 'eval_every': 0, 'progress': False}
CELLS = ('cfc', 'gru', 'mlp')


def train(model: LiquidDDPG, env: Any = None, **options: Any) -> TrainResult:
    return model.train(env or Reach(), 16, **{**QUICK, **options})


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A trained policy of each cell, an agent and a run."""
    folder, found = tmp_path_factory.mktemp('start'), {}
    for cell in CELLS:
        model = LiquidDDPG(2, 6, 1, seed=4, cell=cell, actor_lr=1e-3, critic_sizes=(8, 8))
        train(model, total_steps=120, run_dir=folder / f'run-{cell}', checkpoint_every=0)
        found[cell] = folder / f'{cell}.safetensors'
        model.export(found[cell])
    model.save(folder / 'agent.safetensors', buffer=True)
    return {**found, 'agent': folder / 'agent.safetensors', 'run': folder / 'run-mlp'}


def answers(policy: Policy) -> list[float]:
    rng = np.random.default_rng(0)
    return [float(policy.step(rng.normal(size=2))[0]) for _ in range(20)]


@pytest.mark.parametrize('name', [*CELLS, 'agent', 'run'])
def test_an_agent_from_a_file_acts_as_its_policy_does(files: dict[str, Path], name: str) -> None:
    model = LiquidDDPG.from_policy(files[name], seed=9)
    policy = files[name] if name in CELLS else files['mlp']
    assert answers(Policy(model.agent.policy_file())) == pytest.approx(answers(Policy.load(policy)), abs=1e-5)
    origin = model.agent.policy_file().provenance['from']
    assert origin['kind'] == {'agent': 'agent', 'run': 'checkpoint'}.get(name, 'policy')
    if name in CELLS:
        assert origin['digest'] == PolicyFile.load(policy).digest and origin['steps'] == 120
    assert (model.agent.steps, len(model.agent.buffer)) == (0, 0)


def weights(model: LiquidDDPG, part: str) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in getattr(model.agent.networks, part).state_dict().items()}


def differ(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize('options', [{}, {'optim': torch.optim.RMSprop}, {'policy_tau': 0.1}, {'n_critics': 2}])
def test_the_actor_waits_for_the_critic_and_then_moves(files: dict[str, Path], options: dict[str, Any]) -> None:
    model = LiquidDDPG.from_policy(files['cfc'], seed=9, **options)
    actor, critics = weights(model, 'actor'), weights(model, 'critics')
    train(model, total_steps=60, critic_warm_up=60)
    assert not differ(weights(model, 'actor'), actor)
    assert not differ(weights(model, 'actor_target'), actor)
    assert differ(weights(model, 'critics'), critics)
    train(model, total_steps=20, critic_warm_up=60)
    assert differ(weights(model, 'actor'), actor)


def test_an_agent_that_begins_with_nothing_does_not_wait() -> None:
    def learnt(critic_warm_up: int) -> dict[str, torch.Tensor]:
        model = LiquidDDPG(2, 6, 1, seed=4)
        train(model, total_steps=60, critic_warm_up=critic_warm_up)
        return weights(model, 'actor')

    assert not differ(learnt(0), learnt(10_000))


def test_a_saved_agent_brings_its_critic_and_a_policy_a_new_one(files: dict[str, Path]) -> None:
    saved = weights(LiquidDDPG.load(files['agent']), 'critics')
    assert not differ(saved, weights(LiquidDDPG.from_policy(files['agent'], seed=9), 'critics'))
    assert not differ(saved, weights(LiquidDDPG.from_policy(files['run'], seed=9), 'critics'))
    fresh = LiquidDDPG.from_policy(files['mlp'], seed=9, critic_sizes=(8, 8))
    assert differ(saved, weights(fresh, 'critics'))


def test_the_normalisation_stays_and_the_first_actions_are_the_policy_s(files: dict[str, Path]) -> None:
    class Seen(Reach):
        def __init__(self) -> None:
            super().__init__(length=25)
            self.seen: list[np.ndarray] = []

        def _observation(self) -> np.ndarray:
            self.seen.append(super()._observation())
            return self.seen[-1]

    model, env = LiquidDDPG.from_policy(files['cfc'], seed=9), Seen()
    offset = model.agent.networks.observation_normaliser.offset.clone()
    assert (offset != 0).any()
    train(model, env, total_steps=25, noise_scale=0.0, start_steps=25, critic_warm_up=1000)
    assert torch.equal(model.agent.networks.observation_normaliser.offset, offset)
    assert torch.equal(model.agent.networks.state_normaliser.offset, offset)  # the critic sees the same
    policy = Policy.load(files['cfc'])
    expected = [policy.step(observation)[0] for observation in env.seen[-26:-1]]  # earlier ones: resets that only look
    assert [float(action[0]) for action in env.actions[-25:]] == pytest.approx(expected, abs=1e-5)


def test_what_it_began_with_is_the_best_policy_until_there_is_a_better_one(files: dict[str, Path]) -> None:
    model = LiquidDDPG.from_policy(files['cfc'], seed=9, actor_lr=1.0)  # ruins what there is
    result = train(model, total_steps=60, eval_env=Reach(), eval_every=20, eval_episodes=2, critic_warm_up=0)
    assert [one.steps for one in result.evaluations] == [0, 20, 40, 60]
    assert result.best_policy is not None and result.best_evaluation is not None
    assert result.best_evaluation.result.mean == max(one.result.mean for one in result.evaluations)
    again = train(LiquidDDPG.from_policy(files['cfc'], seed=9), total_steps=600, eval_env=Reach(), eval_every=-1)
    assert [one.steps for one in again.evaluations] == [0, 600]


def test_a_fine_tuned_run_is_resumed_without_the_file_and_bit_for_bit(files: dict[str, Path], tmp_path: Path) -> None:
    copied = tmp_path / 'policy.safetensors'
    copied.write_bytes(files['gru'].read_bytes())
    options: dict[str, Any] = {'critic_warm_up': 30, 'checkpoint_every': 0}
    whole = LiquidDDPG.from_policy(copied, seed=9)
    train(whole, total_steps=80, **options)
    train(LiquidDDPG.from_policy(copied, seed=9), total_steps=40, run_dir=tmp_path / 'run', **options)
    copied.unlink()
    cut = LiquidDDPG.load(sorted(RunPaths(tmp_path / 'run').checkpoints.iterdir())[-1])
    assert cut.agent.wiring.to_dict() == whole.agent.wiring.to_dict()
    train(cut, total_steps=80, run_dir=tmp_path / 'run', resume=True, **options)
    assert not differ(weights(cut, 'actor'), weights(whole, 'actor'))
    assert not differ(weights(cut, 'critics'), weights(whole, 'critics'))
    cut.save(tmp_path / 'agent.safetensors')
    assert LiquidDDPG.load(tmp_path / 'agent.safetensors').agent.policy_file().provenance['from']['kind'] == 'policy'


@pytest.mark.parametrize(
    ('env', 'words'),
    [
        (Reach(high=7.0), r'action_high \[2.0\], but this environment has \[7.0\]'),
        (Reach(low=-7.0), r'action_low \[-2.0\]'),
        (PartialObservation(Reach(), ['obs_0']), 'observation'),
    ],
)
def test_an_environment_of_another_contract_is_refused(files: dict[str, Path], env: Any, words: str) -> None:
    for name in ('cfc', 'agent'):
        model = LiquidDDPG.from_policy(files[name])
        with pytest.raises(SpecError, match=words) as error:
            train(model, env)
        assert '\n' not in str(error.value)


def test_another_period_is_refused(files: dict[str, Path]) -> None:
    class Slower(Reach):
        dt = 0.2

    with pytest.raises(SpecError, match=r'control_period 0\.1 s, but this environment has 0\.2 s'):
        train(LiquidDDPG.from_policy(files['cfc']), Slower())


@pytest.mark.parametrize(
    ('name', 'value'), [('n_neurons', 20), ('cell', 'gru'), ('sparsity', 0.1), ('normalise', False)]
)
def test_an_argument_that_the_file_settles_otherwise_is_refused(files: dict[str, Path], name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f'{name} is .*, but .* has .*omit {name}'):
        LiquidDDPG.from_policy(files['cfc'], **{name: value})
    LiquidDDPG.from_policy(files['cfc'], n_neurons=6, cell='cfc')
    with pytest.raises(ConfigError, match='critic_sizes'):
        LiquidDDPG.from_policy(files['agent'], critic_sizes=[64, 64])


def test_a_new_critic_may_see_more_and_an_old_one_may_not(files: dict[str, Path]) -> None:
    class Shows(Reach):
        def reset(self, **options: Any) -> Any:
            observation, info = super().reset(**options)
            return observation, {**info, 'privileged_state': np.arange(3.0)}

        def step(self, action: np.ndarray) -> Any:
            *rest, info = super().step(action)
            return (*rest, {**info, 'privileged_state': self.np_random.normal(size=3)})

    model = LiquidDDPG.from_policy(files['cfc'], seed=1)
    before = answers(Policy(model.agent.policy_file()))
    train(model, Shows(), total_steps=40, critic_warm_up=1000)
    assert model.agent.privileged_dim == 3
    assert model.agent.networks.state_normaliser.frozen
    assert answers(Policy(model.agent.policy_file())) == before
    with pytest.raises(SpecError, match='privileged'):
        train(LiquidDDPG.from_policy(files['agent']), Shows())


def test_what_no_training_can_begin_from_is_named(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / 'model.zip').write_bytes(b'PK\x03\x04, and then the line was cut')
    (tmp_path / 'empty').mkdir()
    for name, words in (('model.zip', 'is a zip archive'), ('empty', 'is a folder'), ('none', 'does not exist')):
        with pytest.raises(PolicyFileError, match=words):
            LiquidDDPG.from_policy(tmp_path / name)
    whole = files['agent'].read_bytes()
    (tmp_path / 'cut').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PolicyFileError):
        LiquidDDPG.from_policy(tmp_path / 'cut')
