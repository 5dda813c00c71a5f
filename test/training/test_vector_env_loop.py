import itertools
import logging
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from toy_vector import Recorder, Walk, choose, walks

from velora_ros.errors import ConfigError
from velora_ros.gym import spec_from_env
from velora_ros.replay_buffers import Transition
from velora_ros.training import Callback, StopTraining, TrainConfig, TrainResult
from velora_ros.training.loop_base import RunOptions
from velora_ros.training.records import EpisodeRecord
from velora_ros.training.vector_env_loop import VectorTrainingLoop, stream_seed

MODES = list(AutoresetMode)
SEED = 4


def run(agent: Recorder, env: SyncVectorEnv, *, options: dict[str, Any] | None = None, **changes: Any) -> TrainResult:
    values: dict[str, Any] = {
        'n_episodes': 10_000, 'max_steps': 1000, 'noise_scale': 0.1, 'start_steps': 0, 'update_ratio': 0.5,
        'boost_steps': 0, 'eval_every': 0, 'eval_episodes': 1,
    }  # fmt: skip
    given = RunOptions(**{'seed': SEED, 'eval_seed': 2, 'total_steps': 400, **(options or {})})
    spec = spec_from_env(env.envs[0])
    return VectorTrainingLoop(agent, env, spec, TrainConfig(**{**values, **changes}), given).run()  # type: ignore[arg-type]


def alone(stream: int, count: int, *, seeded: bool, **options: Any) -> list[Transition]:
    """What one environment with a stream's seeds returns; ``seeded``: at every reset, not only at the first."""
    env, remembered, episode = Walk(**options), [], 0
    while len(remembered) < count:
        episode += 1
        seed = stream_seed(SEED, stream, episode) if seeded or episode == 1 else None
        observation, info = env.reset(seed=seed)
        hidden, dt, first, over = np.zeros(2, np.float32), 1.0, True, False
        while not over and len(remembered) < count:
            action, after = choose(np.float32(observation), hidden, np.array(dt, np.float32))
            following, reward, terminated, truncated, next_info = env.step(2 * action)
            next_dt = next_info.get('dt', Walk.dt) / Walk.dt
            states = [one.get('privileged_state') for one in (info, next_info)]
            remembered.append(
                Transition(observation, action, reward, terminated, following, dt, next_dt, hidden, first, *states)
            )
            observation, info, hidden, dt, first = following, next_info, after, next_dt, False
            over = terminated or truncated
    return remembered


def assert_same(one: list[Transition], other: list[Transition]) -> None:
    assert len(one) == len(other)
    for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
        for name in Transition._fields:
            a, b = getattr(mine, name), getattr(theirs, name)
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-6, err_msg=f'{name} of transition {number}')


@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('dtype', [np.float64, np.float32])
def test_each_stream_remembers_what_a_single_environment_with_its_seeds_gives(mode: AutoresetMode, dtype: Any) -> None:
    agent = Recorder()
    run(agent, walks(5, mode, dtype=dtype))
    for stream, remembered in enumerate(agent.remembered):
        assert sum(one.first for one in remembered) > 5  # many episodes
        assert any(one.terminated for one in remembered)
        assert_same(remembered, alone(stream, len(remembered), seeded=mode is AutoresetMode.DISABLED, dtype=dtype))


@pytest.mark.parametrize('mode', MODES)
def test_a_vector_without_privileged_state_has_none(mode: AutoresetMode) -> None:
    agent = Recorder()
    run(agent, walks(3, mode, privileged=False))
    assert all(one.state is None and one.next_state is None for stream in agent.remembered for one in stream)


@pytest.mark.parametrize('mode', MODES)
def test_a_truncated_episode_ends_in_its_own_last_observation_and_is_not_terminated(mode: AutoresetMode) -> None:
    agent = Recorder()
    run(agent, walks(3, mode, length=4))
    ends = [
        one
        for stream in agent.remembered
        for one, following in itertools.pairwise(stream)
        if following.first and not one.terminated
    ]
    assert len(ends) > 20
    assert {float(one.next_observation[1]) for one in ends} == {4.0}  # the count before the reset
    assert {float(one.next_state[1]) for one in ends} == {4.0}  # type: ignore[index]


@pytest.mark.parametrize('mode', MODES)
def test_every_episode_begins_without_memory_and_at_the_nominal_time(mode: AutoresetMode) -> None:
    agent = Recorder()
    run(agent, walks(4, mode))
    for stream in agent.remembered:
        for one in stream:
            assert one.first == (float(one.observation[1]) == 0)  # type: ignore[index]
            assert one.first == (not np.any(one.hidden))
            assert not one.first or one.dt == 1


def test_a_stream_depends_on_no_other_stream() -> None:
    few, many = Recorder(), Recorder()
    run(few, walks(2), options={'total_steps': 100}, noise_low=0.2)
    run(many, walks(6), options={'total_steps': 300}, noise_low=0.2)
    for stream in range(2):
        assert_same(few.remembered[stream], many.remembered[stream])
    np.testing.assert_array_equal(np.array(few.noise), np.array(many.noise)[:, :2])
    assert len(np.unique(np.array(few.noise))) > 5  # each episode has its own


def test_reset_steps_are_no_transitions() -> None:
    agent = Recorder()
    result = run(agent, walks(3, AutoresetMode.NEXT_STEP))
    assert result.steps == agent.steps
    assert 400 <= result.steps < 403
    assert result.episodes[-1].steps <= result.steps
    assert len(agent.noise) * 3 > result.steps  # some of the steps were resets


def test_episodes_are_counted_over_all_streams_and_sums_are_their_own() -> None:
    agent, records = Recorder(), list[EpisodeRecord]()

    class Keep(Callback):
        def on_episode_end(self, record: EpisodeRecord) -> None:
            records.append(record)

    result = run(agent, walks(3), options={'callbacks': [Keep()]})
    assert records == result.episodes
    assert [one.episode for one in records] == list(range(1, len(records) + 1))
    places = [0, 0, 0]
    for record, (stream, length, full) in zip(records, agent.ended, strict=True):
        episode = agent.remembered[stream][places[stream] :][:length]
        places[stream] += length
        assert [one.first for one in episode] == [True] + [False] * (length - 1)
        assert record.length == length
        assert record.episode_return == pytest.approx(sum(one.reward for one in episode))
        assert full is not episode[-1].terminated
    assert all(one.critic_loss == 2.0 and one.actor_loss == -1.0 for one in records[5:])


def test_episodes_of_a_vector_without_autoreset_end_at_max_steps() -> None:
    agent = Recorder()
    result = run(agent, walks(3, length=1000), max_steps=5)
    assert max(one.length for one in result.episodes) == 5
    assert all(full == (length == 5) or not full for _, length, full in agent.ended)


@pytest.mark.parametrize('mode', [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_max_steps_below_the_limit_of_a_vector_that_resets_itself_is_refused(mode: AutoresetMode) -> None:
    import gymnasium

    env = SyncVectorEnv([lambda: gymnasium.make('InvertedPendulum-v5')] * 2, autoreset_mode=mode)
    with pytest.raises(ConfigError, match=r'max_steps is 500, but the vector .* only after 1000 steps'):
        run(Recorder(), env, max_steps=500)


def test_the_log_says_once_that_only_the_first_reset_is_seeded(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, 'velora_ros'):
        run(Recorder(), walks(2, AutoresetMode.NEXT_STEP))
        run(Recorder(), walks(2))
    assert sum('only its first reset' in line for line in caplog.messages) == 1


def test_updates_are_due_for_each_transition() -> None:
    agent = Recorder()
    run(agent, walks(4), start_steps=20, update_ratio=0.25)
    assert agent.updates == (400 - 20 + 4) // 4  # one for each step of the vector, from that of transition 20 on
    assert agent.warm_up_ended_after == 20
    assert agent.random == 5


def test_samples_per_transition_sets_the_updates_of_a_step() -> None:
    agent = Recorder()
    run(agent, walks(4), samples_per_transition=48, batch_size=128, update_ratio=9.0, boost_ratio=9.0, boost_steps=99)
    assert agent.updates == 400 * 48 // 128  # fractions are carried


def test_diagnostics_and_evaluations_come_every_so_many_transitions(make_policy_file: Any) -> None:
    agent = Recorder(make_policy_file(n_observations=2))
    result = run(agent, walks(7), options={'total_steps': 3100, 'eval_env': Walk()}, eval_every=500)
    *regular, last = result.evaluations
    assert [one.steps // 500 for one in regular] == [1, 2, 3, 4, 5, 6]
    assert all(one.steps % 500 < 7 for one in regular)
    assert last.steps == result.steps
    assert [one.steps // 1000 for one in result.diagnostics] == [1, 2, 3, 3]
    assert result.diagnostics[-1].steps == result.steps


def test_a_callback_changes_what_may_change_and_ends_training() -> None:
    class Change(Callback):
        def on_episode_start(self) -> dict[str, float]:
            return {'noise_scale': 0.7}

        def on_step(self, steps: int) -> None:
            if steps >= 60:
                raise StopTraining('enough')

    agent = Recorder()
    result = run(agent, walks(3), options={'callbacks': [Change()]})
    assert (result.stopped, result.steps) == ('enough', 60)
    assert agent.noise[-1] == pytest.approx(0.7)


def test_episodes_that_cannot_be_saved_are_cut_where_the_run_is_saved() -> None:
    rests: list[int] = []

    class Rest(Callback):
        def on_between_episodes(self, state: Any, *, last: bool) -> None:
            rests.append(state.steps)

    agent = Recorder()
    run(agent, walks(2, length=300), options={'total_steps': 4500, 'callbacks': [Rest()]}, max_steps=200)
    assert rests == [0, 2000, 4000]  # a thousand steps of the vector
    for stream in agent.remembered:
        assert stream[1000].first
        assert stream[2000].first
