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
        ('', {}, 'Give an id'),
        ('zzz', {}, "no environment 'zzz'. Give an id"),
        ('nowhere/Robot-v0', {}, 'no environment'),
        ('no_such_module:Robot-v0', {}, 'needs a module that is not installed .*no_such_module'),
        ('InvertedPendulum-v5', {'speed': 3}, "cannot be made with {'speed': 3}"),
        ('InvertedPendulum-v5', {'xml_file': '/absent.xml'}, 'absent.xml'),
        (7, {}, 'environment id is 7'),
    ],
)
def test_what_cannot_be_made_says_why_in_one_sentence(env_id, kwargs, named):
    with pytest.raises(UnsupportedEnvironmentError, match=named) as raised:
        make(env_id, **kwargs)
    assert '\n' not in str(raised.value)


class Fails(gym.Env):
    """An environment whose constructor does what it is asked to."""

    def __init__(self, do, render_mode=None):
        do()


def failing(do):
    """Register an environment whose constructor fails like this, and return its id."""
    gym.register('Fails-v0', Fails, kwargs={'do': do})
    return 'Fails-v0'


@pytest.fixture(autouse=True)
def _as_before():
    yield
    gym.registry.pop('Fails-v0', None)


def raises(error):
    def do():
        raise error

    return do


@pytest.mark.parametrize(
    ('do', 'words'),
    [
        (raises(AssertionError('only with MuJoCo 2')), 'AssertionError: only with MuJoCo 2'),
        (lambda: object().flex, "AttributeError: 'object' object has no attribute 'flex'"),
        (raises(RuntimeError('no physics\nserver')), 'RuntimeError: no physics server'),
        (lambda: {}['assets'], "KeyError: 'assets'"),
        (raises(ValueError('bad mass')), 'ValueError: bad mass'),
        (lambda: len(3), r"TypeError: object of type 'int' has no len\(\)"),
        (lambda: sorted(pace=1), 'TypeError: .*expected 1 argument, got 0'),
        (lambda: 1 / 0, 'ZeroDivisionError: division by zero'),
        (raises(OSError('no such port')), 'OSError: no such port'),
        (lambda: sys.exit('no licence'), 'SystemExit: no licence'),
        (raises(ImportError("cannot import name 'old' from 'mujoco'")), "ImportError: cannot import name 'old'"),
        (raises(gym.error.Error('half made')), 'Error: half made'),
        (lambda: gym.make('Absent-v0'), "NameNotFound: Environment `Absent` doesn't exist"),
    ],
)
def test_a_constructor_that_fails_is_told_in_its_own_words_and_no_keyword_is_blamed(do, words):
    with pytest.raises(UnsupportedEnvironmentError, match=words) as raised:
        make(failing(do))
    message = str(raised.value)
    assert message.startswith("the environment 'Fails-v0' cannot be made: its constructor failed with")
    assert '\n' not in message
    assert 'keywords' not in message
    assert raised.value.__cause__ is not None  # the original traceback is kept


def test_of_an_error_without_a_message_the_line_of_code_is_told(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'asserting.py').write_text('def check():\n    assert   3 in (2,)')
    from asserting import check

    with pytest.raises(
        UnsupportedEnvironmentError, match=r'AssertionError \(asserting\.py, line 2: assert 3 in \(2,\)\)'
    ):
        make(failing(check))


@pytest.mark.parametrize(('module', 'advice'), [('mujoco_py', 'pip install'), ('array_api_compat', 'install it')])
def test_a_module_that_a_constructor_lacks_is_named(module, advice):
    error = ModuleNotFoundError(f"No module named '{module}'", name=module)
    with pytest.raises(UnsupportedEnvironmentError, match=f"not installed .*No module named '{module}'.*{advice}"):
        make(failing(raises(error)))


def test_a_module_of_an_environment_that_fails_on_import_is_told_apart_from_one_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'needs_more.py').write_text('import absent_package')
    (tmp_path / 'is_broken.py').write_text('1 / 0')
    with pytest.raises(UnsupportedEnvironmentError, match=r"needs a package .*No module named 'absent_package'"):
        make('needs_more:Robot-v0')
    with pytest.raises(UnsupportedEnvironmentError, match='failed with ZeroDivisionError: division by zero'):
        make('is_broken:Robot-v0')


def test_keywords_are_blamed_where_they_are_wrong():
    with pytest.raises(UnsupportedEnvironmentError, match=r"keyword argument 'speed'\. .*Valid: .*frame_skip"):
        make('InvertedPendulum-v5', speed=3)
    gym.register('Fails-v0', Fails)
    with pytest.raises(UnsupportedEnvironmentError, match="without the keyword 'do'"):
        make('Fails-v0')


def test_an_egl_that_is_not_there_is_named_and_no_keyword():
    code = (
        'import ctypes\n'
        'def refuse(self, name, *rest, **more):\n'
        '    if "EGL" in str(name): raise OSError(name)\n'
        '    load(self, name, *rest, **more)\n'
        'load, ctypes.CDLL.__init__ = ctypes.CDLL.__init__, refuse\n'
        'from velora_ros.gym import make; make("InvertedPendulum-v5", render_mode="rgb_array").reset()'
    )
    result = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'MUJOCO_GL': 'egl'}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (
        "MissingDependencyError: no picture can be made: the OpenGL backend 'egl' does not work here" in result.stderr
    )
    assert 'keywords' not in result.stderr


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
    assert (
        "ConfigError: the environment variable MUJOCO_GL is 'nonsense', which MuJoCo does not support" in result.stderr
    )


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


def test_importing_the_subpackage_loads_neither_torch_nor_mujoco_nor_ros():
    code = "import sys, velora_ros.gym; sys.exit(bool({'torch', 'mujoco', 'rclpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, '-c', code], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize('missing', ['torch', 'array_api_compat'])
def test_tensors_name_the_package_that_is_missing(missing):
    code = (
        'import sys\n'
        f'sys.modules[{missing!r}] = None\n'
        'from velora_ros.gym import add_core_env_wrappers, make\n'
        'add_core_env_wrappers(make("Pendulum-v1"))'
    )
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60, check=False)
    assert f'MissingDependencyError: tensors need {missing}, which is not installed' in result.stderr


class UnspeakableError(Exception):
    def __str__(self):
        raise LookupError('no words')


def test_an_error_that_cannot_even_be_printed_is_named_by_its_line():
    with pytest.raises(UnsupportedEnvironmentError, match=r'UnspeakableError \(test_make_env.py, line \d+'):
        make(failing(raises(UnspeakableError())))


def test_ctrl_c_in_a_constructor_passes_through():
    with pytest.raises(KeyboardInterrupt):
        make(failing(raises(KeyboardInterrupt())))


class Bare(gym.Env):
    metadata = {'render_modes': ['rgb_array']}  # noqa: RUF012


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({'render_mode': 'rgb_array'}, 'cannot be rendered: its constructor does not accept render_mode'),
        ({'speed': 2}, r"cannot be made with {'speed': 2}: Bare\(\) takes no arguments"),
    ],
)
def test_an_environment_without_keywords_is_not_blamed_for_those_that_come(given, words):
    gym.register('Bare-v0', Bare)
    try:
        with pytest.raises(UnsupportedEnvironmentError, match=words) as raised:
            make('Bare-v0', **given)
    finally:
        gym.registry.pop('Bare-v0')
    assert 'Correct the environment' not in str(raised.value)


@pytest.fixture
def choosy():
    class Choosy(gym.Env):
        def __init__(self, task, *, robot, speed=1.0):
            raise AssertionError('not reached')

    gym.register('Choosy-v0', Choosy)
    yield 'Choosy-v0'
    gym.registry.pop('Choosy-v0')


@pytest.mark.parametrize(
    ('given', 'words'),
    [
        ({}, r"without the keyword 'task'; .* --env-arg task=VALUE\.$"),
        ({'task': 'walk'}, r"without the keyword 'robot'; .* --env-arg robot=VALUE\.$"),
        ({'task': 'walk', 'robt': 'go1'}, r"argument 'robt'\. Did you mean 'robot'\? Valid: robot, speed, task\.$"),
    ],
)
def test_keywords_that_are_missing_or_unknown_are_named_with_what_to_type(choosy, given, words):
    with pytest.raises(UnsupportedEnvironmentError, match=words) as raised:
        make(choosy, **given)
    assert 'environment creator' not in str(raised.value)
