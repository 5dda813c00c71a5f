"""
The liquid network's forward and backward pass over sequences, in compiled loops on the memory of torch's parameters.

It computes the same as :class:`velora_ros.liquid.LiquidNetwork`, but many times faster for small networks, where torch
spends most of its time between operations. torch is the reference; tests compare values and gradients.

Arrays have the shape (L, n, B): step, neuron or observation, sequence; see :mod:`velora_ros.liquid.kernels.layers`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.cell_registry import kernels_of
from velora_ros.liquid.kernels import layers
from velora_ros.liquid.kernels.cell_kernels import CellKernels
from velora_ros.liquid.wiring import Wiring

Array = npt.NDArray[np.float32]


class Tape(NamedTuple):
    """Arrays that a forward pass stores for the backward pass."""

    inputs: Array  # x, (L, sensory, B)
    slope: Array  # mish'(v), (L, inter, B)
    states: Array  # h' after each step, (L, command, B)
    cell: Any  # the cell's own tape


class CompiledEncoder:
    """
    :class:`velora_ros.liquid.network.LiquidEncoder` on numpy views of its parameters.

    Args:
        wiring: the synapses and the cell; the weights must be zero where there is no synapse.
        parameters: float32 arrays by the parameter names of ``LiquidEncoder``; read at every call, so they may change
            in place.

    Raises:
        ConfigError: the cell has no kernels.
    """

    def __init__(self, wiring: Wiring, parameters: Mapping[str, Array]) -> None:
        self.n_inter, self.n_command = wiring.n_inter, wiring.n_command
        self._inter = parameters['inter.weight'], parameters['inter.bias']
        self._inter_mask = wiring.inter.astype(np.float32)
        self._cell: CellKernels = kernels_of(wiring.cell)(
            wiring, parameters['command.weight'], parameters['command.bias']
        )
        self._arrays: dict[tuple[int, int], tuple[Array, Array]] = {}

    def advance(self, inputs: Array, hidden: Array, dt: float) -> Array:
        """Take one normalised observation, shape (sensory,), and h, shape (command,); return h'. ``dt`` is dt/T."""
        return self._cell.step(inputs, self._inter, hidden, dt)

    def encode(self, inputs: Array, hidden: Array, dt: Array, first: Array) -> Tape:
        """
        Run sequences.

        Args:
            inputs: normalised observations, shape (L, sensory, B).
            hidden: h before the first step, shape (command, B).
            dt: dt/T, shape (L, B).
            first: 1 where an episode starts, shape (L, B).

        Returns:
            the tape, whose ``states`` are the result. The next call with the same numbers of steps and sequences
            overwrites it.
        """
        u, slope = self._memory(len(inputs), inputs.shape[2])
        layers.inter_forward(inputs, *self._inter, u, slope)
        states, tape = self._cell.forward(u, hidden, dt, first)
        return Tape(inputs, slope, states, tape)

    def decode(self, tape: Tape, d_states: Array, gradients: Mapping[str, Array], *, burn_in: int = 0) -> None:
        """
        Backpropagate through time.

        Args:
            tape: the tape from :meth:`encode`.
            d_states: gradient of the loss with respect to h', shape (L, command, B), zero in the burn-in; overwritten.
            gradients: arrays by parameter name, shaped like the parameters; written.
            burn_in: number of steps at the start that get no gradient.
        """
        d_sums = self._cell.backward(
            tape.cell, d_states, gradients['command.weight'], gradients['command.bias'], burn_in
        )
        layers.inter_backward(
            d_sums, tape.slope, tape.inputs, self._cell.weight, self._inter_mask,
            gradients['inter.weight'], gradients['inter.bias'],
        )  # fmt: skip

    def _memory(self, length: int, n_sequences: int) -> tuple[Array, Array]:
        """Return arrays for u and mish'(v); calls of equal size reuse them, because allocating them takes time."""
        shape = length, n_sequences
        if shape not in self._arrays:
            u, slope = (np.empty((length, self.n_inter, n_sequences), np.float32) for _ in range(2))
            self._arrays[shape] = u, slope
        return self._arrays[shape]


class CompiledNetwork(CompiledEncoder):
    """:class:`velora_ros.liquid.LiquidNetwork` on numpy views of its parameters; for arguments see the base class."""

    def __init__(self, wiring: Wiring, parameters: Mapping[str, Array]) -> None:
        super().__init__(wiring, parameters)
        self.n_motor = wiring.n_motor
        self._motor = parameters['motor.weight'], parameters['motor.bias']
        self._motor_mask = wiring.motor.astype(np.float32)

    def step(self, inputs: Array, hidden: Array, dt: float) -> tuple[Array, Array]:
        """Take one normalised observation as :meth:`advance` does; return the motor output, shape (motor,), and h'."""
        after, motor = self.advance(inputs, hidden, dt), np.empty(self.n_motor, np.float32)
        layers.one_motor(after, *self._motor, motor)
        return motor, after

    def forward(self, inputs: Array, hidden: Array, dt: Array, first: Array) -> tuple[Array, Tape]:
        """
        Run sequences; for the arguments see :meth:`encode`.

        Returns:
            motor output m in [-1, 1], shape (L, motor, B), and the tape.
        """
        tape = self.encode(inputs, hidden, dt, first)
        motor = np.empty((len(inputs), self.n_motor, inputs.shape[2]), np.float32)
        layers.motor_forward(tape.states, *self._motor, motor)
        return motor, tape

    def backward(
        self, motor: Array, tape: Tape, d_motor: Array, gradients: Mapping[str, Array], *, burn_in: int = 0
    ) -> None:
        """
        Backpropagate through time.

        Args:
            motor: the motor output from :meth:`forward`.
            tape: the tape from :meth:`forward`.
            d_motor: gradient of the loss with respect to m, shape (L, motor, B); zero in the burn-in.
            gradients: arrays by parameter name, shaped like the parameters; written.
            burn_in: number of steps at the start that get no gradient.
        """
        d_states = np.empty_like(tape.states)
        layers.motor_backward(
            d_motor, motor, tape.states, self._motor[0], self._motor_mask,
            gradients['motor.weight'], gradients['motor.bias'], d_states,
        )  # fmt: skip
        self.decode(tape, d_states, gradients, burn_in=burn_in)
