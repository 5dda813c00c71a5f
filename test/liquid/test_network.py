import numpy as np
import pytest
import torch

from velora_ros.liquid import LiquidNetwork, Wiring


@pytest.fixture
def network() -> LiquidNetwork:
    return LiquidNetwork(
        Wiring.random(4, 20, 2, rng=np.random.default_rng(3)), generator=torch.Generator().manual_seed(4)
    )


def test_a_sequence_equals_its_steps(network: LiquidNetwork) -> None:
    inputs, dt, hidden = torch.randn(3, 5, 4), torch.rand(3, 5) + 0.5, torch.zeros(3, 8)
    motor, states = network(inputs, hidden, dt)
    for step in range(5):
        output, hidden = network.step(inputs[:, step], hidden, dt[:, step])
        torch.testing.assert_close(motor[:, step], output, rtol=0, atol=1e-6)
        torch.testing.assert_close(states[:, step], hidden, rtol=0, atol=1e-6)


def test_every_synapse_of_every_gate_gets_a_gradient_through_time(network: LiquidNetwork) -> None:
    motor, _ = network(torch.randn(16, 8, 4), torch.tanh(torch.randn(16, 8)), torch.rand(16, 8) + 0.5)
    (motor**2).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        mask = network.get_parameter(name).new_ones(parameter.shape)
        if name.endswith('weight'):
            mask = network.get_buffer(name.replace('weight', 'mask'))
        assert (parameter.grad[mask > 0] != 0).all(), name
