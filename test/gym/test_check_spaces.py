import re

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym import check_env, make, spec_from_env
from velora_ros.gym.check_spaces import bounding

VECTOR = spaces.Box(-np.inf, np.inf, (3,), np.float64)
ACTION = spaces.Box(-1, 1, (2,), np.float32)


class Spaces(gym.Env):
    def __init__(self, observation_space=VECTOR, action_space=ACTION):
        self.observation_space, self.action_space = observation_space, action_space


def test_vectors_with_finite_action_bounds_are_accepted():
    check_env(Spaces())
    check_env(make('InvertedPendulum-v5'))


class Unbounded(Spaces):
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(3), {}

    def step(self, action):
        assert action.shape == self.action_space.shape
        return np.zeros(3), 0.0, False, False, {}


@pytest.mark.parametrize(
    ('low', 'high', 'dtype'), [(-np.inf, np.inf, np.float32), (0, np.inf, np.float64), (-np.inf, 5, np.float32)]
)
def test_the_advice_for_unbounded_actions_works_when_it_is_followed(low, high, dtype):
    env = Unbounded(VECTOR, spaces.Box(low, high, (2,), dtype))
    with pytest.raises(UnsupportedEnvironmentError, match='both must be finite') as raised:
        check_env(env)
    [code] = re.findall(r'env = (gymnasium.*), with suitable bounds', str(raised.value))
    bounded = eval(code, {'gymnasium': gym, 'env': env})
    check_env(bounded)
    assert spec_from_env(bounded, 0.1).action_low == ((-1.0, -1.0) if low < 0 else (0.0, 0.0))
    bounded.reset(seed=0)
    bounded.step(bounded.action_space.sample())


@pytest.mark.parametrize(
    ('env', 'named'),
    [
        (lambda: Spaces(spaces.Dict({'a': VECTOR})), r'observation space is Dict.*must be a Box.*FlattenObservation'),
        (lambda: Spaces(spaces.Tuple([VECTOR])), r'observation space is Tuple.*FlattenObservation'),
        (lambda: Spaces(spaces.Discrete(4)), r'observation space is Discrete\(4\)'),
        (lambda: Spaces(spaces.Box(0, 255, (64, 64, 3), np.uint8)), r'\(64, 64, 3\), an image'),
        (lambda: Spaces(spaces.Box(-1, 1, (2, 3))), r'\(2, 3\) and is not a vector.*FlattenObservation'),
        (lambda: Spaces(spaces.Box(-1, 1, ())), r'\(\) and is not a vector'),
        (lambda: Spaces(spaces.Box(-1, 1, (0,))), r'\(0,\) and is not a vector'),
        (lambda: Spaces(VECTOR, spaces.Discrete(2)), r'action space is Discrete\(2\).*Discrete problems'),
        (lambda: Spaces(VECTOR, spaces.MultiDiscrete([2, 2])), 'action space is MultiDiscrete'),
        (lambda: Spaces(VECTOR, spaces.MultiBinary(2)), 'action space is MultiBinary'),
        (lambda: Spaces(VECTOR, spaces.Box(-1, 1, (2, 2))), r'action space has the shape \(2, 2\)'),
        (lambda: Spaces(VECTOR, spaces.Box(-np.inf, np.inf, (2,))), r'action 0 has the bounds \[-inf, inf\]'),
        (lambda: Spaces(VECTOR, spaces.Box(np.float32([-1, 0]), np.float32([1, 0]))), 'action 1 has the bounds'),
        (lambda: Spaces(VECTOR, spaces.Box(0, 3, (1,), np.int64)), 'action space holds int64'),
        (lambda: gym.make_vec('InvertedPendulum-v5', num_envs=1, vectorization_mode='sync'), 'vector environment'),
        (lambda: 'InvertedPendulum-v5', r'str is not a gymnasium.Env'),
    ],
)
def test_every_other_kind_is_refused_by_name(env, named):
    env = env()
    for check in (check_env, spec_from_env):
        with pytest.raises(UnsupportedEnvironmentError, match=named):
            check(env)


@pytest.mark.parametrize(
    ('low', 'high', 'best_low', 'best_high'),
    [
        ([0.0], [np.inf], [0.0], [1.0]),
        ([-np.inf], [-7.0], [-8.0], [-7.0]),
        ([-np.inf, 0.0], [np.inf, 3.0], [-1.0, 0.0], [1.0, 3.0]),
        ([0.0, -np.inf], [255.0, 0.0], [0.0, -1.0], [255.0, 0.0]),
        ([2.0], [2.0], [2.0], [3.0]),
    ],
)
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_the_line_that_bounds_actions_keeps_to_the_bounds_that_there_are(low, high, best_low, best_high, dtype):
    space = spaces.Box(np.array(low, dtype), np.array(high, dtype), dtype=dtype)
    scope = {'gymnasium': gym, 'numpy': np, 'env': Spaces(VECTOR, space)}
    bounded_env = eval(bounding(space).removeprefix('env = ').rpartition(', with')[0], scope)
    bounded = bounded_env.action_space
    assert (bounded.low.tolist(), bounded.high.tolist(), bounded.dtype) == (best_low, best_high, space.dtype)
    check_env(bounded_env)


@pytest.mark.parametrize('action', [spaces.Dict(a=spaces.Box(-1, 1, (2,))), spaces.Tuple([spaces.Box(-1, 1, (1,))])])
def test_actions_of_several_parts_are_not_answered_with_a_wrapper_of_observations(action):
    with pytest.raises(UnsupportedEnvironmentError, match='ActionWrapper') as raised:
        check_env(Spaces(VECTOR, action))
    assert 'FlattenObservation' not in str(raised.value)
