"""Who listens to whom: the sparse, seeded wiring of a Neural Circuit Policy (doi 10.1038/s42256-020-00237-3)."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Wiring:
    """
    The synapses between sensory, inter, command and motor neurons; True where there is one.

    Every neuron has at least one input and one output, observations included.

    Args:
        inter: sensory -> inter, shape (inter, sensory).
        command: [inter; command] -> command, shape (command, inter + command); command -> command is dense.
        motor: command -> motor, shape (motor, command).
        sparsity: share of the possible synapses that each neuron does without.
    """

    inter: Mask
    command: Mask
    motor: Mask
    sparsity: float

    @classmethod
    def random(
        cls, n_sensory: int, n_neurons: int, n_motor: int, *, rng: np.random.Generator, sparsity: float = 0.5
    ) -> 'Wiring':
        """
        Draw a wiring.

        Each neuron draws ceil((1 - sparsity) x fan-in) distinct inputs; every source that nobody drew then gets one
        listener.

        Args:
            n_sensory: number of observations.
            n_neurons: number of inter and command neurons together; command = max(int(0.4 n), 1).
            n_motor: number of actions.
            rng: the only source of chance.
            sparsity: share of the possible synapses to leave out, in [0, 1).

        Raises:
            ConfigError: a number is too small, or the sparsity is out of range.
        """
        if n_sensory < 1 or n_motor < 1:
            raise ConfigError(f'a wiring needs at least one observation and one action; got {n_sensory} and {n_motor}.')
        if n_neurons < 2:
            raise ConfigError(f'n_neurons is {n_neurons}; it must be at least 2, one inter and one command neuron.')
        if not 0 <= sparsity < 1:
            raise ConfigError(f'sparsity is {sparsity}; it must be at least 0 and below 1.')
        n_command = max(int(0.4 * n_neurons), 1)
        n_inter = n_neurons - n_command
        feed_forward = _synapses(n_command, n_inter, sparsity, rng)
        recurrent = np.ones((n_command, n_command), dtype=np.bool_)
        return cls(
            inter=_synapses(n_inter, n_sensory, sparsity, rng),
            command=np.concatenate([feed_forward, recurrent], axis=1),
            motor=_synapses(n_motor, n_command, sparsity, rng),
            sparsity=sparsity,
        )

    @property
    def n_sensory(self) -> int:
        """Number of observations."""
        return int(self.inter.shape[1])

    @property
    def n_inter(self) -> int:
        """Number of inter neurons."""
        return int(self.inter.shape[0])

    @property
    def n_command(self) -> int:
        """Number of command neurons: the size of the hidden state."""
        return int(self.command.shape[0])

    @property
    def n_motor(self) -> int:
        """Number of actions."""
        return int(self.motor.shape[0])


def _synapses(n_targets: int, n_sources: int, sparsity: float, rng: np.random.Generator) -> Mask:
    """Draw each target's inputs, then give every source that nobody drew one listener; shape (targets, sources)."""
    n_inputs = math.ceil(round((1 - sparsity) * n_sources, 9))  # rounded: 0.3 * 10 is a hair above 3 in binary
    mask = np.zeros((n_targets, n_sources), dtype=np.bool_)
    for target in range(n_targets):
        mask[target, rng.choice(n_sources, size=n_inputs, replace=False)] = True
    for source in np.flatnonzero(~mask.any(axis=0)):
        mask[rng.integers(n_targets), source] = True
    return mask
