import ctypes
import dataclasses
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velora_ros.errors import PolicyFileError, StorageError
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.c_export import identifier, save_c, to_c

POLICIES = Path(__file__).parents[2] / 'policies'
COMPILER = shutil.which('gcc') or shutil.which('cc') or shutil.which('clang')
STRICT = ('-std=c99', '-O2', '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror')
compiled = pytest.mark.skipif(COMPILER is None, reason='this machine has no C compiler')

# Steps a policy with the numbers on standard input, observation and dt, and prints action, SI value and hidden state.
DRIVER = """
#include <stdio.h>
int main(void)
{
    walk_state state;
    float observation[WALK_OBSERVATIONS], dt, action[WALK_ACTIONS], si[WALK_ACTIONS];
    walk_reset(&state);
    for (;;) {
        for (int i = 0; i < WALK_OBSERVATIONS; i++)
            if (scanf("%f", &observation[i]) != 1)
                return 0;
        if (scanf("%f", &dt) != 1)
            return 1;
        printf("%d", walk_step(&state, observation, dt, action));
        walk_to_si(action, si);
        for (int i = 0; i < WALK_ACTIONS; i++)
            printf(" %.9g %.9g", (double)action[i], (double)si[i]);
        printf("\\n");
    }
}
"""


def build(folder, *arguments):
    """Compile, and return the compiler's output, which is empty for valid code."""
    done = subprocess.run([COMPILER, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


class CPolicy:
    """Steps the exported file through a shared library, as a controller in C would."""

    def __init__(self, file, folder):
        name = save_c(file, folder / 'walk.c')
        build(folder, *STRICT, '-shared', '-fPIC', '-o', 'walk.so', 'walk.c', '-lm')
        library = ctypes.CDLL(str(folder / 'walk.so'))
        self._step, self._reset = library[f'{name}_step'], library[f'{name}_reset']
        self._to_si = library[f'{name}_to_si']
        self._state = (ctypes.c_float * (file.hidden_size + 1))()  # the struct: floats, then an int of the same size
        self._action = (ctypes.c_float * file.spec.action_dim)(*[77.0] * file.spec.action_dim)
        self._size, self._period = file.spec.observation_dim, file.spec.control_period
        self.reset()

    def reset(self):
        self._reset(self._state)

    def try_step(self, observation, dt):
        values = (ctypes.c_float * self._size)(*map(float, observation))
        return self._step(self._state, values, ctypes.c_float(self._period if dt is None else dt), self._action)

    def step(self, observation, dt):
        assert self.try_step(observation, dt) == 0
        return np.array(self._action[:])

    @property
    def hidden(self):
        return np.array(self._state[:-1])

    def si(self):
        out = (ctypes.c_float * len(self._action))()
        self._to_si(self._action, out)
        return np.array(out[:])


@compiled
@pytest.mark.parametrize('cell', ['cfc', 'gru', 'mlp'])
def test_the_c_file_agrees_with_the_runtime_over_many_steps(make_policy_file, tmp_path, cell):
    # Larger random weights make a chaotic network, which amplifies the rounding of any two engines.
    file = make_policy_file(5, 40, 3, cell=cell, dt_range=(0.01, 0.07), spread=0.3)
    ours, theirs = Policy(file, 'numpy'), CPolicy(file, tmp_path)
    rng, span = np.random.default_rng(0), file.spec.high - file.spec.low
    actions = []
    for step in range(1000):
        if step % 200 == 0:
            ours.reset()
            theirs.reset()
        observation, dt = rng.normal(size=5).astype(np.float32), float(np.float32(rng.uniform(0, 0.1)))
        actions.append(ours.step(observation, dt))
        np.testing.assert_allclose(theirs.step(observation, dt) / span, actions[-1] / span, atol=1e-5)
        np.testing.assert_allclose(theirs.hidden, ours.hidden, atol=1e-5)
    assert (np.ptp(actions, axis=0) > 0.01 * span).all()


@compiled
@pytest.mark.parametrize('name', ['InvertedPendulum-v5', 'InvertedDoublePendulum-v5'])
def test_a_shipped_policy_agrees_over_a_closed_loop(tmp_path, name):
    from velora_ros.gym import make

    file = PolicyFile.load(POLICIES / f'{name}.safetensors')
    ours, theirs, env = Policy(file, 'numpy'), CPolicy(file, tmp_path), make(name)
    observation, _ = env.reset(seed=0)
    for _ in range(1000):
        observation = np.asarray(observation, np.float32)  # what a microcontroller is given
        action = ours.step(observation)
        np.testing.assert_allclose(theirs.step(observation, None), action, atol=1e-5 * float(file.spec.high[0] * 2))
        np.testing.assert_allclose(theirs.si(), np.array(file.spec.scale) * theirs._action[:], rtol=1e-6)
        observation, _, terminated, truncated, _ = env.step(action.astype(np.float32))
        if terminated or truncated:
            ours.reset()
            theirs.reset()
            observation, _ = env.reset()


def far_from_training(file, actions, rng):
    """An observation that follows the actions, ten standard deviations around what was seen in training."""
    offset, scale = (file.tensors[f'normalisation.{name}'].astype(float) for name in ('offset', 'scale'))
    spread = np.divide(10.0, scale, out=np.zeros_like(scale), where=scale != 0)
    return (offset + spread * (rng.normal(size=len(offset)) + np.resize(actions, len(offset)))).astype(np.float32)


@compiled
@pytest.mark.parametrize('name', ['arm', 'quadruped', 'rover'])
def test_a_shipped_robot_s_policy_agrees_in_a_loop_far_from_its_training(tmp_path, name):
    file = PolicyFile.load(POLICIES / f'{name}.safetensors')
    ours, theirs, rng = Policy(file, 'numpy'), CPolicy(file, tmp_path), np.random.default_rng(0)
    span, actions = file.spec.high - file.spec.low, np.zeros(file.spec.action_dim)
    for _ in range(1000):
        observation, dt = far_from_training(file, actions, rng), float(np.float32(rng.uniform(0, 0.2)))
        expected, actions = ours.step(observation, dt), theirs.step(observation, dt)
        np.testing.assert_allclose(actions / span, expected / span, atol=1e-5)
    assert (actions >= file.spec.low).all() and (actions <= file.spec.high).all()


@compiled
def test_bad_input_changes_nothing(make_policy_file, tmp_path):
    file = make_policy_file(3, 12, 2)
    policy = CPolicy(file, tmp_path)
    good = np.zeros(3, np.float32)
    first = policy.step(good, 0.02)
    before = policy.hidden
    for bad in (np.nan, np.inf, -np.inf):
        assert policy.try_step([0.0, bad, 0.0], 0.02) == 1
    for dt in (-0.1, np.nan, np.inf):
        assert policy.try_step(good, dt) == 2
    np.testing.assert_array_equal(policy.hidden, before)
    np.testing.assert_array_equal(policy._action[:], first)


@compiled
@settings(max_examples=300)
@given(st.lists(st.floats(width=32), min_size=3, max_size=3), st.floats(width=32))
def test_whatever_comes_the_action_is_within_its_bounds_or_refused(fuzzed, observation, dt):
    file, policy = fuzzed
    if policy.try_step(observation, dt) == 0:
        action = np.array(policy._action[:])
        assert np.isfinite(action).all() and (np.abs(policy.hidden) <= 1).all()
        assert (action >= file.spec.low).all() and (action <= file.spec.high).all()
    else:
        assert not (np.isfinite(observation).all() and 0 <= dt < np.inf) or np.abs(observation).max() > 1e30


@pytest.fixture(scope='module')
def fuzzed(make_policy_file, tmp_path_factory):
    file = make_policy_file(3, 12, 2)
    return file, CPolicy(file, tmp_path_factory.mktemp('c'))


@compiled
@pytest.mark.parametrize('name', ['', 'quadruped'])
def test_sanitizers_find_nothing(make_policy_file, tmp_path, name):
    file = PolicyFile.load(POLICIES / f'{name}.safetensors') if name else make_policy_file(3, 12, 2)
    save_c(file, tmp_path / 'walk.c')
    (tmp_path / 'main.c').write_text('#define WALK_DECLARATIONS_ONLY\n#include "walk.c"\n' + DRIVER)
    sanitize = '-fsanitize=address,undefined', '-fno-sanitize-recover=all'
    (tmp_path / 'probe.c').write_text('int main(void) { return 0; }\n')
    probe = subprocess.run([COMPILER, *sanitize, 'probe.c'], cwd=tmp_path, capture_output=True, check=False)
    if probe.returncode:
        pytest.skip('this compiler has no sanitizers')
    build(tmp_path, *STRICT, '-g', *sanitize, '-o', 'main', 'main.c', 'walk.c', '-lm')
    rest = '1e38 ' * (file.spec.observation_dim - 2)
    lines = '\n'.join(f'{a} {b} {rest}{dt}' for a in ('0.5', 'nan', '-3e38') for b in ('inf', '1') for dt in (0, 0.02))
    done = subprocess.run([tmp_path / 'main'], input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == '' and len(done.stdout.splitlines()) == 12


@compiled
def test_it_compiles_as_c_plus_plus_too(make_policy_file, tmp_path):
    if (compiler := shutil.which('g++') or shutil.which('c++')) is None:
        pytest.skip('this machine has no C++ compiler')
    save_c(make_policy_file(), tmp_path / 'walk.c')
    (tmp_path / 'main.cpp').write_text('#define WALK_DECLARATIONS_ONLY\n#include "walk.c"\n' + DRIVER)
    build(tmp_path, *STRICT, '-c', 'walk.c')
    flags = [flag for flag in STRICT if not flag.startswith('-std')]
    done = subprocess.run(
        [compiler, *flags, 'main.cpp', 'walk.o', '-lm'], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@compiled
def test_hostile_names_stay_inside_their_strings(make_policy_file, tmp_path):
    file = make_policy_file(2, 12, 1)
    names = ('"; int main; /* ??/ \\ \n', 'größe*/\x00%s')
    file = dataclasses.replace(file, spec=dataclasses.replace(file.spec, observation_names=names))
    save_c(file, tmp_path / 'walk.c')
    build(tmp_path, *STRICT, '-shared', '-fPIC', '-o', 'walk.so', 'walk.c', '-lm')
    pointers = (ctypes.c_char_p * 2).in_dll(ctypes.CDLL(str(tmp_path / 'walk.so')), 'walk_observation_names')
    assert pointers[0] == names[0].encode()
    assert pointers[1] == names[1].split('\x00')[0].encode()


def test_one_policy_gives_one_text_in_ascii(make_policy_file):
    text = to_c(make_policy_file(), 'walk')
    assert text == to_c(make_policy_file(), 'walk') and text.isascii()
    assert make_policy_file().digest in text
    assert 'malloc' not in text


@pytest.mark.parametrize(
    ('stem', 'name'),
    [('walk', 'walk'), ('Walk 2.0', 'walk_2_0'), ('InvertedPendulum-v5', 'invertedpendulum_v5'), ('7', 'policy_7'),
     ('größe', 'gr_e'), ('---', 'policy')],
)  # fmt: skip
def test_names_come_from_the_file_s_name(stem, name):
    assert identifier(stem) == name


def test_a_prefix_that_c_does_not_take_is_refused_with_one_that_it_does(make_policy_file):
    with pytest.raises(PolicyFileError, match=r"'2 walk' cannot be the prefix of names in C.*'policy_2_walk'"):
        to_c(make_policy_file(), '2 walk')


def test_numbers_beyond_single_precision_are_refused(make_policy_file):
    file = make_policy_file(2, 12, 1)
    spec = dataclasses.replace(file.spec, action_low=(-1e300,), action_high=(1e300,))
    with pytest.raises(PolicyFileError, match='beyond the range of single precision'):
        to_c(dataclasses.replace(file, spec=spec), 'walk')


def test_an_older_file_survives_a_failure(make_policy_file, tmp_path):
    with pytest.raises(StorageError, match='Nothing was changed'):
        save_c(make_policy_file(), tmp_path / 'absent' / 'walk.c')
