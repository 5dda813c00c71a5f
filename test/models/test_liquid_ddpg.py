import copy
import functools
import inspect
import pickle  # noqa: TID251 - in memory, as processes exchange an agent
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from backend_updates import numbers
from toy import Reach

from velora_ros.errors import ConfigError, PolicyFileError, SpecError, UnsupportedEnvironmentError, VeloraError
from velora_ros.models import LiquidDDPG
from velora_ros.policy import Policy
from velora_ros.training import Callback, EvaluateIn, TrainConfig, TrainResult, agent_file
from velora_ros.utils import set_seed

QUICK: dict[str, Any] = {'start_steps': 20, 'boost_ratio': 1, 'eval_every': 0, 'progress': False}


def trained(seed: int = 3, steps: int = 60, **arguments: Any) -> tuple[LiquidDDPG, TrainResult]:
    model = LiquidDDPG(2, 6, 1, seed=seed)
    return model, model.train(Reach(), 16, total_steps=steps, **{**QUICK, **arguments})


def weights(model: LiquidDDPG) -> dict[str, torch.Tensor]:
    return copy.deepcopy(model.agent.networks.state_dict())


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(left[name], right[name]) for name in left)


def test_the_signatures_are_the_published_ones() -> None:
    constructor = inspect.signature(LiquidDDPG).parameters
    assert list(constructor)[:8] == [
        'state_dim', 'n_neurons', 'action_dim', 'optim', 'buffer_size', 'actor_lr', 'critic_lr', 'device',
    ]  # fmt: skip
    assert constructor['optim'].default is torch.optim.Adam
    assert [constructor[name].default for name in list(constructor)[4:8]] == [100_000, 1e-4, 1e-3, None]
    train = inspect.signature(LiquidDDPG.train).parameters
    assert list(train)[:9] == [
        'self', 'env', 'batch_size', 'n_episodes', 'max_steps', 'noise_scale', 'gamma', 'tau', 'window_size',
    ]  # fmt: skip
    assert [train[name].default for name in list(train)[3:9]] == [1000, 1000, 0.3, 0.99, 0.005, 100]
    predict = inspect.signature(LiquidDDPG.predict).parameters
    assert list(predict)[:4] == ['self', 'state', 'hidden', 'noise_scale']
    assert predict['noise_scale'].default == 0.1


def test_the_configuration_table_has_the_signatures_defaults() -> None:
    config = TrainConfig()
    for function, group in ((LiquidDDPG, config.agent_arguments()), (LiquidDDPG.train, config.train_arguments())):
        parameters = inspect.signature(function).parameters
        for name, value in group.items():
            if name not in {'n_neurons', 'batch_size'}:  # positional in the signature
                assert parameters[name].default == value, name


def test_training_improves_a_task_that_can_be_learnt() -> None:
    model = LiquidDDPG(2, 10, 1, seed=0, actor_lr=1e-3)
    result = model.train(Reach(), 64, total_steps=1500, start_steps=100, boost_ratio=1, eval_every=0, progress=False)
    assert np.mean(result.returns[:5]) < -5
    errors = [
        abs(float(model.predict(np.array([place, 1.0]), noise_scale=0)[0][0]) + place) for place in (-0.8, 0.0, 0.8)
    ]
    assert max(errors) < 0.25


def test_every_recurrent_weight_changes_in_training() -> None:
    model = LiquidDDPG(2, 10, 1, seed=1)
    before = weights(model)
    model.train(Reach(), 16, total_steps=60, **QUICK)
    synapses = model.agent.networks.actor.command.mask > 0
    changed = weights(model)['actor.command.weight'] != before['actor.command.weight']
    assert changed[synapses].all()
    assert not changed[~synapses].any()


def test_one_seed_is_one_run_bit_for_bit() -> None:
    (first, result), (again, same_result), (other, _) = trained(3), trained(3), trained(4)
    assert same(weights(first), weights(again))
    assert result.returns == same_result.returns
    assert not same(weights(first), weights(other))


def test_a_motor_layer_that_begins_small_acts_little() -> None:
    usual, small = LiquidDDPG(2, 6, 1, seed=5), LiquidDDPG(2, 6, 1, seed=5, motor_init=0.1)
    for name, weight in weights(usual).items():
        factor = 0.1 if name.startswith(('actor.motor.weight', 'actor_target.motor.weight')) else 1.0
        torch.testing.assert_close(weights(small)[name], factor * weight)


def test_without_a_seed_set_seed_suffices() -> None:
    def run() -> dict[str, torch.Tensor]:
        set_seed(64)
        model = LiquidDDPG(2, 6, 1)
        model.train(Reach(), 16, total_steps=40, **QUICK)
        return weights(model)

    assert same(run(), run())


@pytest.mark.parametrize(
    'arguments',
    [
        {},
        {'optim': torch.optim.RMSprop},
        {'critic_neurons': 5},
        {'policy_tau': 0.01},
        {'core_rate': 0.1, 'motor_init': 0.1},
        {'core_rate': 0.1, 'backend': 'torch'},
    ],
)
def test_save_load_predict_is_exact_and_training_goes_on_as_if_never_stopped(
    tmp_path: Path, arguments: dict[str, Any]
) -> None:
    model = LiquidDDPG(2, 6, 1, seed=5, **arguments)
    model.train(Reach(), 16, total_steps=60, **QUICK)
    model.save(tmp_path / 'agent.safetensors', buffer=True)
    loaded = LiquidDDPG.load(tmp_path / 'agent.safetensors')
    state = np.array([[0.3, 1.0], [-0.5, 1.0]])
    for noise in (0.0, 0.4):
        for ours, theirs in zip(
            model.predict(state, noise_scale=noise), loaded.predict(state, noise_scale=noise), strict=True
        ):
            assert np.array_equal(ours, theirs)
    model.train(Reach(), 16, total_steps=40, **QUICK)
    loaded.train(Reach(), 16, total_steps=40, **QUICK)
    assert same(weights(model), weights(loaded))


@pytest.mark.parametrize('copied', [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize(
    'arguments', [{}, {'optim': torch.optim.RMSprop}, {'critic_neurons': 5, 'policy_tau': 0.01}, {'cell': 'gru'}]
)
def test_a_copy_learns_what_the_original_does_and_neither_changes_the_other(
    arguments: dict[str, Any], copied: Callable[[LiquidDDPG], LiquidDDPG]
) -> None:
    model = LiquidDDPG(2, 6, 1, seed=5, **arguments)
    model.train(Reach(), 16, total_steps=60, **QUICK)
    twin, before = copied(model), weights(model)
    twin.train(Reach(), 16, total_steps=40, **QUICK)
    assert same(weights(model), before)
    model.train(Reach(), 16, total_steps=40, **QUICK)
    assert not same(weights(model), before)
    assert same(weights(model), weights(twin))


def test_a_damaged_or_foreign_file_is_refused_by_name(tmp_path: Path) -> None:
    model, _ = trained()
    path = tmp_path / 'agent.safetensors'
    model.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PolicyFileError, match=r'agent\.safetensors'):
        LiquidDDPG.load(path)
    model.export(path)
    with pytest.raises(PolicyFileError, match=r'this is a policy, not a saved agent.*LiquidDDPG\.from_policy'):
        LiquidDDPG.load(path)
    with pytest.raises(PolicyFileError, match='does not exist'):
        LiquidDDPG.load(tmp_path / 'none.safetensors')


def test_the_exported_policy_acts_as_the_agent_does_over_an_episode_with_varying_time(tmp_path: Path) -> None:
    model, _ = trained()
    model.agent.dt_range = (0.1, 2.0)
    model.export(tmp_path / 'p.safetensors')
    rng = np.random.default_rng(0)
    policies = [Policy.load(tmp_path / 'p.safetensors', engine=engine) for engine in ('numpy', 'numba')]
    hidden = None
    for _ in range(1000):
        state, dt = rng.normal(size=2).astype(np.float32), float(rng.uniform(0.0, 3.0))
        action, hidden = model.predict(state, hidden, noise_scale=0, dt=dt)
        for policy in policies:
            np.testing.assert_allclose(
                policy.step(state, dt), action, rtol=0, atol=4e-5
            )  # 1e-5 of the action range of 4


def test_predictions_with_noise_leave_training_as_it_was(tmp_path: Path) -> None:
    class Asks(Callback):
        def on_step(self, steps: int) -> None:
            self.model.predict(np.ones(2), noise_scale=0.5)

    asks, model = Asks(), LiquidDDPG(2, 6, 1, seed=3)
    asks.model = model
    model.train(Reach(), 16, total_steps=60, callbacks=[asks], **QUICK)
    assert same(weights(model), weights(trained(3)[0]))


def test_an_agent_saved_before_predictions_had_a_stream_of_their_own_is_read(tmp_path: Path) -> None:
    model, _ = trained()
    model.save(tmp_path / 'agent.safetensors')
    tensors, values = agent_file.read(tmp_path / 'agent.safetensors')
    del values['random']['predict']
    loaded = LiquidDDPG(2, 6, 1, seed=9)
    loaded.agent.restore(tensors, values)
    assert np.array_equal(loaded.predict(np.ones(2))[0], model.predict(np.ones(2))[0])


@pytest.mark.parametrize('batch', [None, 3])
@pytest.mark.parametrize('kind', ['numpy', 'torch'])
def test_predict_returns_what_it_was_given(kind: str, batch: int | None) -> None:
    model, _ = trained()
    shape = (2,) if batch is None else (batch, 2)
    state: Any = np.ones(shape) if kind == 'numpy' else torch.ones(shape)
    action, hidden = model.predict(state, None)
    action, hidden = model.predict(state, hidden)
    assert isinstance(action, np.ndarray if kind == 'numpy' else torch.Tensor)
    assert tuple(action.shape) == (*shape[:-1], 1)
    assert tuple(hidden.shape) == (*shape[:-1], 2)


def test_predict_stays_within_the_environments_bounds_and_uses_them() -> None:
    model = LiquidDDPG(2, 6, 1, seed=0)
    model.train(Reach(low=-5.0, high=1.0), 16, total_steps=40, **QUICK)
    actions = np.concatenate([model.predict(np.zeros((200, 2)), noise_scale=2.0)[0] for _ in range(5)])
    assert actions.min() == -5.0
    assert actions.max() == 1.0


@pytest.mark.parametrize(
    ('state', 'hidden'),
    [
        (np.ones(3), None),
        (np.array([np.nan, 0]), None),
        (np.ones((2, 2)), np.ones(2)),
        (np.ones(2), np.ones(9)),
        ('x', None),
    ],
)
def test_predict_refuses_what_it_cannot_use(state: Any, hidden: Any) -> None:
    with pytest.raises(VeloraError):
        LiquidDDPG(2, 6, 1).predict(state, hidden)


def test_the_callers_environment_stays_open_and_usable() -> None:
    env = Reach()
    LiquidDDPG(2, 6, 1).train(env, 16, total_steps=30, **QUICK)
    assert not env.closed
    env.reset()
    env.step(np.zeros(1, np.float32))


def test_actions_reach_both_bounds_of_the_environment() -> None:
    env = Reach(low=-3.0, high=9.0)
    LiquidDDPG(2, 6, 1, seed=0).train(env, 16, total_steps=200, **{**QUICK, 'noise_scale': 2.0})
    assert min(env.actions)[0] == pytest.approx(-3.0)
    assert max(env.actions)[0] == pytest.approx(9.0)


def test_a_second_call_continues() -> None:
    model, _ = trained(steps=60)
    result = model.train(Reach(), 16, total_steps=30, **QUICK)
    assert model.agent.steps == 90
    assert result.steps == 30
    assert result.episodes[0].episode == 7


def test_an_environment_that_does_not_fit_is_refused() -> None:
    model, _ = trained()
    with pytest.raises(SpecError, match='action bounds'):
        model.train(Reach(high=7.0), 16, **QUICK)
    with pytest.raises(SpecError, match=r'LiquidDDPG\(2, 6, 1\)'):
        LiquidDDPG(5, 6, 1).train(Reach(), 16, **QUICK)


class _Broken(Reach):
    def __init__(self, *, observation: float = 0.0, reward: float = 0.0) -> None:
        super().__init__()
        self.added_observation, self.added_reward = observation, reward

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, reward, *rest = super().step(action)
        return observation + self.added_observation, reward + self.added_reward, *rest  # type: ignore[return-value]


@pytest.mark.parametrize('fault', [{'observation': np.nan}, {'reward': np.inf}])
def test_numbers_that_are_not_finite_end_training_with_a_clear_error(fault: dict[str, float]) -> None:
    with pytest.raises(UnsupportedEnvironmentError, match='finite'):
        LiquidDDPG(2, 6, 1).train(_Broken(**fault), 16, **QUICK)


def test_a_discrete_action_space_is_refused_by_name() -> None:
    with gymnasium.make('CartPole-v1') as env, pytest.raises(UnsupportedEnvironmentError, match='Discrete'):
        LiquidDDPG(4, 6, 1).train(env, 16, **QUICK)


@pytest.mark.parametrize(
    'arguments', [{'batch_size': 12}, {'batch_size': 16, 'gamma': 1.5}, {'batch_size': 16, 'total_steps': 0}]
)
def test_hyperparameters_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        LiquidDDPG(2, 6, 1).train(Reach(), **{**QUICK, **arguments})


@pytest.mark.parametrize('wrap', [lambda env: env, gymnasium.wrappers.RecordEpisodeStatistics])
def test_the_environment_that_is_trained_in_is_refused_for_evaluations(wrap: Any) -> None:
    env = Reach()
    with pytest.raises(ConfigError, match='eval_env is the training environment'):
        LiquidDDPG(2, 6, 1).train(env, 16, eval_env=wrap(env), progress=False)
    with pytest.raises(ConfigError, match='the env of EvaluateIn is the training environment'):
        LiquidDDPG(2, 6, 1).train(env, 16, callbacks=[EvaluateIn(wrap(env))], progress=False)


@pytest.mark.parametrize('env', [None, 'InvertedPendulum-v5'])
def test_what_is_no_environment_is_refused_with_how_to_make_one(env: Any) -> None:
    with pytest.raises(UnsupportedEnvironmentError, match=r"is not a gymnasium\.Env; pass .*make\('Inverted"):
        LiquidDDPG(2, 6, 1).train(env, 16, progress=False)
    with pytest.raises(UnsupportedEnvironmentError, match=r'is not a gymnasium\.Env'):
        LiquidDDPG(2, 6, 1).train(Reach(), 16, eval_env=env or 'Reach', progress=False)


TINY: dict[str, Any] = {'start_steps': 20, 'boost_ratio': 0, 'update_ratio': 0, 'eval_every': 0, 'progress': False}


@pytest.mark.parametrize('from_a_table', [False, True])
def test_a_budget_of_steps_is_not_cut_short_by_the_default_number_of_episodes(from_a_table: bool) -> None:
    arguments = {**TINY, 'batch_size': 16}
    if from_a_table:
        values = {name: value for name, value in arguments.items() if name != 'progress'}
        arguments = {**TrainConfig(**values).train_arguments(), 'progress': False}
    result = LiquidDDPG(2, 6, 1).train(Reach(length=2), **arguments, total_steps=2500)
    assert (result.steps, len(result.episodes)) == (2500, 1250)
    assert (result.stopped_by, result.reason, result.stopped) == ('steps', 'total_steps, 2500', '')


def test_without_a_budget_of_steps_a_thousand_episodes_are_run() -> None:
    result = LiquidDDPG(2, 6, 1).train(Reach(length=1), 16, **TINY)
    assert (result.steps, result.stopped_by, result.reason) == (1000, 'episodes', 'n_episodes, 1000')


def test_of_two_budgets_the_first_one_that_is_used_up_counts_and_is_named() -> None:
    def train(**budgets: Any) -> TrainResult:
        return LiquidDDPG(2, 6, 1).train(Reach(length=2), 16, **TINY, **budgets)

    cut = train(total_steps=4000, n_episodes=1000)  # asked for, though it is the default's value
    assert (cut.steps, cut.stopped_by, cut.reason) == (2000, 'episodes', 'n_episodes, 1000 before total_steps, 4000')
    assert train(total_steps=30, n_episodes=1000).stopped_by == 'steps'


def test_a_replay_that_never_holds_a_batch_is_refused_and_a_small_one_is_welcome() -> None:
    model = LiquidDDPG(2, 6, 1, buffer_size=60)
    with pytest.raises(ConfigError, match='buffer_size is 60, but the first update needs 64'):
        model.train(Reach(), 64, progress=False)
    with pytest.raises(ConfigError, match='needs 61 transitions in the replay'):
        model.train(Reach(), 16, burn_in=53, **QUICK)
    model.train(Reach(), 56, total_steps=60, **QUICK)
    assert model.agent.updates > 0
    LiquidDDPG(2, 6, 1, buffer_size=200_000).train(Reach(), 150_000, sequence_length=10, total_steps=10, **QUICK)


def normaliser_of(model: LiquidDDPG) -> tuple[list[float], list[float]]:
    normaliser = model.agent.networks.observation_normaliser
    return normaliser.offset.tolist(), normaliser.scale.tolist()


def test_a_frozen_normaliser_stays_frozen() -> None:
    model, _ = trained(steps=60)
    before = normaliser_of(model)
    assert before != ([0, 0], [1, 1])
    model.train(Reach(), 16, total_steps=60, **{**QUICK, 'start_steps': 100})
    assert normaliser_of(model) == before


def test_a_start_up_too_short_to_freeze_the_normaliser_is_refused() -> None:
    for steps in (0, 1):
        options = {**QUICK, 'start_steps': steps, 'total_steps': 40}
        with pytest.raises(ConfigError, match=f'start_steps is {steps} .* at least 2, usually a few hundred'):
            LiquidDDPG(2, 6, 1).train(Reach(), 16, **options)
        LiquidDDPG(2, 6, 1, normalise=False).train(Reach(), 16, **options)
    model, _ = trained(steps=10)
    with pytest.raises(ConfigError, match=r'start_steps is 5 and the agent has taken 10 steps, .* at least 11'):
        model.train(Reach(), 16, **{**QUICK, 'start_steps': 5})
    model.train(Reach(), 16, total_steps=20, **{**QUICK, 'start_steps': 11})
    assert normaliser_of(model) != ([0, 0], [1, 1])
    model.train(Reach(), 16, total_steps=20, **{**QUICK, 'start_steps': 0})  # it is frozen by now


@pytest.mark.parametrize('steps', [1.5, 0, True, '10', float('inf')])
def test_a_budget_that_is_no_positive_integer_is_refused(steps: Any) -> None:
    with pytest.raises(ConfigError, match=f'total_steps is {steps!r}; it must be a positive integer'):
        LiquidDDPG(2, 6, 1).train(Reach(), 16, total_steps=steps, progress=False)


def test_numpys_numbers_are_taken_wherever_pythons_are(tmp_path: Path) -> None:
    sizes = [np.int64(size) for size in (2, 6, 1)]
    model = LiquidDDPG(*sizes, actor_lr=np.float64(1e-4), buffer_size=np.int64(100_000), seed=np.int64(3))
    options = {**QUICK, 'seed': np.int64(3), 'control_period': np.float64(0.1)}
    model.train(Reach(), np.int64(16), total_steps=np.int64(60), run_dir=tmp_path / 'run', **options)
    assert same(weights(model), weights(trained(3)[0]))
    model.save(tmp_path / 'agent.safetensors')
    LiquidDDPG.load(tmp_path / 'agent.safetensors')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'optim': functools.partial(torch.optim.Adam, eps=1e-6)}, r'optim is functools\.partial.* optimiser class'),
        ({'optim': torch.nn.Linear}, 'it must be an optimiser class'),
        ({'device': 'cpuu'}, "the device is 'cpuu', which is not a torch device; the valid devices here are"),
        ({'state_dim': 0}, 'state_dim is 0; it must be an integer, at least 1'),
        ({'action_dim': 1.5}, 'action_dim is 1.5; it must be an integer, at least 1'),
        ({'critic_neurons': 1}, 'critic_neurons is 1; it must be at least 2'),
    ],
)
def test_an_agent_that_cannot_be_is_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LiquidDDPG(**{'state_dim': 2, 'n_neurons': 6, 'action_dim': 1, **arguments})


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has the device')
@pytest.mark.parametrize('device', ['cuda', torch.device('cuda:0')])
def test_a_device_that_is_not_there_is_refused(device: Any) -> None:
    with pytest.raises(ConfigError, match='torch sees no CUDA device here'):
        LiquidDDPG(2, 6, 1, device=device)


def test_torchs_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    trained(steps=30)
    assert torch.get_num_threads() == before


def test_a_privileged_state_reaches_the_critic_alone() -> None:
    class Privileged(Reach):
        def reset(self, **arguments: Any) -> tuple[np.ndarray, dict[str, Any]]:
            observation, _ = super().reset(**arguments)
            return observation, {'privileged_state': np.arange(5.0)}

        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            *rest, _ = super().step(action)
            return *rest, {'privileged_state': np.arange(5.0)}  # type: ignore[return-value]

    model = LiquidDDPG(2, 6, 1, seed=0)
    model.train(Privileged(), 16, total_steps=60, **QUICK)
    assert model.agent.networks.critics[0].layers[0].in_features == 6
    assert model.predict(np.ones(2))[0].shape == (1,)
    with pytest.raises(SpecError, match='privileged'):
        model.train(Reach(), 16, **QUICK)


def test_learning_rates_change_with_an_episode_and_the_policy_says_so() -> None:
    class Freeze(Callback):
        def on_episode_start(self) -> dict[str, float]:
            return {'actor_lr': 1e-12} if model.agent.steps == 30 else {}

    model = LiquidDDPG(2, 6, 1, seed=3)
    model.train(Reach(), 16, total_steps=30, **QUICK)
    before = model.agent.networks.actor.motor.weight.detach().clone()
    model.train(Reach(), 16, total_steps=30, callbacks=[Freeze()], **QUICK)
    assert torch.allclose(before, model.agent.networks.actor.motor.weight, rtol=0, atol=1e-9)
    assert model.agent.policy_file().provenance['changes'] == [{'steps': 30, 'actor_lr': 1e-12}]


@pytest.mark.parametrize(
    ('counts', 'rates'),
    [('steps', [0.01**0.5, 0.01, 0.01]), ('full_episodes', [1.0, 0.01 ** (30 / 60), 0.01 ** (1 / 60)])],
)
def test_learning_rates_fall_with_all_steps_or_with_those_of_full_episodes(
    tmp_path: Path, counts: str, rates: list[float]
) -> None:
    class Falls(Reach):
        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            observation, reward, _, truncated, info = super().step(action)
            return observation, reward, self.count == 5, truncated, info

    model, seen = LiquidDDPG(2, 6, 1, seed=3), []
    # The last update of the full episodes sees 30 of their 40 steps, the last one of the falls five halvings: 1 of 40.
    for env, steps in ((Falls(), 30), (Reach(length=10), 40), (Falls(), 30)):
        options: dict[str, Any] = {'lr_decay_steps': 60, 'lr_final': 0.01, 'lr_decay_counts': counts}
        model.train(env, 16, total_steps=steps, **{**QUICK, **options})
        seen.append(model.agent.actor_optimizer.param_groups[0]['lr'] / 1e-4)
        model.save(tmp_path / 'agent.safetensors', buffer=True)  # a saved agent remembers
        model = LiquidDDPG.load(tmp_path / 'agent.safetensors')
    assert seen == pytest.approx(rates)


def test_the_policy_is_an_average_of_the_actor_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tau = LiquidDDPG(2, 6, 1, seed=3, actor_lr=0.01, policy_tau=0.2), 0.2
    actor = model.agent.networks.actor
    average, shares = flat(actor), []
    backend = model.agent.backend
    follow = backend.follow_targets

    def average_by_hand(tau_of_targets: float, **options: bool) -> None:
        nonlocal average
        follow(tau_of_targets, **options)
        shares.append(max(tau, 9 / (10 + len(shares))))
        average = average + shares[-1] * (flat(actor) - average)

    monkeypatch.setattr(backend, 'follow_targets', average_by_hand)
    model.train(Reach(), 16, total_steps=100, **QUICK)
    assert shares[0] > 0.8
    assert shares[-1] == tau
    assert torch.allclose(flat(model.agent.networks.deployed), average, atol=1e-6)
    assert not torch.allclose(flat(actor), average, atol=1e-3)
    state = np.array([0.3, 1.0])
    exported = Policy(model.agent.policy_file()).step(state)
    assert model.predict(state, noise_scale=0)[0] == pytest.approx(exported, abs=1e-5)
    assert model.predict(state, noise_scale=0)[0] != pytest.approx(acted(model, state), abs=1e-5)


def flat(actor: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in actor.parameters()])


def acted(model: LiquidDDPG, state: np.ndarray) -> np.ndarray:
    learner = model.agent
    return learner.backend.act(state.astype(np.float32), learner.initial_hidden(), 1.0)[0]


@pytest.mark.parametrize(
    ('final', 'shares'), [(1.0, [1.0, 1.0, 1.0]), (0.04, [1.0, 0.2, 0.04]), (0.0, [1.0, 0.0, 0.0])]
)
def test_exploration_noise_falls_as_the_learning_rates_do(final: float, shares: list[float]) -> None:
    learner = LiquidDDPG(2, 6, 1, seed=3).agent
    learner.configure(numbers(batch_size=16, sequence_length=8, lr_decay_steps=60, noise_final=final))
    observation, hidden = np.zeros(2, np.float32), learner.initial_hidden()
    silent, _ = learner.act(observation, hidden, 1.0, 0.0)
    for steps, share in zip((0, 30, 120), shares, strict=True):
        learner.steps = steps
        actions = [learner.act(observation, hidden, 1.0, 0.01)[0] - silent for _ in range(2000)]
        assert np.std(actions) == pytest.approx(0.01 * share, rel=0.1)
