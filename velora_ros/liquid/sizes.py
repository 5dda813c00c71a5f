"""Numbers of neurons, inputs and parameters of a network, and network sizes at which cells have equally many."""

import math

from velora_ros.liquid.cell_registry import CFC, cell_kind


def layer_sizes(n_neurons: int) -> tuple[int, int]:
    """Return the number of inter and of command neurons; command = max(int(0.4 n), 1)."""
    n_command = max(int(0.4 * n_neurons), 1)
    return n_neurons - n_command, n_command


def inputs_per_neuron(n_sources: int, sparsity: float) -> int:
    """Return the number of inputs that a neuron draws: ceil((1 - sparsity) x fan-in)."""
    return math.ceil(round((1 - sparsity) * n_sources, 9))  # rounded: 0.3 * 10 is slightly above 3 in binary


def parameter_count(cell: str, n_sensory: int, n_neurons: int, n_motor: int, sparsity: float = 0.5) -> int:
    """Return the number of parameters: biases, and weights that have a synapse. A random wiring may have a few more."""
    kind = cell_kind(cell)
    n_inter, n_command = layer_sizes(n_neurons)
    fan_in = _synapses(n_command, n_inter, sparsity) + n_command * kind.time_input
    fan_in += n_command * n_command * kind.recurrent
    layers = (
        _synapses(n_inter, n_sensory, sparsity) + n_inter,
        kind.gates * (fan_in + n_command),
        _synapses(n_motor, n_command, sparsity) + n_motor,
    )
    return sum(layers)


def equal_neurons(cell: str, n_sensory: int, n_neurons: int, n_motor: int, sparsity: float = 0.5) -> int:
    """
    Return the number of neurons with which a cell has about as many parameters as the liquid cell with ``n_neurons``.

    The difference is at most 10 % for 10 neurons or more; the share of command neurons is the same.
    """
    if cell == CFC:
        return n_neurons
    wanted = parameter_count(CFC, n_sensory, n_neurons, n_motor, sparsity)
    return neurons_for(wanted, cell, n_sensory, n_motor, sparsity)


def neurons_for(n_parameters: int, cell: str, n_sensory: int, n_motor: int, sparsity: float = 0.5) -> int:
    """Return the number of neurons, at least 2, that gives the parameter count nearest to ``n_parameters``."""
    low, high = 2, 4
    while parameter_count(cell, n_sensory, high, n_motor, sparsity) < n_parameters:
        high *= 2
    while high - low > 1:  # the count grows with the neurons
        middle = (low + high) // 2
        if parameter_count(cell, n_sensory, middle, n_motor, sparsity) < n_parameters:
            low = middle
        else:
            high = middle
    return min(low, high, key=lambda n: abs(parameter_count(cell, n_sensory, n, n_motor, sparsity) - n_parameters))


def _synapses(n_targets: int, n_sources: int, sparsity: float) -> int:
    return max(n_targets * inputs_per_neuron(n_sources, sparsity), n_sources)  # every source has a target
