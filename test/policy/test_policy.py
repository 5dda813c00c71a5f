import dataclasses
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import velora_ros
from velora_ros.errors import ConfigError, ObservationError, PolicyFileError
from velora_ros.policy import Policy
from velora_ros.policy.numba_engine import compiled_step

ENGINES = ['numba', 'numpy']
PACKAGE = Path(velora_ros.__file__).parent
T = 0.04


@pytest.fixture(params=ENGINES)
def policy(request, make_policy_file):
    return Policy(make_policy_file(4, 20, 2), request.param)


def run(policy, observations, dts):
    policy.reset()
    return np.array([policy.step(o, dt) for o, dt in zip(observations, dts, strict=True)])


def scalar_step(file, observation, hidden, ratio):
    """The equations of velora_ros.policy.tensor_layout once more, number by number."""
    w = {name: tensor.astype(float) for name, tensor in file.tensors.items()}
    x = (observation - w['normalisation.offset']) * w['normalisation.scale']
    v = w['inter.weight'] @ x + w['inter.bias']
    u = [vi * math.tanh(math.log1p(math.exp(vi))) for vi in v]
    z = w['command.weight'] @ np.array([*u, *hidden]) + w['command.bias']
    g, k, a, b = np.split(z, 4)
    s = 1 / (1 + np.exp(-(a * ratio + b)))
    hidden = (1 - s) * np.tanh(g) + s * np.tanh(k)
    m = np.tanh(w['motor.weight'] @ hidden + w['motor.bias'])
    return file.spec.low + (m + 1) / 2 * (file.spec.high - file.spec.low), hidden


def test_a_step_is_the_documented_equations(policy):
    rng = np.random.default_rng(1)
    hidden = np.zeros(8)
    for _ in range(50):
        observation, dt = rng.normal(size=4), rng.uniform(0.004, 0.08)
        expected, next_hidden = scalar_step(policy.file, observation, hidden, dt / T)
        policy.hidden = hidden
        np.testing.assert_allclose(policy.step(observation, dt), expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(policy.hidden, next_hidden, rtol=0, atol=1e-12)
        hidden = next_hidden


@pytest.mark.parametrize('sizes', [(1, 2, 1), (4, 20, 1), (11, 64, 3), (17, 33, 6)])
@pytest.mark.parametrize('seed', range(3))
def test_engines_agree_over_1000_steps_of_varying_dt(make_policy_file, sizes, seed):
    file = make_policy_file(*sizes, seed=seed)
    rng = np.random.default_rng(seed)
    observations = rng.normal(size=(1000, sizes[0])) * 3
    dts = rng.uniform(0.001, 0.1, size=1000)
    numba, numpy = (run(Policy(file, engine), observations, dts) for engine in ENGINES)
    np.testing.assert_allclose(numba, numpy, rtol=0, atol=1e-10 * (file.spec.high - file.spec.low).max())


def test_dt_is_clamped_to_the_range_seen_in_training(policy):
    observation = np.ones(4)
    for given_dt, same_as in ((0.0, 0.004), (0.0039, 0.004), (0.081, 0.08), (1e9, 0.08), (None, T)):
        policy.reset()
        policy.step(observation)
        start = policy.hidden
        action = policy.step(observation, given_dt)
        policy.hidden = start
        np.testing.assert_array_equal(policy.step(observation, same_as), action)


def test_dt_inside_the_range_matters(policy):
    policy.step(np.ones(4))
    start = policy.hidden
    shorter = policy.step(np.ones(4), 0.01)
    policy.hidden = start
    assert not np.array_equal(policy.step(np.ones(4), 0.07), shorter)


def test_the_first_step_after_a_reset_takes_the_nominal_period(policy):
    first = policy.step(np.ones(4), 0.07)
    later = policy.step(np.ones(4), 0.07)
    policy.reset()
    np.testing.assert_array_equal(policy.hidden, np.zeros(8))
    np.testing.assert_array_equal(policy.step(np.ones(4), T), first)
    assert not np.array_equal(policy.step(np.ones(4), T), later)


def test_the_same_observation_after_another_history_gives_another_action(policy):
    policy.step(np.ones(4))
    one = policy.step(np.zeros(4))
    policy.reset()
    policy.step(-np.ones(4))
    assert not np.array_equal(policy.step(np.zeros(4)), one)


BAD_STEPS = [
    (np.zeros(3), None, r'shape \(3,\); it must be \(4,\): obs_0, obs_1'),
    (np.zeros((1, 4)), None, r'shape \(1, 4\)'),
    (1.0, None, r'shape \(\)'),
    ([0, 0, np.nan, 0], None, 'entry 2 is nan'),
    ([0, -np.inf, 0, 0], None, 'entry 1 is -inf'),
    ([1e308, 1e308, 1e308, 1e308], None, 'so large that the policy overflows'),
    (['a', 'b', 'c', 'd'], None, 'is not an array of numbers'),
    (np.zeros(4, dtype=complex), None, 'is not an array of numbers'),
    ([[0], [0, 1], 0, 0], None, 'is not an array of numbers'),
    (None, None, 'is not an array of numbers'),
    (np.zeros(4), -0.01, 'dt is -0.01'),
    (np.zeros(4), math.nan, 'dt is nan'),
    (np.zeros(4), math.inf, 'dt is inf'),
    (np.zeros(4), '0.04', "dt is '0.04'"),
    (np.zeros(4), 1j, 'dt is 1j'),
]


@pytest.mark.parametrize('fresh', [True, False])
@pytest.mark.parametrize(('observation', 'dt', 'named'), BAD_STEPS)
def test_bad_input_is_refused_and_leaves_the_hidden_state(make_policy_file, fresh, observation, dt, named):
    for engine in ENGINES:
        policy = Policy(make_policy_file(4, 20, 2, spread=2.0), engine)
        reference = Policy(policy.file, engine)
        if not fresh:
            policy.step(np.ones(4))
            reference.step(np.ones(4))
        with pytest.raises(ObservationError, match=named):
            policy.step(observation, dt)
        np.testing.assert_array_equal(policy.hidden, reference.hidden)
        np.testing.assert_array_equal(policy.step(np.ones(4), 0.07), reference.step(np.ones(4), 0.07))


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(st.tuples(st.lists(FLOATS, min_size=4, max_size=4), st.none() | FLOATS.map(abs)), max_size=8),
    spread=st.sampled_from([0.1, 1.0, 100.0]),
    engine=st.sampled_from(ENGINES),
)
def test_actions_are_always_within_bounds_and_the_hidden_state_is_finite(make_policy_file, steps, spread, engine):
    policy = Policy(make_policy_file(4, 20, 2, spread=spread), engine)
    for observation, dt in steps:
        before = policy.hidden
        try:
            action = policy.step(observation, dt)
        except ObservationError as error:
            assert 'overflows' in str(error)
            np.testing.assert_array_equal(policy.hidden, before)
        else:
            assert (action >= policy.spec.low).all() and (action <= policy.spec.high).all()
            assert (np.abs(policy.hidden) <= 1).all()


def test_the_widest_bounds_do_not_overflow(make_policy_file):
    file = make_policy_file()
    file = dataclasses.replace(file, spec=dataclasses.replace(file.spec, action_low=(-1e308,), action_high=(1e308,)))
    for engine in ENGINES:
        assert np.isfinite(Policy(file, engine).step(np.ones(4))).all()


def test_each_action_is_a_new_array(policy):
    first = policy.step(np.ones(4))
    kept = first.copy()
    policy.step(-np.ones(4))
    np.testing.assert_array_equal(first, kept)
    assert first.dtype == np.float64


def test_any_array_of_numbers_is_accepted_and_the_step_is_compiled_once(make_policy_file):
    """Another array type would cause compilation in the middle of a control loop."""
    before = None
    for observation in (
        [1, 2, 3, 4],
        np.arange(1, 5, dtype=np.float32),
        np.arange(1.0, 9.0)[:4],
        np.repeat(np.arange(1.0, 5.0), 2)[::2],
        np.frombuffer(np.arange(1.0, 5.0).tobytes()),
        np.frombuffer(b'.' + np.arange(1.0, 5.0).tobytes(), offset=1),
        np.arange(1, 5, dtype='>f8'),
    ):
        for dt in (None, 0, 0.04, np.float32(0.04), np.float64(0.04), np.int64(1)):
            policy = Policy(make_policy_file(), 'numba')
            policy.step(np.ones(4))
            policy.step(observation, dt)
            policy.hidden = np.zeros(8)
            action = policy.step(observation)
            assert before is None or np.array_equal(action, before)
            before = action
    assert len(compiled_step().signatures) == 1


def test_warm_up_leaves_the_hidden_state(policy):
    policy.step(np.ones(4))
    before = policy.hidden
    policy.warm_up()
    np.testing.assert_array_equal(policy.hidden, before)


def test_hidden_is_a_copy_and_can_be_set(policy):
    policy.hidden[:] = 1.0
    np.testing.assert_array_equal(policy.hidden, np.zeros(8))
    for wrong in (np.zeros(7), np.full(8, np.nan), 'abc'):
        with pytest.raises(ObservationError):
            policy.hidden = wrong
    policy.hidden = np.full(8, 0.5)
    np.testing.assert_array_equal(policy.hidden, np.full(8, 0.5))


def test_load_gives_the_policy_that_was_saved(policy, tmp_path):
    policy.file.save(tmp_path / 'p.safetensors')
    loaded = Policy.load(tmp_path / 'p.safetensors', policy.engine)
    assert (loaded.digest, loaded.spec, loaded.dt_range) == (policy.digest, policy.spec, policy.dt_range)
    assert (loaded.period, loaded.engine) == (T, policy.engine)
    np.testing.assert_array_equal(loaded.step(np.ones(4)), policy.step(np.ones(4)))
    with pytest.raises(PolicyFileError):
        Policy.load(tmp_path)


def test_an_unknown_engine_is_refused(make_policy_file):
    with pytest.raises(ConfigError, match="engine is 'jax'; it must be one of auto, numba, numpy"):
        Policy(make_policy_file(), 'jax')


STEP = """
import sys, warnings
warnings.simplefilter('error')
from velora_ros.policy import Policy
assert not {'torch', 'rclpy', 'numba', 'gymnasium'} & sys.modules.keys(), 'imported too much'
policy = Policy.load(sys.argv[1], sys.argv[2])
policy.warm_up()
print(policy.engine, *policy.step([1, 2, 3, 4]))
assert not {'torch', 'rclpy', 'gymnasium'} & sys.modules.keys(), 'imported too much'
"""


def in_a_process(path, engine, root=PACKAGE.parent, **environment):
    kept = {key: value for key, value in os.environ.items() if key not in ('HOME', 'XDG_CACHE_HOME', 'NUMBA_CACHE_DIR')}
    result = subprocess.run(
        [sys.executable, '-c', STEP, str(path), engine],
        env={**kept, 'PYTHONPATH': str(root), **environment},
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, '')
    return result.stdout.split()


@pytest.fixture
def saved(make_policy_file, tmp_path):
    path = tmp_path / 'p.safetensors'
    make_policy_file().save(path)
    return path


def test_a_policy_runs_without_torch_ros_and_with_either_engine(saved):
    by_engine = {engine: in_a_process(saved, engine, HOME=str(saved.parent)) for engine in (*ENGINES, 'auto')}
    assert by_engine['auto'] == by_engine['numba']
    assert by_engine['numba'][0] == 'numba'
    assert float(by_engine['numba'][1]) == pytest.approx(float(by_engine['numpy'][1]), abs=1e-12)


WITHOUT_NUMBA = """
import sys
sys.modules['numba'] = None
from velora_ros.errors import MissingDependencyError
from velora_ros.policy import Policy
policy = Policy.load(sys.argv[1])
print(policy.engine, *policy.step([1, 2, 3, 4]))
try:
    Policy.load(sys.argv[1], 'numba')
except MissingDependencyError as error:
    print(error)
"""


def test_without_numba_the_policy_runs_in_numpy_and_the_engine_numba_is_refused(saved):
    command = [sys.executable, '-c', WITHOUT_NUMBA, str(saved)]
    environment = {**os.environ, 'PYTHONPATH': str(PACKAGE.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, refusal = done.stdout.splitlines()
    assert first.split() == in_a_process(saved, 'numpy')
    assert "install it, or use 'numpy'" in refusal


@pytest.fixture
def read_only_install(tmp_path):
    """A copy of the package in which numba cannot write a cache beside the source."""
    shutil.copytree(PACKAGE, tmp_path / 'install/velora_ros', ignore=shutil.ignore_patterns('__pycache__'))
    (tmp_path / 'install/velora_ros/policy/__pycache__').write_text('in the way')
    return tmp_path / 'install'


@pytest.mark.parametrize('home', [{'HOME': '/dev/null'}, {}])
def test_without_a_writable_cache_the_policy_still_runs(saved, read_only_install, home):
    assert in_a_process(saved, 'numba', read_only_install, **home)[0] == 'numba'
    assert not (saved.parent / '~').exists()


def test_a_damaged_cache_does_no_harm(saved, tmp_path):
    cache = {'NUMBA_CACHE_DIR': str(tmp_path / 'cache'), 'HOME': str(tmp_path)}
    fresh = in_a_process(saved, 'numba', **cache)
    files = list((tmp_path / 'cache').rglob('*.nb?'))
    assert files
    for path in files:
        path.write_bytes(b'')
    assert in_a_process(saved, 'numba', **cache) == fresh
