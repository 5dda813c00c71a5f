from typing import Any

import numpy as np
import pytest
from toy import Reach

from velora_ros.errors import ConfigError
from velora_ros.gym import spec_from_env
from velora_ros.policy import PolicyFile
from velora_ros.replay_buffers import Transition
from velora_ros.training import Callback, StopTraining, TrainConfig, TrainingLoop, TrainResult
from velora_ros.training.loop_base import RunOptions
from velora_ros.training.records import EpisodeRecord, EvaluationRecord, RunState


class Recorder:
    """An agent that learns nothing and writes down what the loop asks of it."""

    def __init__(self, policy: PolicyFile) -> None:
        self.transitions: list[Transition] = []
        self.random = self.updates = 0
        self.warm_up_ended_after: int | None = None
        self._policy = policy
        self.changes: list[dict[str, float]] = []
        self.noise: list[float] = []
        self.ended: list[tuple[int, bool]] = []

    def initial_hidden(self) -> np.ndarray:
        return np.zeros(2, np.float32)

    def act(self, observation: np.ndarray, hidden: np.ndarray, dt: float, noise_scale: float) -> tuple[Any, Any]:
        self.noise.append(noise_scale)
        return np.zeros(1, np.float32), hidden + 1

    def random_action(self) -> np.ndarray:
        self.random += 1
        return np.ones(1, np.float32)

    def remember(self, transition: Transition) -> None:
        self.transitions.append(transition)

    def end_warm_up(self) -> None:
        self.warm_up_ended_after = len(self.transitions)

    def end_episode(self, length: int, *, full: bool) -> None:
        self.ended.append((length, full))

    def change(self, values: Any) -> None:
        self.changes.append(dict(values))

    def learn(self) -> dict[str, float]:
        self.updates += 1
        return {'critic_loss': 2.0, 'actor_loss': -1.0}

    def diagnostics(self) -> dict[str, float]:
        return {'updates': self.updates}

    def policy_file(self) -> PolicyFile:
        return self._policy


def settings(**changes: Any) -> dict[str, Any]:
    """Return the keywords of the loop; hyperparameters among them go into its configuration."""
    values: dict[str, Any] = {
        'n_episodes': 3, 'max_steps': 1000, 'noise_scale': 0.1, 'noise_low': 1.0, 'start_steps': 5,
        'update_ratio': 1.0, 'boost_ratio': 3.0, 'boost_steps': 4, 'eval_every': 0, 'eval_episodes': 2,
    }  # fmt: skip
    values |= changes
    others = {name: values.pop(name) for name in ('total_steps', 'begins_trained') if name in values}
    return {'config': TrainConfig(**values), 'seed': 1, 'eval_seed': 2, **others}


def run(agent: Any, env: Any, spec: Any, given: dict[str, Any], **others: Any) -> TrainResult:
    config = given['config']
    options = {name: value for name, value in given.items() if name != 'config'}
    return TrainingLoop(agent, env, spec, config, RunOptions(**options, **others)).run()


@pytest.fixture
def agent(make_policy_file: Any) -> Recorder:
    return Recorder(make_policy_file(n_observations=2))


def test_transitions_carry_the_hidden_state_before_and_mark_episode_starts(agent: Recorder) -> None:
    env = Reach(length=4)
    run(agent, env, spec_from_env(env), settings())
    assert [one.first for one in agent.transitions] == [True, False, False, False] * 3
    assert [float(np.asarray(one.hidden)[0]) for one in agent.transitions] == [0, 1, 2, 3] * 3
    for before, after in zip(agent.transitions, agent.transitions[1:], strict=False):
        if not after.first:
            assert np.array_equal(np.asarray(before.next_observation), np.asarray(after.observation))


def test_the_agent_is_told_whether_an_episode_lasted_its_full_time(agent: Recorder) -> None:
    class Falls(Reach):
        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            observation, reward, _, truncated, info = super().step(action)
            return observation, reward, self.count == 3, truncated, info

    for env, limits in ((Falls(), {}), (Falls(length=2), {}), (Falls(), {'max_steps': 2}), (Falls(length=3), {})):
        run(agent, env, spec_from_env(env), settings(n_episodes=1, **limits))
    run(agent, Falls(), spec_from_env(Falls()), settings(total_steps=2))  # the budget's end says nothing
    assert agent.ended == [(3, False), (2, True), (2, True), (3, False)]


def test_each_episode_draws_its_noise_and_a_resumed_run_draws_the_same(agent: Recorder) -> None:
    env = Reach(length=2)
    run(agent, env, spec_from_env(env), settings(n_episodes=200, noise_low=0.5))
    noise = np.array(agent.noise).reshape(200, 2)
    assert np.array_equal(noise[:, 0], noise[:, 1])
    assert 0.05 <= noise.min() < 0.052
    assert 0.098 < noise.max() <= 0.1
    run(agent, env, spec_from_env(env), settings(n_episodes=5, noise_low=0.5), episodes_before=100)
    assert agent.noise[-10:] == noise[100:105].ravel().tolist()


def test_a_time_limit_is_no_termination(agent: Recorder) -> None:
    env = Reach(length=4)
    run(agent, env, spec_from_env(env), settings())
    run(agent, env, spec_from_env(env), settings(max_steps=2))
    assert not any(one.terminated for one in agent.transitions)


def test_start_up_steps_are_random_and_updates_follow_the_ratios(agent: Recorder) -> None:
    env = Reach(length=4)
    run(agent, env, spec_from_env(env), settings())  # 12 steps: 5 random, the last of them already boosted
    assert agent.random == 5
    assert agent.warm_up_ended_after == 5
    assert agent.updates == 4 * 3 + 4 * 1


def test_a_ratio_below_one_updates_now_and_then(agent: Recorder) -> None:
    env = Reach(length=4)
    run(agent, env, spec_from_env(env), settings(start_steps=0, boost_steps=0, update_ratio=0.25))
    assert agent.updates == 3


def test_budgets_in_steps_and_episodes_are_both_kept(agent: Recorder) -> None:
    env = Reach(length=4)
    assert run(agent, env, spec_from_env(env), settings(total_steps=6)).steps == 6
    result = run(agent, env, spec_from_env(env), settings(n_episodes=2))
    assert [record.length for record in result.episodes] == [4, 4]
    assert result.episodes[0].critic_loss == pytest.approx(2.0) or np.isnan(result.episodes[0].critic_loss)


def test_elapsed_time_comes_from_info_and_is_stored_for_both_observations(agent: Recorder) -> None:
    class Jittery(Reach):
        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            observation, reward, terminated, truncated, _ = super().step(action)
            return observation, reward, terminated, truncated, {'dt': 0.1 * self.count}

    env = Jittery(length=3)
    run(agent, env, spec_from_env(env), settings(n_episodes=1))
    assert [one.dt for one in agent.transitions] == pytest.approx([1, 1, 2])
    assert [one.next_dt for one in agent.transitions] == pytest.approx([1, 2, 3])


def test_callbacks_are_told_everything_and_may_stop_the_run(agent: Recorder) -> None:
    class Watcher(Callback):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
            self.seen.append('start')

        def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
            self.seen.append(f'evaluation {record.steps} {len(record.result.returns)}')

        def on_episode_end(self, record: EpisodeRecord) -> None:
            self.seen.append(f'episode {record.episode}')
            if record.episode == 2:
                raise StopTraining('enough')

        def on_train_end(self, result: TrainResult) -> None:
            self.seen.append('end')

    env, watcher = Reach(length=4), Watcher()
    result = run(
        agent,
        env,
        spec_from_env(env),
        settings(eval_every=3),
        eval_env=Reach(low=-3, high=2, length=4),
        callbacks=[watcher],
    )
    assert watcher.seen == ['start', 'evaluation 3 2', 'episode 1', 'evaluation 6 2', 'episode 2', 'end']
    assert result.stopped == 'enough'
    assert result.best_evaluation is not None


@pytest.mark.parametrize('again', [False, True])
@pytest.mark.parametrize(
    'hook',
    [
        'on_train_start', 'on_resume', 'on_between_episodes', 'on_episode_start', 'on_step', 'on_episode_end',
        'on_evaluation',
    ],
)  # fmt: skip
def test_training_may_be_ended_from_any_hook_and_ends_in_order(agent: Recorder, hook: str, again: bool) -> None:
    class Notes(Callback):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
            self.seen.append('start')

        def on_between_episodes(self, state: RunState, *, last: bool) -> None:
            self.seen.extend(['last'] if last else [])

        def on_train_end(self, result: TrainResult) -> None:
            self.seen.append(f'end: {result.stopped}')

    class Stops(Callback):
        pass

    def stop(*arguments: Any, last: bool = False, **others: Any) -> None:
        raise StopTraining('in the end' if last else 'enough')

    env, stops, notes = Reach(length=4), Stops(), Notes()
    setattr(stops, hook, stop)
    if again:
        stops.on_between_episodes = stop  # type: ignore[method-assign]
    options: dict[str, Any] = {'eval_env': Reach(low=-3, high=2, length=4), 'callbacks': [stops, notes]}
    result = run(agent, env, spec_from_env(env), settings(eval_every=3), resumed=RunState(), **options)
    assert [result.stopped, result.reason, result.stopped_by] == ['enough', 'enough', 'callback']
    in_mid_episode = hook in {'on_step', 'on_evaluation'} and not again
    assert notes.seen == ['start', *([] if in_mid_episode else ['last']), 'end: enough']


def test_a_reason_that_comes_with_the_end_is_told(agent: Recorder) -> None:
    class Stops(Callback):
        def on_between_episodes(self, state: RunState, *, last: bool) -> None:
            if last:
                raise StopTraining

    env = Reach(length=4)
    result = run(agent, env, spec_from_env(env), settings(), callbacks=[Stops()])
    assert [result.stopped, result.reason, result.stopped_by] == ['stopped by a callback'] * 2 + ['callback']


def test_the_newest_of_the_policies_that_are_as_good_as_the_best_is_kept(agent: Recorder) -> None:
    class Paying(Reach):
        """Its rewards come from a list, one episode after the other."""

        returns = iter([-5.0, 1000.0, 999.5, 998.6, 999.1, 900.0])

        def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            observation, _, terminated, truncated, info = super().step(action)
            return observation, next(self.returns), terminated, truncated, info

    env, kept = Reach(length=3), []

    class Watcher(Callback):
        def on_evaluation(self, record: EvaluationRecord, policy: PolicyFile, *, is_best: bool) -> None:
            kept.append(is_best)

    options = settings(n_episodes=6, eval_every=3, eval_episodes=1)
    paying = Paying(low=-3, high=2, length=1)
    result = run(agent, env, spec_from_env(env), options, eval_env=paying, callbacks=[Watcher()])
    assert kept == [True, True, True, False, True, False]
    assert result.best_evaluation is not None
    assert result.best_evaluation.result.mean == 999.1


@pytest.mark.parametrize(('changes', 'longest'), [({}, 4), ({'eval_max_steps': 7}, 7)])
def test_evaluations_may_be_longer_than_training_episodes(
    agent: Recorder, changes: dict[str, int], longest: int
) -> None:
    config = TrainConfig(max_steps=4, n_episodes=2, eval_every=4, eval_episodes=2, **changes)
    env = Reach(length=50)
    result = run(
        agent,
        env,
        spec_from_env(env),
        {'config': config, 'seed': 1, 'eval_seed': 2},
        eval_env=Reach(low=-3, high=2, length=50),
    )
    assert [len(agent.transitions), result.steps] == [8, 8]
    assert [record.result.lengths for record in result.evaluations] == [(longest, longest)] * 2


def test_evaluations_leave_training_as_it_was(make_policy_file: Any) -> None:
    def transitions(eval_every: int) -> list[np.ndarray]:
        agent, env = Recorder(make_policy_file(n_observations=2)), Reach(length=4)
        run(agent, env, spec_from_env(env), settings(eval_every=eval_every), eval_env=Reach(low=-3, high=2, length=4))
        return [np.asarray(one.observation) for one in agent.transitions]

    assert np.array_equal(transitions(0), transitions(2))


def test_throughput_comes_from_the_clock_that_was_passed_in(agent: Recorder) -> None:
    ticks = iter(range(1000))
    env = Reach(length=4)
    result = run(agent, env, spec_from_env(env), settings(), clock=lambda: float(next(ticks)))
    assert result.seconds == pytest.approx(len(result.episodes) + 1)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'actor_lr': -1.0}, 'Changes.on_episode_start returned .*: actor_lr is -1.0; it must be a number, above 0'),
        ({'noise_scale': float('nan')}, 'noise_scale is nan; it must be'),
        ({'actor_rl': 0.1}, "'actor_rl' is not a hyperparameter. Did you mean 'actor_lr'"),
        ({'gamma': 0.9}, "'gamma' may not change while training runs. Valid: actor_lr, critic_lr, noise_scale, update"),
    ],
)
def test_a_change_that_cannot_be_is_refused(agent: Recorder, changes: dict[str, float], message: str) -> None:
    class Changes(Callback):
        def on_episode_start(self) -> dict[str, float]:
            return changes

    env = Reach(length=4)
    with pytest.raises(ConfigError, match=message):
        run(agent, env, spec_from_env(env), settings(), callbacks=[Changes()])
    assert agent.changes == []


def test_hyperparameters_change_with_the_next_episode(agent: Recorder) -> None:
    class Changes(Callback):
        def __init__(self) -> None:
            self.due: dict[str, float] = {}

        def on_episode_start(self) -> dict[str, float]:
            due, self.due = self.due, {}
            return due

        def on_step(self, steps: int) -> None:
            if steps == 6:  # in the middle of the second of three episodes
                self.due = {'noise_scale': 0.7, 'actor_lr': 0.5, 'update_ratio': 0.0}

    env = Reach(length=4)
    run(agent, env, spec_from_env(env), settings(start_steps=0, boost_steps=0), callbacks=[Changes()])
    assert agent.noise == [0.1] * 8 + [0.7] * 4
    assert agent.changes == [{'noise_scale': 0.7, 'actor_lr': 0.5, 'update_ratio': 0.0}]
    assert agent.updates == 8
