"""The golden trace of a policy file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from velora_ros.doctor.check_policy import check_policy
from velora_ros.errors import PolicyFileError
from velora_ros.policy import Policy, PolicyFile
from velora_ros.policy.golden_trace import KEY, for_reading, golden_trace, run_trace, with_golden_trace

SHIPPED = sorted((Path(__file__).parents[2] / 'policies').glob('*.safetensors'))


@pytest.mark.parametrize('engine', ['numpy', 'numba'])
def test_another_engine_and_another_reading_give_the_same(make_policy_file, tmp_path, engine):
    with_golden_trace(make_policy_file()).save(tmp_path / 'p.safetensors')
    policy = Policy.load(tmp_path / 'p.safetensors', engine)
    observations, times, actions = golden_trace(policy.file)
    np.testing.assert_allclose(run_trace(policy, observations, times), actions, atol=1e-12)
    assert check_policy('p', policy)[:2] == ('ok', 'trace')


def test_the_trace_exercises_the_memory_and_the_elapsed_time(make_policy_file):
    file = with_golden_trace(make_policy_file())
    observations, times, actions = golden_trace(file)
    alone = [run_trace(Policy(file, 'numpy'), observations[k : k + 1], times[k : k + 1])[0] for k in range(len(times))]
    assert np.abs(np.array(alone) - actions)[1:].max() > 1e-6
    even = run_trace(Policy(file, 'numpy'), observations, [file.spec.control_period] * len(times))
    assert np.abs(even - actions).max() > 1e-6


@pytest.mark.parametrize('engine', ['numpy', 'numba'])
@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_each_shipped_policy_has_a_trace_and_gives_its_actions(path, engine):
    policy = Policy.load(path, engine)
    _, times, actions = golden_trace(policy.file)
    assert len(times) > 1 and np.ptp(actions, axis=0).min() > 1e-3  # a trace of equal actions would show nothing
    assert check_policy(path.stem, policy).level == 'ok'


def test_weights_that_differ_are_found(make_policy_file):
    file = with_golden_trace(make_policy_file())
    tensors = {**file.tensors, 'motor.bias': file.tensors['motor.bias'] + 0.01}
    found = check_policy('p', Policy(replace(file, tensors=tensors), 'numpy'))
    assert found[:2] == ('mend', 'trace')
    assert "most in 'action_0'" in found.text


def test_a_file_without_a_trace_is_a_note(make_policy_file):
    assert golden_trace(make_policy_file()) is None
    assert check_policy('p', Policy(make_policy_file(), 'numpy')).level == 'note'


SHORT = {'observations': [[1.0]], 'dt': [1], 'actions': [[1]]}
EMPTY = {'observations': [], 'dt': [], 'actions': []}


@pytest.mark.parametrize('trace', [{}, EMPTY, 'x', SHORT])
def test_a_trace_that_does_not_fit_is_refused(make_policy_file, trace):
    file = make_policy_file(provenance={KEY: trace})
    with pytest.raises(PolicyFileError, match=r'golden trace .*xport the policy again'):
        golden_trace(file)


def test_the_rest_of_the_file_stays(make_policy_file):
    file = make_policy_file()
    other: PolicyFile = with_golden_trace(file)
    assert other.spec == file.spec
    assert {name: value for name, value in other.provenance.items() if name != KEY} == dict(file.provenance)


def test_people_read_only_how_long_it_is(make_policy_file):
    file = with_golden_trace(make_policy_file())
    assert for_reading(file.provenance)[KEY] == '12 steps'
    assert for_reading({'a': 1}) == {'a': 1}
