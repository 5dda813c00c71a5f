"""The wiring: sparse, seeded synapses of a Neural Circuit Policy (doi 10.1038/s42256-020-00237-3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError
from velora_ros.liquid.cell_registry import CFC, cell_kind
from velora_ros.liquid.sizes import inputs_per_neuron, layer_sizes

Mask = npt.NDArray[np.bool_]
LAYERS = ('inter', 'command', 'motor')


@dataclass(frozen=True, eq=False)
class Wiring:
    """
    The synapses between sensory, inter, command and motor neurons; True where a synapse exists.

    Every neuron has at least one input and one output, observations included.

    Args:
        inter: sensory -> inter, shape (inter, sensory).
        command: [inter; command] -> command, shape (command, inter + command); command -> command is dense. Cells that
            take the time as an input have one more column, between these two blocks; a feed-forward cell has no synapse
            from h.
        motor: command -> motor, shape (motor, command).
        sparsity: share of its possible synapses that each neuron does not have.
        cell: kind of the command layer, one of :data:`velora_ros.liquid.cell_registry.CELLS`.
    """

    inter: Mask
    command: Mask
    motor: Mask
    sparsity: float
    cell: str = CFC

    @classmethod
    def random(
        cls,
        n_sensory: int,
        n_neurons: int,
        n_motor: int,
        *,
        rng: np.random.Generator,
        sparsity: float = 0.5,
        cell: str = CFC,
    ) -> 'Wiring':
        """
        Draw a wiring.

        Each neuron draws ceil((1 - sparsity) x fan-in) distinct inputs. Every source that was not drawn then gets one
        target.

        Args:
            n_sensory: number of observations.
            n_neurons: number of inter and command neurons together; command = max(int(0.4 n), 1).
            n_motor: number of actions.
            rng: the only random generator that is used.
            sparsity: share of the possible synapses to leave out, in [0, 1).
            cell: kind of the command layer.

        Raises:
            ConfigError: a number is too small, the sparsity is out of range, or the cell is unknown.
        """
        if n_sensory < 1 or n_motor < 1:
            raise ConfigError(f'a wiring needs at least one observation and one action; got {n_sensory} and {n_motor}.')
        if n_neurons < 2:
            raise ConfigError(f'n_neurons is {n_neurons}; it must be at least 2, one inter and one command neuron.')
        if not 0 <= sparsity < 1:
            raise ConfigError(f'sparsity is {sparsity}; it must be at least 0 and below 1.')
        kind, (n_inter, n_command) = cell_kind(cell), layer_sizes(n_neurons)
        feed_forward = _synapses(n_command, n_inter, sparsity, rng)
        time = np.ones((n_command, int(kind.time_input)), dtype=np.bool_)
        recurrent = np.full((n_command, n_command), kind.recurrent)
        return cls(
            inter=_synapses(n_inter, n_sensory, sparsity, rng),
            command=np.concatenate([feed_forward, time, recurrent], axis=1),
            motor=_synapses(n_motor, n_command, sparsity, rng),
            sparsity=sparsity,
            cell=cell,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the wiring as JSON-ready values, for :meth:`from_dict`."""
        layers = {name: getattr(self, name) for name in LAYERS}
        packed = {
            name: {'shape': list(mask.shape), 'bits': np.packbits(mask).tobytes().hex()}
            for name, mask in layers.items()
        }
        return {**packed, 'sparsity': self.sparsity, 'cell': self.cell}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'Wiring':
        """
        Build a wiring from the output of :meth:`to_dict`.

        Raises:
            KeyError, ValueError, TypeError: the values are incomplete or damaged.
        """
        masks = {}
        for name in LAYERS:
            rows, columns = (int(size) for size in values[name]['shape'])
            bits = np.unpackbits(np.frombuffer(bytes.fromhex(values[name]['bits']), np.uint8), count=rows * columns)
            masks[name] = bits.reshape(rows, columns).astype(np.bool_)
        return cls(**masks, sparsity=float(values['sparsity']), cell=str(values['cell']))

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

    @property
    def n_parameters(self) -> int:
        """Number of parameters: biases, and weights that have a synapse."""
        gates = cell_kind(self.cell).gates
        synapses = self.inter.sum() + gates * self.command.sum() + self.motor.sum()
        return int(synapses) + self.n_inter + gates * self.n_command + self.n_motor


def _synapses(n_targets: int, n_sources: int, sparsity: float, rng: np.random.Generator) -> Mask:
    """Draw each target's inputs, then give every source that was not drawn a target; shape (targets, sources)."""
    n_inputs = inputs_per_neuron(n_sources, sparsity)
    mask = np.zeros((n_targets, n_sources), dtype=np.bool_)
    for target in range(n_targets):
        mask[target, rng.choice(n_sources, size=n_inputs, replace=False)] = True
    for source in np.flatnonzero(~mask.any(axis=0)):
        mask[rng.integers(n_targets), source] = True
    return mask
