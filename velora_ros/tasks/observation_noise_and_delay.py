"""From terms to the array that a policy reads: noise, bias, fixed scale, delay and lost frames."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from velora_ros.contract.joint_signals import Signal
from velora_ros.errors import TaskError, did_you_mean
from velora_ros.tasks.mujoco_simulations import Array, Ids, Sim
from velora_ros.tasks.terms.term import Observation, listed


class Observer:
    """
    The observations of all simulations.

    Args:
        sim: the simulations; the terms are evaluated once to learn their shapes.
        terms: what is observed.
        biases: additional standard deviations of biases, by the name of the observation.
        disturbed: whether noise and bias are on.
        latest: largest delay of sensed observations, in periods.
    """

    def __init__(
        self, sim: Sim, terms: Sequence[Observation], biases: dict[str, float], *, disturbed: bool, latest: int = 0
    ) -> None:
        self.sim = self._sim = sim
        self.terms = tuple(terms)
        widths = [self._width(term) for term in self.terms]
        ends = np.cumsum(widths).tolist()
        self.places = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
        self.size = ends[-1] if ends else 0
        self.signals = [signal for i, term in enumerate(self.terms) for signal in self._signals(term, widths[i])]
        self.scale = self._numbers('scale', widths)
        noise, bias = self._numbers('noise', widths), self._numbers('bias', widths)
        for name, deviation in biases.items():
            self._find(name)
            bias[np.repeat([term.name == name for term in self.terms], widths)] += deviation
        self._noisy = np.flatnonzero(noise) if disturbed else np.zeros(0, np.intp)
        self._noise = noise[self._noisy]
        self._biased = np.flatnonzero(bias) if disturbed else np.zeros(0, np.intp)
        self._deviation = bias[self._biased]
        self._sensed = np.flatnonzero(np.repeat([term.sensed for term in self.terms], widths))
        self.clean = np.zeros((sim.n, self.size))
        """The observation before noise, bias, delay and losses, scaled, shape (n, size)."""
        self._raw = np.zeros((sim.n, self.size))
        self._late = latest

    def begin(self, ids: Ids) -> None:
        """Draw the biases of simulations whose episode begins."""
        if len(self._biased):
            drawn = self._sim.draws.normal(ids, len(self._biased)) * self._deviation * self._sim.strength[ids, None]
            self._sim.remember('bias', len(self._biased))[ids] = drawn

    def read(self, ids: Ids | None = None, delay: Array | None = None, dropped: Any = None) -> Array:
        """
        Return the current observations of all simulations, shape (n, size); noise is drawn for ``ids`` only.

        Args:
            ids: the simulations whose episode begins; None: all simulations, in a later step.
            delay: periods by which the sensed observations are late, shape (n,); None: no delay.
            dropped: the simulations that lose this frame, shape (n,); None: none.
        """
        sim, raw = self._sim, self._raw
        for term, place in zip(self.terms, self.places, strict=True):
            values = term.compute(sim)
            raw[:, place] = values[:, None] if values.ndim == 1 else values
        np.multiply(raw, self.scale, out=self.clean)
        seen = raw.copy() if len(self._noisy) or len(self._biased) else raw
        who = sim.everyone if ids is None else ids
        if len(self._noisy):
            drawn = sim.draws.normal(who, len(self._noisy)) * self._noise * sim.strength[who, None]
            if ids is None:
                seen[:, self._noisy] += drawn
            else:
                seen[np.ix_(ids, self._noisy)] += drawn
        if len(self._biased):
            seen[:, self._biased] += sim.remember('bias', len(self._biased))
        return self._transported(seen * self.scale, ids, delay, dropped)

    def _transported(self, seen: Array, ids: Ids | None, delay: Array | None, dropped: Any) -> Array:
        """Return the observations that arrive, each simulation's delay late; a lost frame repeats the previous one."""
        if delay is None and dropped is None:
            return seen
        sim, sensed = self._sim, self._sensed
        frames = sim.remember('frames', self._late + 1, len(sensed))  # frames[:, k]: the frame of k periods ago
        arrived = sim.remember('arrived', len(sensed))
        if ids is not None:
            frames[ids] = seen[ids][:, None, sensed]
            arrived[ids] = seen[np.ix_(ids, sensed)]
        else:
            frames[:, 1:] = frames[:, :-1].copy()
            frames[:, 0] = seen[:, sensed]
            newest = frames[sim.everyone, delay.astype(np.intp)] if delay is not None else frames[:, 0]
            arrived[:] = newest if dropped is None else np.where(dropped[:, None], arrived, newest)
        seen[:, sensed] = arrived
        return seen

    def check_finite(self, values: Array) -> None:
        """
        Check that all observations are finite.

        Raises:
            TaskError: an observation is not finite; the message names the term and the simulation.
        """
        if np.isfinite(values).all():
            return
        row, column = np.argwhere(~np.isfinite(values))[0]
        term = next(t for t, place in zip(self.terms, self.places, strict=True) if place.start <= column < place.stop)
        raise TaskError(
            f"the observation '{term.name}' is {values[row, column]} in simulation {row}; correct the term, which must "
            'be finite in every state.'
        )

    def _width(self, term: Observation) -> int:
        values = evaluated(term, self._sim)
        if values.ndim not in (1, 2) or values.shape[0] != self._sim.n:
            raise TaskError(
                f"the observation '{term.name}' has the shape {values.shape}; it must be ({self._sim.n},) or "
                f'({self._sim.n}, k), with one row for each simulation.'
            )
        return 1 if values.ndim == 1 else values.shape[1]

    def _signals(self, term: Observation, width: int) -> list[Signal]:
        names = listed(term.entries, self._sim)
        names = names or ([term.name] if width == 1 else [f'{term.name}.{i}' for i in range(width)])
        units = listed(term.units, self._sim) or [term.unit] * width
        if len(names) != width or len(units) != width:
            raise TaskError(
                f"the observation '{term.name}' has {width} entries, {len(names)} names and {len(units)} units; give "
                'one of each for each entry.'
            )
        return [Signal(name, unit) for name, unit in zip(names, units, strict=True)]

    def _numbers(self, field: str, widths: Sequence[int]) -> Array:
        found = []
        for term, width in zip(self.terms, widths, strict=True):
            given = np.atleast_1d(np.asarray(getattr(term, field), np.float64))
            if given.size not in (1, width):
                raise TaskError(f"the {field} of '{term.name}' has {given.size} numbers; give one, or {width}.")
            if not np.isfinite(given).all() or (field != 'scale' and (given < 0).any()) or not given.size:
                valid = 'finite' if field == 'scale' else 'finite and at least 0'
                raise TaskError(f"the {field} of '{term.name}' is {getattr(term, field)}; it must be {valid}.")
            found.append(np.broadcast_to(given, width))
        return np.concatenate(found) if found else np.zeros(0)

    def _find(self, name: str) -> None:
        if name not in (names := [term.name for term in self.terms]):
            raise TaskError(f"vary.bias: there is no observation '{name}'.{did_you_mean(name, names)}")


def evaluated(term: Any, sim: Sim) -> Any:
    """
    Return the values of a term, as an array of shape (n, ...).

    Raises:
        TaskError: the term failed; the message names it.
    """
    try:
        return np.asarray(term.compute(sim))
    except TaskError as error:
        raise TaskError(f'{term.name}: {error}') from error
    except Exception as error:  # the term may be the user's own function
        reason = ' '.join(str(error).split())
        raise TaskError(f"the term '{term.name}' failed with {type(error).__name__}: {reason}; correct it.") from error
