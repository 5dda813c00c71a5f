"""Films of episodes that are interrupted."""

import gymnasium
import numpy as np
import pytest

from velora_ros.cli import film
from velora_ros.cli.film import Film


class Blank(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (1,))
    render_mode = 'rgb_array'

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 0.0, False, False, {}


@pytest.mark.parametrize('name', ['film.gif', 'film.mp4'])
def test_an_interruption_before_the_first_frame_is_not_reported_as_a_full_disk(tmp_path, monkeypatch, name):
    def interrupted(env):
        raise KeyboardInterrupt

    monkeypatch.setattr(film, 'light_up', lambda env: False)
    monkeypatch.setattr(film, 'frame', interrupted)
    filmed = Film(Blank(), tmp_path / name, 0.04)
    with pytest.raises(KeyboardInterrupt):
        filmed.reset()
    filmed.finish()
    assert not (tmp_path / name).exists()


def test_an_interruption_after_some_frames_keeps_them(tmp_path, monkeypatch):
    pictures = iter([np.zeros((16, 16, 3), np.uint8), np.full((16, 16, 3), 255, np.uint8)])
    monkeypatch.setattr(film, 'light_up', lambda env: False)
    monkeypatch.setattr(film, 'frame', lambda env: next(pictures))
    filmed = Film(Blank(), tmp_path / 'film.gif', 0.04)
    filmed.reset()
    filmed.step(np.zeros(1))
    filmed.finish()
    assert (tmp_path / 'film.gif').read_bytes().startswith(b'GIF')
