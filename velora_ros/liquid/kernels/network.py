"""
The liquid network's forward and backward pass over sequences, in compiled loops on the memory of torch's parameters.

It computes what :class:`velora_ros.liquid.LiquidNetwork` computes, many times faster at these sizes, where torch spends
its time between operations. torch stays the reference; tests hold values and gradients of this to it.

Arrays have the shape (L, n, B): step, neuron or observation, sequence; see :mod:`velora_ros.liquid.kernels.layers`.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from velora_ros.liquid.kernels import layers
from velora_ros.liquid.wiring import Wiring

Array = npt.NDArray[np.float32]


class Tape(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    inputs: Array  # x, (L, sensory, B)
    inter: Array  # u = mish(v), (L, inter, B)
    slope: Array  # mish'(v), (L, inter, B)
    before: Array  # h before each step, (L, command, B)
    gates: Array  # tanh z_g, tanh z_k, s, and a block of no further use, (L, 4 command, B)
    states: Array  # h' after each step, (L, command, B)
    dt: Array  # dt/T, (L, B)
    first: Array  # 1 where an episode starts, (L, B)


class CompiledEncoder:
    """
    :class:`velora_ros.liquid.network.LiquidEncoder` on numpy views of its parameters.

    Args:
        wiring: the synapses; the weights must be zero where there is none.
        parameters: float32 arrays by the encoder's own names; read at every call, so that they may change in place.
    """

    def __init__(self, wiring: Wiring, parameters: Mapping[str, Array]) -> None:
        self.n_inter, self.n_command = wiring.n_inter, wiring.n_command
        self.parameters = parameters
        self._inter = parameters['inter.weight'], parameters['inter.bias']
        self._command = parameters['command.weight'], parameters['command.bias']
        self._tapes: dict[tuple[int, int], tuple[Array, Array, Array, Array, Array]] = {}
        self._inter_mask = wiring.inter.astype(np.float32)
        self._command_mask = np.tile(wiring.command, (4, 1)).astype(np.float32)

    def advance(self, inputs: Array, hidden: Array, dt: float) -> Array:
        """Take one normalised observation, shape (sensory,), and h, shape (command,); return h'. ``dt`` is dt/T."""
        after = np.empty(self.n_command, np.float32)
        layers.one_step(inputs, hidden, dt, *self._inter, *self._command, after)
        return after

    def encode(self, inputs: Array, hidden: Array, dt: Array, first: Array) -> Tape:
        """
        Run sequences.

        Args:
            inputs: normalised observations, shape (L, sensory, B).
            hidden: h before the first step, shape (command, B).
            dt: dt/T, shape (L, B).
            first: 1 where an episode starts, shape (L, B).

        Returns:
            everything; ``states`` are the result. The next call with as many steps and sequences writes over it.
        """
        inter, slope, before, gates, states = self._memory(len(inputs), inputs.shape[2])
        layers.inter_forward(inputs, *self._inter, inter, slope)
        layers.recurrence(inter, *self._command, hidden, dt, first, before, gates, states)
        return Tape(inputs, inter, slope, before, gates, states, dt, first)

    def _memory(self, length: int, n_sequences: int) -> tuple[Array, Array, Array, Array, Array]:
        """Return the arrays of a tape; an update makes the same ones over and over, and making them takes time."""
        if (length, n_sequences) not in self._tapes:
            inter, slope = (np.empty((length, self.n_inter, n_sequences), np.float32) for _ in range(2))
            before, states = (np.empty((length, self.n_command, n_sequences), np.float32) for _ in range(2))
            gates = np.empty((length, 4 * self.n_command, n_sequences), np.float32)
            self._tapes[length, n_sequences] = inter, slope, before, gates, states
        return self._tapes[length, n_sequences]

    def decode(self, tape: Tape, d_states: Array, gradients: Mapping[str, Array], *, burn_in: int = 0) -> None:
        """
        Backpropagate through time.

        Args:
            tape: of :meth:`encode`.
            d_states: derivative of the loss by h', shape (L, command, B), zero in the burn-in; becomes scratch.
            gradients: written, by the encoder's own names, shaped like the parameters.
            burn_in: no gradient flows into the first so many steps.
        """
        weight = self._command[0]
        d_gates = np.zeros_like(tape.gates) if burn_in else np.empty_like(tape.gates)
        layers.recurrence_backward(d_states, burn_in, weight, tape.gates, tape.dt, tape.first, d_gates)
        layers.command_gradients(
            d_gates, tape.inter, tape.before, self._command_mask, gradients['command.weight'], gradients['command.bias']
        )
        layers.inter_backward(
            d_gates, tape.slope, tape.inputs, weight, self._inter_mask,
            gradients['inter.weight'], gradients['inter.bias'],
        )  # fmt: skip


class CompiledNetwork(CompiledEncoder):
    """:class:`velora_ros.liquid.LiquidNetwork` on numpy views of its parameters; arguments as of the encoder."""

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
        Run sequences; arguments as of :meth:`encode`.

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
            motor: of :meth:`forward`.
            tape: of :meth:`forward`.
            d_motor: derivative of the loss by m, shape (L, motor, B); zero in the burn-in.
            gradients: written, by the network's own names, shaped like the parameters.
            burn_in: no gradient flows into the first so many steps.
        """
        d_states = np.empty_like(tape.states)
        layers.motor_backward(
            d_motor, motor, tape.states, self._motor[0], self._motor_mask,
            gradients['motor.weight'], gradients['motor.bias'], d_states,
        )  # fmt: skip
        self.decode(tape, d_states, gradients, burn_in=burn_in)
