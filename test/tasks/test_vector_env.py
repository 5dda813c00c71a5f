from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from toy_tasks import reacher, walker

from velora_ros.errors import TaskError
from velora_ros.tasks import vary


@pytest.fixture(scope='module')
def task():
    return walker()


def roll(env, actions, *, resets=True):
    """Observations, rewards and states of a rollout; ended episodes begin again."""
    rows = []
    for action in actions:
        observation, reward, terminated, truncated, infos = env.step(action)
        rows.append((observation.copy(), reward.copy(), infos['privileged_state'].copy()))
        if resets and (ended := terminated | truncated).any():
            env.reset(options={'reset_mask': ended})
    return [np.array(column) for column in zip(*rows, strict=True)]


def actions_for(env, steps, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (steps, *env.action_space.shape))


def test_many_simulations_are_the_same_to_the_bit_as_each_of_them_alone(task):
    seeds = [5, 6, 7]
    env = task.make_vec(3)
    first, infos = env.reset(seed=seeds)
    first, state = first.copy(), infos['privileged_state'].copy()
    actions = actions_for(env, 80)
    together = roll(env, actions)
    for s, seed in enumerate(seeds):
        alone = task.make_vec(1)
        observation, infos = alone.reset(seed=[seed])
        np.testing.assert_array_equal(observation[0], first[s])
        np.testing.assert_array_equal(infos['privileged_state'][0], state[s])
        for one, many in zip(roll(alone, actions[:, s : s + 1]), together, strict=True):
            np.testing.assert_array_equal(one[:, 0], many[:, s])


def test_the_single_environment_is_one_of_many(task):
    env, many = task.make(), task.make_vec(2)
    observation, _ = env.reset(seed=6)
    np.testing.assert_array_equal(observation, many.reset(seed=[5, 6])[0][1])
    for action in actions_for(many, 20):
        observations, rewards, *_ = many.step(action)
        observation, reward, *_ = env.step(action[1])
        np.testing.assert_array_equal(observation, observations[1])
        assert reward == rewards[1]


@pytest.mark.parametrize('threads', [2, 5])
def test_any_number_of_threads_gives_the_same(task, threads):
    results = []
    for count in (1, threads):
        env = task.make_vec(6, threads=count)
        env.reset(seed=3)
        results.append(roll(env, actions_for(env, 60)))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_gymnasium_accepts_the_single_environment(task):
    with pytest.warns(UserWarning, match='infinity'):
        check_env(task.make(), skip_render_check=True)


def test_only_the_chosen_simulations_begin_again(task):
    env = task.make_vec(3, seed=0)
    assert env.metadata['autoreset_mode'] is AutoresetMode.DISABLED
    env.reset()
    roll(env, actions_for(env, 5), resets=False)
    before = env.step(np.zeros((3, 2)))[0].copy()
    physics = env.sim.batch.state.copy()
    after, _ = env.reset(options={'reset_mask': np.array([False, True, False])})
    np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])
    np.testing.assert_array_equal(env.sim.batch.state[[0, 2]], physics[[0, 2]])
    assert (after[1] != before[1]).any()
    assert env.sim.steps.tolist() == [6, 0, 6]


def test_each_episode_of_each_stream_differs_and_comes_again_with_its_seed(task):
    env = task.make_vec(3)
    episodes = [env.reset(seed=9)[0].copy(), env.reset()[0].copy()]
    rows = np.concatenate(episodes)
    assert len({row.tobytes() for row in rows}) == len(rows)
    np.testing.assert_array_equal(env.reset(seed=9)[0], episodes[0])
    np.testing.assert_array_equal(env.reset()[0], episodes[1])


def test_episodes_are_truncated_at_their_length_and_first_ones_earlier_with_random_ages(task):
    env = reacher().make_vec(8, random_ages=True, seed=1)
    env.reset()
    ends = np.zeros(8, int)
    for step in range(1, 51):
        _, _, terminated, truncated, _ = env.step(np.zeros((8, 2)))
        assert not terminated.any()
        ends = np.where((ends == 0) & truncated, step, ends)
    assert len(set(ends.tolist())) > 4
    assert 1 <= ends.min() <= ends.max() <= 50
    env.reset()  # the next episodes are whole
    for _ in range(49):
        assert not env.step(np.zeros((8, 2)))[3].any()
    assert env.step(np.zeros((8, 2)))[3].all()


def test_a_fall_pays_the_floor_and_nothing_pays_less(task):
    env = task.make_vec(8, seed=2)
    env.reset()
    fell = False
    for action in actions_for(env, 200, seed=4):
        _, rewards, terminated, _, infos = env.step(np.sign(action))
        assert (rewards >= 0).all()
        assert (rewards[terminated] == 0).all()
        np.testing.assert_array_equal(terminated, np.logical_or.reduce(list(infos['failed'].values())))
        fell |= terminated.any()
        if terminated.any():
            env.reset(options={'reset_mask': terminated})
    assert fell


def test_the_reward_is_the_sum_of_its_terms():
    env = walker(reward_floor=None).make_vec(2, seed=2)
    env.reset()
    _, rewards, _, _, infos = env.step(np.ones((2, 2)))
    np.testing.assert_allclose(rewards, np.sum(list(infos['terms'].values()), axis=0))


def test_a_saved_state_continues_exactly(task):
    env = task.make_vec(4, seed=7, random_ages=True)
    env.reset()
    actions = actions_for(env, 60)
    roll(env, actions[:33])
    state = env.get_state()
    expected = roll(env, actions[33:])
    other = task.make_vec(4, threads=1)
    other.set_state(state)
    for one, many in zip(roll(other, actions[33:]), expected, strict=True):
        np.testing.assert_array_equal(one, many)
    with pytest.raises(TaskError, match='same number of simulations'):
        task.make_vec(3).set_state(state)


def test_a_saved_state_has_the_fields_of_a_variation_that_is_always_on():
    @vary.term('load', fields=['body_mass'], constants=True, always=True)
    def load(sim, ids):
        mass = sim.draws.uniform(ids, 1.0, 3.0, 1)
        sim.batch.expand('body_mass')[ids, sim.model.body('trunk').id] = mass[:, 0]
        return mass

    task = walker(vary=[load])
    env, other = task.make_vec(2, seed=7, undisturbed=True), task.make_vec(2, undisturbed=True)
    env.reset()
    actions = actions_for(env, 20)
    other.set_state(env.get_state())
    for one, many in zip(roll(other, actions), roll(env, actions), strict=True):
        np.testing.assert_array_equal(one, many)


def test_undisturbed_episodes_have_neither_noise_nor_variation_and_the_same_shapes(task):
    env, disturbed = task.make_vec(4, seed=0, undisturbed=True), task.make_vec(4, seed=0)
    (first, infos), (_, others) = env.reset(), disturbed.reset()
    assert infos['privileged_state'].shape == others['privileged_state'].shape
    assert all((drawn == 0).all() for drawn in infos['drawn'].values())
    for action in actions_for(env, 20):
        observations, _, _, _, infos = env.step(action)
        np.testing.assert_allclose(observations, infos['privileged_state'][:, : first.shape[1]], rtol=1e-6, atol=1e-6)
    fresh = task.make_vec(1, undisturbed=True).sim.batch
    np.testing.assert_array_equal(env.sim.batch.get_model(2).body_mass, fresh.model.body_mass)
    np.testing.assert_allclose(env.sim.batch.get_model(2).dof_invweight0, fresh.model.dof_invweight0)


def test_actions_of_a_wrong_shape_or_that_are_not_finite_are_refused(task):
    env = task.make_vec(2, seed=0)
    with pytest.raises(TaskError, match='must be reset'):
        env.step(np.zeros((2, 2)))
    env.reset()
    with pytest.raises(TaskError, match=r'have the shape \(2, 3\); it must be \(2, 2\)'):
        env.step(np.zeros((2, 3)))
    with pytest.raises(TaskError, match='action 1 of simulation 0 is nan'):
        env.step(np.array([[0, np.nan], [0, 0]]))
    with pytest.raises(TaskError, match='reset_mask'):
        env.reset(options={'reset_mask': [1, 0]})
    with pytest.raises(TaskError, match='3 seeds'):
        env.reset(seed=[1, 2, 3])
    with pytest.raises(TaskError, match='at least 1'):
        task.make_vec(0)


@pytest.mark.skipif(not Path('/proc/meminfo').exists(), reason='the memory of this system is not known')
def test_more_simulations_than_fit_into_memory_are_refused_at_once(task):
    with pytest.raises(TaskError, match=r'1000000000 simulations need about .* GiB .*; simulate at most \d+ at once'):
        task.make_vec(1_000_000_000)


def test_a_picture_is_drawn(task, opengl):
    env = task.make(render_mode='rgb_array')
    env.reset(seed=0)
    first = env.render()
    assert first.shape == (480, 640, 3)
    assert first.std() > 0
    for _ in range(10):
        env.step(env.action_space.low)
    assert (env.render() != first).any()
    env.close()


def test_it_is_a_gymnasium_vector_environment(task):
    env = task.make_vec(2, seed=0)
    assert isinstance(env, gym.vector.VectorEnv)
    observations, _ = env.reset()
    assert env.observation_space.contains(observations)
    assert env.single_action_space.shape == (2,)
