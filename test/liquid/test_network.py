import numpy as np
import pytest
import torch

from velora_ros.liquid import LiquidNetwork, Wiring
from velora_ros.liquid.kernels.network import CompiledNetwork


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


@pytest.mark.parametrize('n_neurons', [2, 10, 64])
def test_the_fused_network_computes_the_same_forwards_and_backwards(n_neurons: int) -> None:
    wiring = Wiring.random(6, n_neurons, 3, rng=np.random.default_rng(5))
    network = LiquidNetwork(wiring, generator=torch.Generator().manual_seed(6))
    rng = np.random.default_rng(7)
    inputs = 3 * rng.standard_normal((4, 9, 6), dtype=np.float32)
    hidden = np.tanh(rng.standard_normal((4, wiring.n_command), dtype=np.float32))
    dt = rng.uniform(0, 3, (4, 9)).astype(np.float32)
    first = (rng.random((4, 9)) < 0.2).astype(np.float32)
    d_motor = rng.standard_normal((4, 9, 3), dtype=np.float32)

    motor, states = network(*map(torch.from_numpy, (inputs, hidden, dt, first)))
    (motor * torch.from_numpy(d_motor)).sum().backward()
    fused = CompiledNetwork(wiring, {name: value.detach().numpy() for name, value in network.named_parameters()})
    by_step = inputs.transpose(1, 2, 0).copy()
    output, tape = fused.forward(by_step, hidden.T.copy(), dt.T.copy(), first.T.copy())
    gradients = {name: np.zeros(value.shape, np.float32) for name, value in network.named_parameters()}
    fused.backward(output, tape, d_motor.transpose(1, 2, 0).copy(), gradients)

    np.testing.assert_allclose(output.transpose(2, 0, 1), motor.detach().numpy(), rtol=0, atol=3e-6)
    np.testing.assert_allclose(tape.states.transpose(2, 0, 1), states.detach().numpy(), rtol=0, atol=3e-6)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(gradients[name], parameter.grad.numpy(), rtol=1e-3, atol=2e-5, err_msg=name)

    kept, after = torch.zeros(wiring.n_command), np.zeros(wiring.n_command, np.float32)
    for step in range(9):
        action, kept = network.step(torch.from_numpy(inputs[:1, step]), kept.reshape(1, -1), float(dt[0, step]))
        one, after = fused.step(inputs[0, step], after, float(dt[0, step]))
        np.testing.assert_allclose(one, action[0].detach().numpy(), rtol=0, atol=3e-6)
        np.testing.assert_allclose(after, kept[0].detach().numpy(), rtol=0, atol=3e-6)
