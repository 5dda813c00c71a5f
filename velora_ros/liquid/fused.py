"""
The liquid network's forward and backward pass over sequences, in numpy and compiled loops.

It computes what :class:`velora_ros.liquid.LiquidNetwork` computes, on the same memory, several times faster: products
over all steps at once are matrix products, and only the recurrence is a loop. torch stays the reference; tests hold
values and gradients of this to it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numba
import numpy as np
import numpy.typing as npt

from velora_ros.liquid.wiring import Wiring

Array = npt.NDArray[np.float32]

FASTMATH = {'reassoc', 'contract', 'arcp', 'nsz'}  # sums may be reordered; NaN and infinity keep their meaning

_decorator = numba.njit(cache=True, fastmath=FASTMATH, error_model='numpy')
kernel = cast('Callable[[Callable[..., Any]], Callable[..., Any]]', _decorator)  # numba is untyped


@dataclass(frozen=True)
class Tape:
    """What a forward pass leaves for the backward pass; N = B * L rows, in sequence order."""

    inputs: Array  # x, (N, sensory)
    inter_pre: Array  # v, (N, inter)
    inter: Array  # u = mish(v), (N, inter)
    before: Array  # h before each step, (B, L, command)
    gates: Array  # g, k, s, (B, L, 3, command)
    states: Array  # h' after each step, (B, L, command)
    dt: Array  # (B, L)
    first: Array  # (B, L)


class FusedEncoder:
    """
    :class:`velora_ros.liquid.network.LiquidEncoder` on numpy views of its parameters.

    Args:
        wiring: the synapses; the weights must be zero where there is none.
        parameters: float32 arrays by the encoder's own names; read at every call, so that they may change in place.
    """

    def __init__(self, wiring: Wiring, parameters: Mapping[str, Array]) -> None:
        self.n_inter, self.n_command = wiring.n_inter, wiring.n_command
        self.parameters = parameters
        self._inter_mask = wiring.inter.astype(np.float32)
        self._command_mask = np.tile(wiring.command, (4, 1)).astype(np.float32)

    def encode(self, inputs: Array, hidden: Array, dt: Array, first: Array) -> Tape:
        """
        Run sequences.

        Args:
            inputs: normalised observations, shape (B, L, sensory).
            hidden: h before the first step, shape (B, command).
            dt: dt/T, shape (B, L).
            first: 1 where an episode starts, shape (B, L).

        Returns:
            everything; ``states`` are the result.
        """
        p = self.parameters
        n_sequences, length = dt.shape
        x = np.ascontiguousarray(inputs.reshape(n_sequences * length, -1))
        v = np.dot(x, p['inter.weight'].T)
        v += p['inter.bias']
        u = np.empty_like(v)
        mish(v, u)
        pre = np.dot(u, p['command.weight'][:, : self.n_inter].T)
        pre += p['command.bias']
        shape = (n_sequences, length, self.n_command)
        before, states = np.empty(shape, np.float32), np.empty(shape, np.float32)
        gates = np.empty((n_sequences, length, 3, self.n_command), np.float32)
        from_hidden = np.ascontiguousarray(p['command.weight'][:, self.n_inter :].T)
        recurrence(pre.reshape(n_sequences, length, -1), from_hidden, hidden, dt, first, before, gates, states)
        return Tape(x, v, u, before, gates, states, dt, first)

    def decode(self, tape: Tape, d_states: Array, gradients: Mapping[str, Array], *, burn_in: int = 0) -> None:
        """
        Backpropagate through time.

        Args:
            tape: of :meth:`encode`.
            d_states: derivative of the loss by h', shape (B, L, command); zero in the burn-in.
            gradients: written, by the encoder's own names, shaped like the parameters.
            burn_in: no gradient flows into the first so many steps.
        """
        weight, n_inter = self.parameters['command.weight'], self.n_inter
        n_sequences, length = tape.dt.shape
        d_pre = np.zeros((n_sequences, length, 4 * self.n_command), np.float32)
        from_hidden = np.ascontiguousarray(weight[:, n_inter:])
        recurrence_backward(d_states, from_hidden, tape.gates, tape.dt, tape.first, burn_in, d_pre)
        d_z = d_pre.reshape(n_sequences * length, -1)
        gradients['command.weight'][:, :n_inter] = np.dot(d_z.T, tape.inter)
        gradients['command.weight'][:, n_inter:] = np.dot(d_z.T, tape.before.reshape(n_sequences * length, -1))
        np.sum(d_z, axis=0, out=gradients['command.bias'])
        d_v = np.dot(d_z, weight[:, :n_inter])
        mish_backward(tape.inter_pre, d_v)
        np.dot(d_v.T, tape.inputs, out=gradients['inter.weight'])
        np.sum(d_v, axis=0, out=gradients['inter.bias'])
        gradients['inter.weight'][...] *= self._inter_mask
        gradients['command.weight'][...] *= self._command_mask


class FusedNetwork(FusedEncoder):
    """:class:`velora_ros.liquid.LiquidNetwork` on numpy views of its parameters; arguments as of the encoder."""

    def __init__(self, wiring: Wiring, parameters: Mapping[str, Array]) -> None:
        super().__init__(wiring, parameters)
        self._motor_mask = wiring.motor.astype(np.float32)

    def forward(self, inputs: Array, hidden: Array, dt: Array, first: Array) -> tuple[Array, Tape]:
        """
        Run sequences; arguments as of :meth:`encode`.

        Returns:
            motor output m in [-1, 1], shape (N, motor), and the tape.
        """
        tape = self.encode(inputs, hidden, dt, first)
        m = np.dot(tape.states.reshape(dt.size, -1), self.parameters['motor.weight'].T)
        m += self.parameters['motor.bias']
        return np.tanh(m, out=m), tape

    def backward(
        self, motor: Array, tape: Tape, d_motor: Array, gradients: Mapping[str, Array], *, burn_in: int = 0
    ) -> None:
        """
        Backpropagate through time.

        Args:
            motor: of :meth:`forward`.
            tape: of :meth:`forward`.
            d_motor: derivative of the loss by m, shape (N, motor); zero in the burn-in.
            gradients: written, by the network's own names, shaped like the parameters.
            burn_in: no gradient flows into the first so many steps.
        """
        d_m = d_motor * (1 - motor * motor)
        np.dot(d_m.T, tape.states.reshape(len(motor), -1), out=gradients['motor.weight'])
        np.sum(d_m, axis=0, out=gradients['motor.bias'])
        gradients['motor.weight'][...] *= self._motor_mask
        d_states = np.dot(d_m, self.parameters['motor.weight']).reshape(tape.states.shape)
        self.decode(tape, d_states, gradients, burn_in=burn_in)


@kernel
def _tanh(x: Any) -> Any:
    """Return tanh from one exponential; exact to float32's 1e-7 in absolute terms."""
    if x > 15.0:
        return np.float32(1.0)
    if x < -15.0:
        return np.float32(-1.0)
    e = math.exp(np.float32(2.0) * x)
    return (e - np.float32(1.0)) / (e + np.float32(1.0))


@kernel
def mish(v: Array, u: Array) -> None:
    """Set u = v tanh(log(1 + exp v)), from one exponential: with n = e (e + 2), tanh(softplus v) = n / (n + 2)."""
    for row in range(v.shape[0]):
        for column in range(v.shape[1]):
            x = v[row, column]
            if x > 15.0:
                u[row, column] = x
            else:
                e = math.exp(x)
                n = e * (e + np.float32(2.0))
                u[row, column] = x * n / (n + np.float32(2.0))


@kernel
def mish_backward(v: Array, d_u: Array) -> None:
    """Multiply d_u by mish'(v) = t + v (1 - t^2) sigmoid(v), with t = tanh(softplus v), in place."""
    for row in range(v.shape[0]):
        for column in range(v.shape[1]):
            x = v[row, column]
            if x <= 15.0:
                e = math.exp(x)
                n = e * (e + np.float32(2.0))
                t = n / (n + np.float32(2.0))
                d_u[row, column] *= t + x * (np.float32(1.0) - t * t) * e / (np.float32(1.0) + e)


@kernel
def recurrence(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    pre: Array, from_hidden: Array, hidden: Array, dt: Array, first: Array, before: Array, gates: Array, states: Array
) -> None:
    """Run the CfC cell over sequences: arXiv 2106.13898, equation 10; ``from_hidden`` has shape (hidden, 4 hidden)."""
    n_sequences, length, size = states.shape
    z = np.empty(4 * size, np.float32)
    for b in range(n_sequences):
        for t in range(length):
            for j in range(4 * size):
                z[j] = pre[b, t, j]
            for i in range(size):
                previous = hidden[b, i] if t == 0 else states[b, t - 1, i]
                if first[b, t] > 0:
                    previous = np.float32(0.0)
                before[b, t, i] = previous
                for j in range(4 * size):
                    z[j] += from_hidden[i, j] * previous
            for i in range(size):
                g, k = _tanh(z[i]), _tanh(z[size + i])
                time = z[2 * size + i] * dt[b, t] + z[3 * size + i]
                s = np.float32(0.5) + np.float32(0.5) * _tanh(np.float32(0.5) * time)
                gates[b, t, 0, i], gates[b, t, 1, i], gates[b, t, 2, i] = g, k, s
                states[b, t, i] = (np.float32(1.0) - s) * g + s * k


@kernel
def recurrence_backward(  # noqa: PLR0917
    d_states: Array, from_hidden: Array, gates: Array, dt: Array, first: Array, burn_in: int, d_pre: Array
) -> None:
    """Set d_pre, the derivative by the gates' sums, from that by the states; ``from_hidden`` is (4 hidden, hidden)."""
    n_sequences, length, size = d_states.shape
    carry = np.zeros(size, np.float32)
    for b in range(n_sequences):
        carry[:] = 0.0
        for t in range(length - 1, burn_in - 1, -1):
            for i in range(size):
                d_h = d_states[b, t, i] + carry[i]
                g, k, s = gates[b, t, 0, i], gates[b, t, 1, i], gates[b, t, 2, i]
                d_time = d_h * (k - g) * s * (np.float32(1.0) - s)
                d_pre[b, t, i] = d_h * (np.float32(1.0) - s) * (np.float32(1.0) - g * g)
                d_pre[b, t, size + i] = d_h * s * (np.float32(1.0) - k * k)
                d_pre[b, t, 2 * size + i] = d_time * dt[b, t]
                d_pre[b, t, 3 * size + i] = d_time
            carry[:] = 0.0
            if first[b, t] == 0:
                for j in range(4 * size):
                    for i in range(size):
                        carry[i] += d_pre[b, t, j] * from_hidden[j, i]
