"""
All disturbances of n streams in one object: for environments that are stepped side by side, and for sim_node (n = 1).

It does not read a clock or use an environment; its inputs and outputs are arrays of shape (n, ...). For each control
period::

    actions = stack.act(actions)                         # which actions take effect
    steps = stack.period_steps(nominal)                  # how many physics steps the period lasts
    lost = stack.drop_frames()                           # which streams lose their frame
    seen = stack.observe(observations, elapsed)          # what the policy sees

and for new episodes ``seen = stack.reset(observations, seeds, mask)``, which draws delays and biases. A mask, shape
(n,), selects streams; None selects all. The same seed gives a stream the same disturbances, regardless of the number of
streams, and switching one disturbance on or off does not change the draws of the others.
"""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from velora_ros.gym.disturbances.action_delay import ActionQueue
from velora_ros.gym.disturbances.disturbance_settings import Disturbances, numbers
from velora_ros.gym.disturbances.dropped_frames import DroppedFrames
from velora_ros.gym.disturbances.observation_delay import ObservationDelay
from velora_ros.gym.disturbances.observation_noise import Bias, Noise
from velora_ros.gym.disturbances.random_generators import Array, Mask, Seeds, StreamGenerators
from velora_ros.gym.disturbances.stuck_and_nan_sensors import NanSensors, StuckSensors, indices_of

STREAMS = ('noise', 'bias', 'nan', 'drop', 'jitter', 'action_delay', 'observation_delay')


class DisturbanceStack:
    """
    The disturbances of n streams; see the module's docstring.

    ``positions_only`` and ``privileged``, which choose what actor and critic see, are left to the caller.

    Args:
        names: the k observations' names; ``<joint>/<interface>`` where they belong to a joint.
        low: lowest value of each observation, shape (k,).
        high: highest value of each observation, shape (k,).
        seeds: a seed or None for each of the n streams.
        n_actions: number of actions of a stream, m; 0 if :meth:`act` is not used.
    """

    def __init__(
        self, names: Sequence[str], low: npt.ArrayLike, high: npt.ArrayLike, *, seeds: Seeds, n_actions: int = 0
    ) -> None:
        self._names, self._bounds, self._n_actions = list(names), (low, high), n_actions
        n, size = len(seeds), len(self._names)
        self._streams = {name: StreamGenerators(f'faults.{name}', n) for name in STREAMS}
        for streams in self._streams.values():
            streams.reset(seeds)
        self._stuck, self._delay = StuckSensors(n, size), ObservationDelay(n, size)
        self._delays, self._seen = np.zeros(n), np.zeros((n, size))
        self._deviation: Array | None = None
        self.counts: Counter[str] = Counter()
        """Number of observations, frames or periods that each disturbance has changed, over all streams."""
        self.settings = Disturbances()

    @property
    def settings(self) -> Disturbances:
        """
        The settings; they can be set at any time. Drawn delays and biases take effect at the next reset.

        Raises:
            ConfigError: see :meth:`check`; the previous settings stay.
        """
        return self._settings

    @settings.setter
    def settings(self, settings: Disturbances) -> None:
        self.check(settings)
        self._settings = settings
        self._dropped = DroppedFrames(settings.dropped_frames, settings.max_dropped, self._streams['drop'])
        self._stuck.choose(indices_of('stuck', settings.stuck, self._names))
        nan = indices_of('nan', settings.nan, self._names)
        self._nan = NanSensors(nan, settings.nan_probability, self._streams['nan']) if nan else None
        least, greatest = settings.action_delay
        queued = self._n_actions and greatest
        self._queue = (
            ActionQueue(int(least), int(greatest), self._n_actions, self._streams['action_delay']) if queued else None
        )
        if settings.observation_delay[0] == settings.observation_delay[1]:
            self._delays[:] = settings.observation_delay[0]
        self._set_noise_and_bias()

    @property
    def deviation(self) -> Array | None:
        """The unit of noise and bias, shape (k,). It can be set at any time. None: unknown, so neither is applied."""
        return self._deviation

    @deviation.setter
    def deviation(self, deviation: Array | None) -> None:
        self._deviation = deviation
        self._set_noise_and_bias()

    def _set_noise_and_bias(self) -> None:
        self._noise: Noise | None = None
        self._bias: Bias | None = None
        if self._deviation is None:
            return
        if any(noise := numbers(self._settings.observation_noise)):
            self._noise = Noise(np.multiply(noise, self._deviation), *self._bounds, self._streams['noise'])
        if any(bias := numbers(self._settings.observation_bias)):
            self._bias = Bias(np.multiply(bias, self._deviation), *self._bounds, self._streams['bias'])

    def check(self, settings: Disturbances) -> None:
        """
        Check that settings fit the observations.

        Raises:
            ConfigError: there is no such observation or joint, or noise or bias has the wrong length.
        """
        indices_of('stuck', settings.stuck, self._names)
        indices_of('nan', settings.nan, self._names)
        settings.check_lengths(self._names)

    def reset(
        self, observations: Array, seeds: Seeds, mask: Mask | None = None, *, resting: Array | None = None
    ) -> Array:
        """
        Begin episodes.

        Args:
            observations: the observations at reset, shape (n, k).
            seeds: a seed for each stream, or None if its generators continue.
            mask: the streams that are reset.
            resting: the actions in effect until the first actions arrive, shape (n, m); None: 0.

        Returns:
            What the policy sees, shape (n, k).
        """
        for streams in self._streams.values():
            streams.reset(seeds, mask)
        chosen = slice(None) if mask is None else mask
        if self._bias is not None:
            self._bias.reset(mask)
        if self._queue is not None:
            self._queue.reset(np.zeros((len(seeds), self._n_actions)) if resting is None else resting, mask)
        least, greatest = self._settings.observation_delay
        if least != greatest:
            drawn = self._streams['observation_delay'].integers(int(least), int(greatest), mask)
            self._delays[chosen] = drawn[chosen]
        self._dropped.restart(mask)
        read = self.read(observations, mask)
        self._delay.reset(read, mask)
        self._seen[chosen] = read[chosen]
        return self._seen.copy()

    def act(self, actions: Array) -> Array:
        """Queue new actions, shape (n, m); return the actions that take effect in this control period, shape (n, m)."""
        return actions if self._queue is None else self._queue.step(actions)

    def period_steps(self, nominal: int, mask: Mask | None = None) -> npt.NDArray[np.int64]:
        """
        Draw the number of physics steps of the next control period, uniformly around the nominal number; at least 1.

        Args:
            nominal: physics steps of a control period without jitter.
            mask: the streams that begin a period.

        Returns:
            Shape (n,); the nominal number for streams outside the mask.
        """
        spread = min(math.ceil(self._settings.period_jitter * nominal - 1e-9), nominal - 1)
        steps = np.full(len(self._seen), nominal, dtype=np.int64)
        if spread > 0:
            chosen = slice(None) if mask is None else mask
            steps[chosen] = self._streams['jitter'].integers(nominal - spread, nominal + spread, mask)[chosen]
            self.counts['jitter'] += int((steps != nominal).sum())
        return steps

    def drop_frames(self, mask: Mask | None = None) -> Mask:
        """Decide which streams of the mask lose their next frame, shape (n,)."""
        if not self._settings.dropped_frames:
            return np.zeros(len(self._seen), dtype=bool)
        lost = self._dropped.draw(mask)
        self.counts['drop'] += int(lost.sum())
        return lost

    def read(self, observations: Array, mask: Mask | None = None) -> Array:
        """
        Return the sensors' readings: bias, noise, stuck sensors and NaN are applied in this order.

        Args:
            observations: the true values, shape (n, k); not changed, and returned as they are without disturbances.
            mask: the streams that are read; the others' observations are returned unchanged.
        """
        n = len(self._seen) if mask is None else int(mask.sum())
        read = observations
        if self._bias is not None:
            read = self._bias.add(read, mask)
            self.counts['bias'] += n
        if self._noise is not None:
            read = self._noise.add(read, mask)
            self.counts['noise'] += n
        if self._stuck.any:
            read = self._stuck.read(read, mask)
            self.counts['stuck'] += n
        if self._nan is not None:
            read, failed = self._nan.read(read, mask)
            self.counts['nan'] += int(failed.sum())
        return read

    def observe(self, observations: Array, elapsed: Array) -> Array:
        """
        Return what the policy sees after a step, shape (n, k): the readings, delayed or frozen.

        Args:
            observations: the true values, shape (n, k).
            elapsed: duration of the step, shape (n,), in nominal control periods.
        """
        arrived = self._delay.step(self.read(observations), elapsed, self._delays)
        if not self._settings.frozen:
            self._seen[:] = arrived
        return self._seen.copy()
