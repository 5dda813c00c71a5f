import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velora_ros.errors import ConfigError
from velora_ros.liquid import Wiring


@given(
    n_sensory=st.integers(1, 30),
    n_neurons=st.integers(2, 64),
    n_motor=st.integers(1, 8),
    sparsity=st.floats(0, 0.99),
    seed=st.integers(0, 2**32),
)
def test_no_neuron_is_left_without_an_input_or_an_output(
    n_sensory: int, n_neurons: int, n_motor: int, sparsity: float, seed: int
) -> None:
    wiring = Wiring.random(n_sensory, n_neurons, n_motor, rng=np.random.default_rng(seed), sparsity=sparsity)
    feed_forward = wiring.command[:, : wiring.n_inter]
    for mask in (wiring.inter, feed_forward, wiring.motor):
        assert mask.any(axis=1).all()
        assert mask.any(axis=0).all()


@given(n_neurons=st.integers(2, 200))
def test_sizes_follow_from_the_number_of_neurons(n_neurons: int) -> None:
    wiring = Wiring.random(3, n_neurons, 2, rng=np.random.default_rng(0))
    assert wiring.n_command == max(int(0.4 * n_neurons), 1)
    assert wiring.n_inter == n_neurons - wiring.n_command
    assert (wiring.n_sensory, wiring.n_motor) == (3, 2)


def test_each_neuron_draws_its_share_of_inputs_and_the_recurrence_is_dense() -> None:
    wiring = Wiring.random(11, 40, 3, rng=np.random.default_rng(0), sparsity=0.7)
    assert wiring.inter.sum(axis=1).min() == math.ceil(0.3 * 11)
    assert wiring.command[:, wiring.n_inter :].all()


def test_one_seed_is_one_wiring() -> None:
    first, again, other = (Wiring.random(4, 20, 1, rng=np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(first.command, again.command)
    assert not np.array_equal(first.command, other.command)


@pytest.mark.parametrize(
    ('n_sensory', 'n_neurons', 'n_motor', 'sparsity'), [(0, 10, 1, 0.5), (4, 1, 1, 0.5), (4, 9, 1, 1)]
)
def test_impossible_sizes_are_refused(n_sensory: int, n_neurons: int, n_motor: int, sparsity: float) -> None:
    with pytest.raises(ConfigError):
        Wiring.random(n_sensory, n_neurons, n_motor, rng=np.random.default_rng(0), sparsity=sparsity)
