import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym import check_env, flat, make, spec_from_env
from velora_ros.training.evaluation import evaluate


def box(*shape):
    return spaces.Box(-2, 2, shape, np.float32)


class Given(gym.Env):
    """Its observations are the numbers of its space, counted up."""

    action_space, dt = spaces.Box(-1, 1, (1,), np.float32), 0.1

    def __init__(self, space=None):
        self.observation_space = spaces.Dict(goal=box(2), robot=box(1)) if space is None else space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._next = 0.0
        return self._count(self.observation_space), {}

    def step(self, action):
        self._next = 0.0
        return self._count(self.observation_space), 1.0, True, False, {}

    def _count(self, space):
        if isinstance(space, spaces.Dict):
            return {key: self._count(part) for key, part in space.spaces.items()}
        if isinstance(space, spaces.Tuple):
            return tuple(self._count(part) for part in space.spaces)
        if isinstance(space, spaces.Discrete):
            return 1
        values = np.arange(np.prod(space.shape), dtype=space.dtype).reshape(space.shape) + self._next
        self._next += values.size
        return values


SPACES = {
    'flat': (spaces.Dict(goal=box(2), robot=box(1)), ['goal_0', 'goal_1', 'robot']),
    'order': (spaces.Dict({'z': box(1), 'a': box()}), None),
    'nested': (spaces.Dict(arm=spaces.Dict(x=box(), y=box(2))), ['arm/x', 'arm/y_0', 'arm/y_1']),
    'tuple': (spaces.Tuple([box(1), spaces.Dict(v=box(2))]), ['obs/0', 'obs/1/v_0', 'obs/1/v_1']),
    'tuple in a dictionary': (spaces.Dict(pair=spaces.Tuple([box(1), box(2)])), ['pair/0', 'pair/1_0', 'pair/1_1']),
    'matrix': (spaces.Dict(m=box(2, 2)), ['m_0_0', 'm_0_1', 'm_1_0', 'm_1_1']),
    'no joint': (spaces.Dict(arm=spaces.Dict(position=box(1), torque=box(1))), ['arm/position_0', 'arm/torque']),
    'twice the same': (spaces.Dict(a=box(2), a_0=box(1)), ['obs_0', 'a_1', 'obs_2']),
}  # fmt: skip


@pytest.mark.parametrize('kind', SPACES)
def test_entries_are_named_by_their_path_in_the_order_of_the_space(kind):
    space, names = SPACES[kind]
    env = flat(Given(space))
    check_env(env)
    spec = spec_from_env(env)
    assert list(spec.observation_names) == (names or list(space.spaces))
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(observation, range(spec.observation_dim))
    np.testing.assert_array_equal(env.step(env.action_space.sample())[0], observation)
    assert observation.dtype == env.observation_space.dtype == np.float32


def test_bounds_and_the_finest_type_are_kept_and_discrete_values_are_one_hot():
    space = spaces.Dict(kind=spaces.Discrete(3), place=spaces.Box(-9, 9, (2,), np.float64))
    env = flat(Given(space))
    np.testing.assert_array_equal(env.observation_space.low, [0, 0, 0, -9, -9])
    np.testing.assert_array_equal(env.observation_space.high, [1, 1, 1, 9, 9])
    assert env.observation_space.dtype == np.float64
    np.testing.assert_array_equal(env.reset(seed=0)[0], [0, 1, 0, 0, 1])
    assert spec_from_env(env).observation_names == ('kind_0', 'kind_1', 'kind_2', 'place_0', 'place_1')


@pytest.mark.parametrize(
    ('part', 'words'),
    [
        (
            spaces.Box(0, 255, (8, 8, 3), np.uint8),
            r"'robot/eye' has the shape \(8, 8, 3\), an image.*FilterObservation",
        ),
        (spaces.Text(5), r"'robot/eye' is Text\(.*must be made of numbers.*FilterObservation"),
        (spaces.Sequence(box(1)), r"'robot/eye' is Sequence"),
    ],
)
def test_what_is_no_number_is_refused_by_its_path(part, words):
    with pytest.raises(UnsupportedEnvironmentError, match=words):
        flat(Given(spaces.Dict(robot=spaces.Dict(eye=part))))


@pytest.fixture
def registered():
    gym.register('Given-v0', Given)
    yield 'Given-v0'
    gym.registry.pop('Given-v0')


def test_make_flattens_and_so_does_a_second_environment_of_the_same_making(registered):
    env = make(registered)
    assert spec_from_env(env).observation_names == ('goal_0', 'goal_1', 'robot')
    assert gym.make(env.spec).observation_space == env.observation_space


def test_an_evaluation_flattens_what_it_is_given():
    class Asks:
        def reset(self):
            pass

        def step(self, observation, dt=None):
            assert observation.shape == (3,)
            return np.zeros(1)

    assert evaluate(Asks(), Given(), episodes=2).returns == (1.0, 1.0)


def test_vectors_and_what_is_no_environment_stay_as_they_are():
    env = make('InvertedPendulum-v5')
    assert flat(env) is env
    assert flat('text') == 'text'
