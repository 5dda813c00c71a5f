from pathlib import Path

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import TimeLimit
from toy_tasks import reacher
from toy_vector import Walk

from velora_ros.errors import UnsupportedEnvironmentError
from velora_ros.gym import Disturbances, disturb
from velora_ros.gym.make_vector import make_many_of, make_vector
from velora_ros.utils import memory


def test_a_vector_has_so_many_environments_and_no_autoreset() -> None:
    env = make_vector(Walk, 5)
    assert env.num_envs == 5
    assert len({id(one) for one in env.envs}) == 5
    assert env.metadata['autoreset_mode'] is AutoresetMode.DISABLED


@pytest.mark.skipif(not Path('/proc/meminfo').exists(), reason='the memory of this system is not known')
def test_more_environments_than_fit_into_memory_are_refused_after_a_few() -> None:
    made: list[Walk] = []

    class Large(Walk):
        def __init__(self) -> None:
            super().__init__()
            self.memory = np.ones(2**20)  # 8 MB
            made.append(self)

    with pytest.raises(UnsupportedEnvironmentError, match=r'1000000 environments need about .* GiB .*; use at most'):
        make_vector(Large, 1_000_000)
    assert len(made) < 20


def test_where_the_memory_is_not_known_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, 'MEMORY', tmp_path / 'none')
    assert make_vector(Walk, 9).num_envs == 9


def test_a_task_makes_many_of_itself_unless_wrappers_disturb_it() -> None:
    env = reacher().make()
    make_many = make_many_of(TimeLimit(env, 5))
    assert make_many is not None
    assert make_many(3).num_envs == 3
    assert make_many_of(disturb(env, Disturbances(observation_delay=(1, 1)))) is None
    assert make_many_of(Walk()) is None
