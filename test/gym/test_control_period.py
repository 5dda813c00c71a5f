import warnings
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import MaxAndSkipObservation, TimeLimit

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym.control_period import control_period_of, find_period


class Bare(gym.Env):
    """An environment without attributes of its own; the arguments become its attributes."""

    observation_space = spaces.Box(-1, 1, (2,), np.float64)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, fps=None, **attributes):
        self.metadata = {} if fps is None else {'render_fps': fps}
        vars(self).update(attributes)


class DmControl:
    """What dm_control's environments have."""

    def __init__(self, period):
        self.period = period

    def control_timestep(self):
        return self.period


class Refuses:
    @property
    def dt(self):
        raise RuntimeError('not connected')

    def control_timestep(self):
        raise RuntimeError('not connected')


class Simulator:
    dt = 0.03

    def reset(self): ...

    def step(self): ...


MODEL = SimpleNamespace(opt=SimpleNamespace(timestep=0.002))


@pytest.mark.parametrize(
    ('env', 'period'),
    [
        (lambda: Bare(dt=0.05, fps=10), 0.05),
        (lambda: Bare(control_timestep=lambda: 0.04, fps=10), 0.04),
        (lambda: Bare(model=MODEL, frame_skip=5, fps=10), 0.01),
        (lambda: Bare(fps=50), 0.02),
        (lambda: Bare(_env=DmControl(0.025), fps=60), 0.025),
        (lambda: Bare(point_env=Bare(dt=0.01), fps=50), 0.01),
        (lambda: Bare(ant_env=TimeLimit(Bare(dt=0.1), 9)), 0.1),
        (lambda: Bare(sim=SimpleNamespace(dt=0.02), fps=50), 0.02),
        (lambda: Bare(sim=SimpleNamespace(dt=0.002), fps=50), 0.02),
        (lambda: Bare(sim=Simulator()), 0.03),
        (lambda: Bare(sim=Refuses(), fps=25), 0.04),
        (lambda: Bare(one=Bare(dt=0.1), other=Bare(dt=0.2), fps=4), 0.25),
        (lambda: MaxAndSkipObservation(Bare(dt=0.01), skip=4), 0.04),
    ],
)
def test_the_period_is_found_wherever_an_environment_has_it(env, period):
    with warnings.catch_warnings(action='error'):
        found, assumed = find_period(env())
    assert (found, assumed) == (pytest.approx(period), False)


@pytest.mark.parametrize(
    ('env', 'period'),
    [(Bare, 1.0), (lambda: Bare(fps=0), 1.0), (lambda: Bare(sim=SimpleNamespace(dt=0.002)), 0.002),
     (lambda: Bare(sim=Refuses()), 1.0), (lambda: Bare(sim=SimpleNamespace(dt=-1)), 1.0)],
)  # fmt: skip
def test_what_is_not_certain_is_marked_and_told_once(env, period):
    env = env()
    with pytest.warns(UserWarning, match=f'no control period .* {period:g} s is assumed') as told:
        assert find_period(env) == (period, True)
        assert find_period(env) == (period, True)
    assert len(told) == 1


def test_what_the_caller_says_comes_before_what_is_only_found_inside():
    assert find_period(Bare(fps=50, sim=Simulator()), 0.2) == (0.2, False)
    assert find_period(Bare(control_timestep=lambda: 0.04), 0.2) == (0.04, False)
    assert control_period_of(Bare(), 0.2) == 0.2
    with pytest.raises(UnsupportedEnvironmentError, match=r'control period is -0\.2'):
        control_period_of(Bare(), -0.2)


class Offline(Bare):
    @property
    def dt(self):
        raise ConnectionError('not connected')


class Method(Bare):
    def dt(self):
        return 0.02


@pytest.mark.parametrize('wrapped', [False, True])
@pytest.mark.parametrize(
    ('kind', 'words'),
    [(Offline, 'failed with ConnectionError: not connected'), (Method, 'dt is a method; make it a property')],
)
def test_a_dt_that_cannot_be_read_is_a_sentence(kind, words, wrapped):
    env = TimeLimit(kind(), 5) if wrapped else kind()
    with pytest.raises(UnsupportedEnvironmentError, match=words):
        find_period(env)
