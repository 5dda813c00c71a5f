"""The compiled networks compute what the torch networks compute, with every cell."""

import numpy as np
import pytest
import torch
from cell_networks import network

from velora_ros.liquid.cell_registry import CELLS
from velora_ros.liquid.kernels.network import CompiledNetwork


@pytest.mark.parametrize('cell', list(CELLS))
@pytest.mark.parametrize('n_neurons', [2, 12, 64])
@pytest.mark.parametrize('burn_in', [0, 3])
def test_the_compiled_network_computes_the_same_forwards_and_backwards(cell: str, n_neurons: int, burn_in: int) -> None:
    made = network(cell, n_neurons)
    rng = np.random.default_rng(7)
    inputs = 3 * rng.standard_normal((4, 9, 4), dtype=np.float32)
    hidden = np.tanh(rng.standard_normal((4, made.hidden_size), dtype=np.float32))
    dt = rng.uniform(0, 3, (4, 9)).astype(np.float32)
    first = (rng.random((4, 9)) < 0.2).astype(np.float32)
    d_motor = rng.standard_normal((4, 9, 2), dtype=np.float32)
    d_motor[:, :burn_in] = 0

    with torch.no_grad():
        arguments = [torch.from_numpy(values[:, :burn_in]) for values in (inputs, dt, first)]
        before = torch.from_numpy(hidden)
        if burn_in:
            before = made.states(arguments[0], before, *arguments[1:])[:, -1]
    rest = [torch.from_numpy(values[:, burn_in:]) for values in (inputs, dt, first)]
    motor, states = made(rest[0], before, *rest[1:])
    (motor * torch.from_numpy(d_motor[:, burn_in:])).sum().backward()
    compiled = CompiledNetwork(made.wiring, {name: value.detach().numpy() for name, value in made.named_parameters()})
    by_step = inputs.transpose(1, 2, 0).copy(), hidden.T.copy(), dt.T.copy(), first.T.copy()
    output, tape = compiled.forward(*by_step)
    gradients = {name: np.full(value.shape, np.nan, np.float32) for name, value in made.named_parameters()}
    compiled.backward(output, tape, d_motor.transpose(1, 2, 0).copy(), gradients, burn_in=burn_in)

    expected = (motor.detach().numpy(), states.detach().numpy())
    for array, reference in zip((output, tape.states), expected, strict=True):
        np.testing.assert_allclose(array.transpose(2, 0, 1)[:, burn_in:], reference, rtol=0, atol=3e-6)
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(gradients[name], parameter.grad.numpy(), rtol=1e-3, atol=3e-5, err_msg=name)


@pytest.mark.parametrize('cell', list(CELLS))
def test_one_step_is_a_sequence_of_one(cell: str) -> None:
    made = network(cell)
    compiled = CompiledNetwork(made.wiring, {name: value.detach().numpy() for name, value in made.named_parameters()})
    kept, after = torch.zeros(1, made.hidden_size), np.zeros(made.hidden_size, np.float32)
    rng = np.random.default_rng(8)
    for _ in range(9):
        observation, dt = rng.standard_normal(4, dtype=np.float32), float(rng.uniform(0, 3))
        action, kept = made.step(torch.from_numpy(observation)[None], kept, dt)
        one, after = compiled.step(observation, after, dt)
        np.testing.assert_allclose(one, action[0].detach().numpy(), rtol=0, atol=3e-6)
        np.testing.assert_allclose(after, kept[0].detach().numpy(), rtol=0, atol=3e-6)
