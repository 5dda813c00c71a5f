import os
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import NumpyToTorch, RecordEpisodeStatistics

from velora_ros.errors import MissingDependencyError, UnsupportedEnvironmentError
from velora_ros.gym import add_core_env_wrappers, make
from velora_ros.gym.rendering import choose_backend, frame


def test_make_passes_keywords_on():
    env = make('InvertedPendulum-v5', reset_noise_scale=0.0, max_episode_steps=7)
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(observation, np.zeros(4))
    assert env.spec.max_episode_steps == 7


@pytest.mark.parametrize(
    ('env_id', 'kwargs', 'named'),
    [
        ('InvertedPendulm-v5', {}, "no environment 'InvertedPendulm-v5'. Did you mean 'InvertedPendulum-v5'"),
        ('InvertedPendulum-v99', {}, "Did you mean 'InvertedPendulum-v5'"),
        ('invertedpendulum', {}, "Did you mean 'InvertedPendulum-v5'"),
        ('', {}, 'Valid are the ids'),
        ('zzz', {}, "no environment 'zzz'. Valid are the ids"),
        ('nowhere/Robot-v0', {}, 'no environment'),
        ('no_such_module:Robot-v0', {}, 'asks for a module that is not installed .*no_such_module'),
        ('InvertedPendulum-v5', {'speed': 3}, "cannot be made with {'speed': 3}"),
        ('InvertedPendulum-v5', {'xml_file': '/absent.xml'}, 'absent.xml'),
        (7, {}, 'environment id is 7'),
    ],
)
def test_what_cannot_be_made_says_why_in_one_sentence(env_id, kwargs, named):
    with pytest.raises(UnsupportedEnvironmentError, match=named) as raised:
        make(env_id, **kwargs)
    assert '\n' not in str(raised.value)


def test_a_missing_package_is_named(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise gym.error.DependencyNotInstalled('MuJoCo is not installed')

    monkeypatch.setattr(gym, 'make', refuse)
    with pytest.raises(
        UnsupportedEnvironmentError, match=r"MuJoCo is not installed.*pip install 'gymnasium\[mujoco\]'"
    ):
        make('InvertedPendulum-v5')


@pytest.mark.parametrize(
    ('environment', 'chosen'),
    [({}, 'egl'), ({'MUJOCO_GL': 'osmesa'}, 'osmesa'), ({'DISPLAY': ':0'}, None), ({'WAYLAND_DISPLAY': 'w'}, None)],
)
def test_egl_is_chosen_where_there_is_no_display_and_no_other_choice(monkeypatch, environment, chosen):
    for name in ('MUJOCO_GL', 'DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv('KEEP', '1')
    choose_backend()
    assert os.environ.get('MUJOCO_GL') == chosen
    monkeypatch.delenv('MUJOCO_GL', raising=False)


@pytest.mark.parametrize(('installed', 'chosen'), [('EGL OSMesa', 'egl'), ('OSMesa', 'osmesa'), ('', 'egl')])
def test_osmesa_is_chosen_where_there_is_nothing_else(monkeypatch, installed, chosen):
    for name in ('MUJOCO_GL', 'DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('velora_ros.gym.rendering.find_library', lambda name: name if name in installed else None)
    choose_backend()
    assert os.environ.get('MUJOCO_GL') == chosen
    monkeypatch.delenv('MUJOCO_GL', raising=False)


def test_an_opengl_backend_that_mujoco_does_not_know_is_named():
    code = "from velora_ros.gym import make; make('InvertedPendulum-v5')"
    result = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'MUJOCO_GL': 'nonsense'}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "ConfigError: the environment variable MUJOCO_GL is 'nonsense', which MuJoCo does not know" in result.stderr


@pytest.mark.parametrize('backend', ['osmesa_that_is_not_there', 'glfw'])
def test_without_opengl_the_message_says_what_to_install_and_nothing_else_is_printed(backend):
    code = 'from velora_ros.gym.rendering import check_rendering; check_rendering()'
    environment = {k: v for k, v in os.environ.items() if 'DISPLAY' not in k} | {'MUJOCO_GL': backend}
    result = subprocess.run(
        [sys.executable, '-c', code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert 'Warning' not in result.stderr
    assert f"MissingDependencyError: no picture can be made: the OpenGL backend '{backend}'" in result.stderr
    assert 'apt install libegl1' in result.stderr


def test_a_headless_environment_gives_pictures(opengl):
    env = make('InvertedPendulum-v5', render_mode='rgb_array', width=64, height=48)
    env.reset(seed=0)
    assert frame(env).shape == (48, 64, 3)
    assert frame(env).dtype == np.uint8
    env.close()


def test_an_environment_without_pictures_is_named():
    env = make('InvertedPendulum-v5')
    env.reset(seed=0)
    with pytest.raises(MissingDependencyError, match=r'rendered|render_mode'):
        frame(env)


def test_core_wrappers_speak_in_tensors_and_keep_statistics():
    env = add_core_env_wrappers(make('InvertedPendulum-v5'), device='cpu')
    observation, _ = env.reset(seed=0)
    assert isinstance(observation, torch.Tensor)
    for _ in range(1000):
        observation, _, terminated, truncated, info = env.step(torch.tensor([3.0]))
        if terminated or truncated:
            break
    assert isinstance(observation, torch.Tensor)
    assert float(info['episode']['l']) >= 1


def test_core_wrappers_are_added_once_and_in_order():
    env = add_core_env_wrappers(make('InvertedPendulum-v5'))
    assert isinstance(env, NumpyToTorch)
    assert isinstance(env.env, RecordEpisodeStatistics)
    assert add_core_env_wrappers(env) is env
    half = add_core_env_wrappers(RecordEpisodeStatistics(make('InvertedPendulum-v5')), device=torch.device('cpu'))
    assert not isinstance(half.env.env, RecordEpisodeStatistics)


def test_importing_the_room_loads_neither_torch_nor_mujoco_nor_ros():
    code = "import sys, velora_ros.gym; sys.exit(bool({'torch', 'mujoco', 'rclpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, '-c', code], timeout=60, check=False).returncode == 0
