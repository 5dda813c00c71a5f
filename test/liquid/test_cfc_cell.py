import numpy as np
import pytest
import torch
from ncps.torch import CfCCell as OracleCell

from velora_ros.liquid import CfCCell


def dense_cell(n_inputs: int = 5, n_hidden: int = 7) -> CfCCell:
    return CfCCell(np.ones((n_hidden, n_inputs + n_hidden), dtype=bool), generator=torch.Generator().manual_seed(1))


def oracle_of(cell: CfCCell) -> OracleCell:
    """ncps's cell with the same weights; its gates are ff1 = g, ff2 = k, time_a = a, time_b = b."""
    oracle = OracleCell(cell.input_size, cell.hidden_size, mode='default', backbone_layers=0)
    layers = (oracle.ff1, oracle.ff2, oracle.time_a, oracle.time_b)
    for layer, weight, bias in zip(layers, cell.weight.chunk(4), cell.bias.chunk(4), strict=True):
        layer.weight.data, layer.bias.data = weight.data.clone(), bias.data.clone()
    return oracle


@pytest.mark.parametrize('dt', [0.0, 0.3, 1.0, 3.0])
def test_a_step_equals_the_published_cell(dt: float) -> None:
    cell = dense_cell()
    cell.bias.data.normal_(generator=torch.Generator().manual_seed(2))
    inputs, hidden = torch.randn(4, 5), torch.tanh(torch.randn(4, 7))
    expected, _ = oracle_of(cell)(inputs, hidden, dt)
    torch.testing.assert_close(cell(inputs, hidden, dt), expected, rtol=0, atol=1e-6)


def test_a_batch_may_have_an_elapsed_time_for_each_row() -> None:
    cell = dense_cell()
    inputs, hidden, dt = torch.randn(4, 5), torch.tanh(torch.randn(4, 7)), torch.tensor([0.1, 1.0, 2.0, 9.0])
    expected = torch.cat([oracle_of(cell)(inputs[i : i + 1], hidden[i : i + 1], dt[i].item())[0] for i in range(4)])
    torch.testing.assert_close(cell(inputs, hidden, dt), expected, rtol=0, atol=1e-6)


def test_a_sequence_equals_its_steps_and_forgets_where_an_episode_starts() -> None:
    cell = dense_cell()
    inputs, dt = torch.randn(3, 6, 5), torch.rand(3, 6) * 2
    first = torch.zeros(3, 6)
    first[1, 3] = 1
    hidden = torch.tanh(torch.randn(3, 7))
    states = cell.sequence(inputs, hidden, dt, first)
    for step in range(6):
        hidden = cell(inputs[:, step], hidden * (1 - first[:, step, None]), dt[:, step])
        torch.testing.assert_close(states[:, step], hidden, rtol=0, atol=1e-6)


def test_the_hidden_state_stays_in_bounds_whatever_comes() -> None:
    cell = dense_cell()
    hidden = torch.zeros(2, 7)
    for scale in (1e3, 1e6, 1e30):
        hidden = cell(torch.randn(2, 5) * scale, hidden, scale)
        assert torch.isfinite(hidden).all()
        assert hidden.abs().max() <= 1


def test_masked_weights_start_at_zero_and_get_no_gradient() -> None:
    mask = np.random.default_rng(0).random((7, 12)) < 0.5
    mask[:, 0] = True
    cell = CfCCell(mask)
    cell(torch.randn(4, 5), torch.randn(4, 7)).sum().backward()
    absent = ~torch.as_tensor(np.tile(mask, (4, 1)))
    assert cell.weight.grad is not None
    assert cell.weight[absent].abs().max() == 0
    assert cell.weight.grad[absent].abs().max() == 0
