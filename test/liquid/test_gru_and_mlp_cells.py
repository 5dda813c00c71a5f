"""The control cells: what the liquid one is compared with computes what it says, and is as large as it says."""

import numpy as np
import pytest
import torch
from cell_networks import CONTROLS, network

from velora_ros.errors import ConfigError
from velora_ros.liquid import Wiring
from velora_ros.liquid.cell_registry import CELLS
from velora_ros.liquid.gru_cell import GRUCell
from velora_ros.liquid.mlp_cell import MLPCell
from velora_ros.liquid.sizes import equal_neurons


@pytest.mark.parametrize('cell', CONTROLS)
@pytest.mark.parametrize('n_neurons', [10, 20, 32, 64])
@pytest.mark.parametrize(('n_sensory', 'n_motor'), [(4, 1), (11, 3), (17, 6)])
def test_a_control_has_as_many_parameters_as_the_liquid_network(
    cell: str, n_neurons: int, n_sensory: int, n_motor: int
) -> None:
    def drawn(kind: str, neurons: int) -> int:
        rng = np.random.default_rng(0)
        return Wiring.random(n_sensory, neurons, n_motor, rng=rng, cell=kind).n_parameters

    liquid = drawn('cfc', n_neurons)
    assert abs(drawn(cell, equal_neurons(cell, n_sensory, n_neurons, n_motor)) / liquid - 1) < 0.1


@pytest.mark.parametrize('cell', CELLS)
def test_the_number_of_parameters_is_that_of_the_network(cell: str) -> None:
    made = network(cell)
    weights = sum(int(mask.sum()) for name, mask in made.named_buffers() if name.endswith('mask'))
    biases = sum(value.numel() for name, value in made.named_parameters() if name.endswith('bias'))
    assert made.wiring.n_parameters == weights + biases


def test_an_unknown_cell_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"there is no cell 'grue'. Did you mean 'gru'"):
        Wiring.random(4, 20, 1, rng=np.random.default_rng(0), cell='grue')


def test_the_gru_is_torchs_own_with_the_time_as_an_input() -> None:
    cell = GRUCell(np.ones((7, 5 + 1 + 7), dtype=bool), generator=torch.Generator().manual_seed(1))
    cell.bias.data.normal_(generator=torch.Generator().manual_seed(2))
    oracle = torch.nn.GRUCell(6, 7)
    oracle.weight_ih.data, oracle.weight_hh.data = cell.weight.data[:, :6].clone(), cell.weight.data[:, 6:].clone()
    oracle.bias_ih.data, oracle.bias_hh.data = cell.bias.data.clone(), torch.zeros(21)
    inputs, hidden, dt = torch.randn(4, 5), torch.tanh(torch.randn(4, 7)), torch.tensor([0.1, 1.0, 2.0, 9.0])
    expected = oracle(torch.cat([inputs, dt[:, None] - 1], dim=1), hidden)
    torch.testing.assert_close(cell(inputs, hidden, dt), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        cell(inputs, hidden, 0.5), oracle(torch.cat([inputs, torch.full((4, 1), -0.5)], dim=1), hidden)
    )


def test_the_feed_forward_layer_reads_the_time_and_no_memory() -> None:
    mask = np.ones((3, 2 + 1 + 3), dtype=bool)
    mask[:, 3:] = False
    cell = MLPCell(mask, generator=torch.Generator().manual_seed(1))
    inputs = torch.randn(4, 2)
    one, other = cell(inputs, torch.zeros(4, 3), 1.0), cell(inputs, torch.ones(4, 3), 1.0)
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert not torch.equal(one, cell(inputs, torch.zeros(4, 3), 2.0))


@pytest.mark.parametrize('cell', CONTROLS)
def test_a_sequence_equals_its_steps(cell: str) -> None:
    made = network(cell)
    inputs, dt, hidden = torch.randn(3, 5, 4), torch.rand(3, 5) + 0.5, torch.zeros(3, made.hidden_size)
    motor, states = made(inputs, hidden, dt)
    for step in range(5):
        output, hidden = made.step(inputs[:, step], hidden, dt[:, step])
        torch.testing.assert_close(motor[:, step], output, rtol=0, atol=1e-6)
        torch.testing.assert_close(states[:, step], hidden, rtol=0, atol=1e-6)


@pytest.mark.parametrize('cell', CONTROLS)
def test_every_synapse_gets_a_gradient_through_time(cell: str) -> None:
    made = network(cell)
    hidden = torch.tanh(torch.randn(16, made.hidden_size))
    motor, _ = made(torch.randn(16, 8, 4), hidden, torch.rand(16, 8) + 0.5)
    (motor**2).sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None
        mask = torch.ones(parameter.shape)
        if name.endswith('weight'):
            mask = made.get_buffer(name.replace('weight', 'mask'))
        assert (parameter.grad[mask > 0] != 0).all(), name
