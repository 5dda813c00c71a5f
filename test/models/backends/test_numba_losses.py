"""The compiled loops give what the formulas give."""

import numpy as np
import pytest
import torch

from velora_ros.models.backends.numba_losses import column_returns, motor_penalty, soft_update_arrays
from velora_ros.models.backends.torch_backend import LARGEST_MOTOR
from velora_ros.models.targets import lambda_returns, soft_update


def test_returns_in_columns_are_the_lambda_returns() -> None:
    rng, burn_in = np.random.default_rng(0), 2
    reward, value, trace = rng.random((3, 4, 8), dtype=np.float32)
    terminated, first = (rng.random((2, 4, 8)) < 0.2).astype(np.float32)
    elapsed = rng.uniform(0.5, 1.5, (4, 8)).astype(np.float32)
    discount = np.float32(0.9) ** elapsed * (1 - terminated)
    late = np.s_[:, burn_in:]
    expected = lambda_returns(reward[late] * np.float32(0.1), discount[late], value[late], first[late], trace[late])
    columns, returns = [x[late].T.ravel().copy() for x in (trace, value)], np.empty(4 * 6, np.float32)
    column_returns(reward, terminated, elapsed, first, burn_in, 0.9, columns[0], 0.1, columns[1], returns)
    np.testing.assert_allclose(returns, expected.T.ravel(), rtol=1e-5)


def test_the_penalty_on_the_motor_layer_is_that_of_torch_with_its_gradient() -> None:
    sums = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0)) * 2
    sums[0, 0, 0] = 50.0  # float32 rounds its tanh to 1: there is no gradient
    motor = torch.tanh(sums).requires_grad_()
    penalty = 0.3 * torch.atanh(motor.clamp(-LARGEST_MOTOR, LARGEST_MOTOR)).square().mean()
    (gradient,) = torch.autograd.grad(penalty, motor)
    before = np.full(motor.shape, 0.5, np.float32)
    slope = before.copy()
    assert motor_penalty(motor.detach().numpy(), 0.3, slope) == pytest.approx(penalty.item(), rel=1e-4)
    np.testing.assert_allclose(slope - before, gradient.numpy(), rtol=1e-2, atol=1e-5)


def test_the_soft_update_of_arrays_is_that_of_modules() -> None:
    rng = np.random.default_rng(0)
    online, target = torch.nn.Linear(30, 7), torch.nn.Linear(30, 7)
    arrays = [[p.detach().numpy().ravel().copy() for p in side.parameters()] for side in (online, target)]
    tau = float(rng.uniform(0, 1))
    soft_update(target, online, tau)
    for one, other, parameter in zip(*arrays, target.parameters(), strict=True):
        soft_update_arrays(other, one, tau)
        np.testing.assert_allclose(other, parameter.detach().numpy().ravel(), rtol=1e-6, atol=1e-7)
