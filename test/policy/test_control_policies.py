"""Policies with the control cells (GRU, MLP): the file names the cell and the runtime computes it."""

import dataclasses

import numpy as np
import pytest

from velora_ros.errors import ConfigError, PolicyFileError
from velora_ros.policy import Policy, PolicyFile

CONTROLS = ['gru', 'mlp']


@pytest.fixture(params=CONTROLS)
def file(request, make_policy_file):
    return make_policy_file(4, 20, 2, cell=request.param)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def documented_step(file, observation, hidden, ratio):
    """The equations of velora_ros.policy.tensor_layout, gate by gate."""
    w = {name: tensor.astype(float) for name, tensor in file.tensors.items()}
    x = (observation - w['normalisation.offset']) * w['normalisation.scale']
    v = w['inter.weight'] @ x + w['inter.bias']
    u = v * np.tanh(np.log1p(np.exp(v)))
    timed = np.array([*u, ratio - 1])
    weight, bias = w['command.weight'], w['command.bias']
    if file.cell == 'mlp':
        after = np.tanh(weight[:, : len(timed)] @ timed + bias)
    else:
        from_input, from_hidden = weight[:, : len(timed)], weight[:, len(timed) :]
        (y_r, y_z, y_n), (w_r, w_z, w_n) = np.split(from_input @ timed + bias, 3), np.split(from_hidden @ hidden, 3)
        r, z = sigmoid(y_r + w_r), sigmoid(y_z + w_z)
        after = (1 - z) * np.tanh(y_n + r * w_n) + z * hidden
    m = np.tanh(w['motor.weight'] @ after + w['motor.bias'])
    return file.spec.low + (m + 1) / 2 * (file.spec.high - file.spec.low), after


def test_a_step_is_the_documented_equations(file):
    policy, rng, hidden = Policy(file), np.random.default_rng(1), np.zeros(file.hidden_size)
    for _ in range(50):
        observation, dt = rng.normal(size=4), rng.uniform(0.004, 0.08)
        expected, hidden_after = documented_step(file, observation, hidden, dt / 0.04)
        policy.hidden = hidden
        np.testing.assert_allclose(policy.step(observation, dt), expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(policy.hidden, hidden_after, rtol=0, atol=1e-12)
        hidden = hidden_after


def test_only_the_recurrent_control_remembers(file):
    policy = Policy(file)
    policy.step(np.ones(4))
    after_one = policy.step(np.zeros(4))
    policy.reset()
    assert np.array_equal(after_one, policy.step(np.zeros(4))) == (file.cell == 'mlp')


def test_the_file_keeps_its_cell(file, tmp_path):
    file.save(tmp_path / 'p.safetensors')
    loaded = PolicyFile.load(tmp_path / 'p.safetensors')
    assert (loaded.cell, loaded.digest) == (file.cell, file.digest)


def test_a_file_that_names_no_cell_has_the_liquid_one(make_policy_file):
    file = make_policy_file()
    assert 'cell' not in file.wiring
    assert file.cell == 'cfc'
    named = dataclasses.replace(file, wiring={**file.wiring, 'cell': 'cfc'})
    observation = np.ones(4)
    np.testing.assert_array_equal(Policy(file).step(observation), Policy(named).step(observation))


def test_an_unknown_cell_is_refused(file):
    with pytest.raises(PolicyFileError, match="field 'cell' is 'lstm'; it must be one of cfc, gru, mlp"):
        dataclasses.replace(file, wiring={**file.wiring, 'cell': 'lstm'})


def test_a_cell_whose_weights_are_anothers_is_refused(make_policy_file):
    file = make_policy_file()
    with pytest.raises(PolicyFileError, match=r"tensor 'command.weight' has the shape"):
        dataclasses.replace(file, wiring={**file.wiring, 'cell': 'gru'})


def test_numba_runs_the_liquid_cell_only(file):
    assert Policy(file).engine == 'numpy'
    with pytest.raises(
        ConfigError,
        match=f"the engine 'numba' supports only the cell 'cfc', but this policy has the cell '{file.cell}'",
    ):
        Policy(file, 'numba')
