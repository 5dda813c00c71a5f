"""What trainer_node knows of a training from what its process says."""

import time
from typing import Any

from velora_ros.nodes.ros.parameters import Values

# An evaluation of a slow environment may take as long; after that people are told [s].
SILENCE_S = 30.0

_EPISODE = ('episode', 'steps', 'episode_return', 'length', 'critic_loss', 'actor_loss')


class Progress:
    """
    Collects the events of one training, over all the processes that it took.

    Args:
        run: the run's folder.
        total_steps: what it is to take.
    """

    def __init__(self, run: str = '', total_steps: int = 0) -> None:
        self.policies = 0
        """Policies announced so far."""
        self.announced: float | None = None
        """Best mean return of those that were evaluated; a process that goes on announces nothing worse."""
        self.learning: dict[str, float] = {}
        """The newest diagnostics of learning; see :mod:`velora_ros.training.diagnostics`."""
        self._values: dict[str, Any] = {'run_dir': run, 'steps': 0, 'total_steps': total_steps, 'steps_per_s': 0.0}
        self._heard = time.monotonic()

    @property
    def steps(self) -> int:
        """Environment steps so far."""
        return int(self._values['steps'])

    @property
    def best(self) -> float | None:
        """Mean return of the best evaluation, None before the first one."""
        return self._values.get('best_return')

    @property
    def silence(self) -> float:
        """How long ago the process gave its last sign of life [s]."""
        return time.monotonic() - self._heard

    def begin(self) -> None:
        """Note that a process has just been started."""
        self._heard = time.monotonic()

    def take(self, kind: str, event: dict[str, Any]) -> None:
        """Note an event; :mod:`velora_ros.nodes.trainer.training_process` has their kinds."""
        self._heard = time.monotonic()
        if kind == 'alive':
            self._values |= event
        elif kind == 'episode':
            self._values |= {name: event[name] for name in _EPISODE}
        elif kind == 'diagnostics':
            self.learning = event
        elif kind == 'evaluation':
            best = event['mean'] if event['best'] else self.best
            self._values |= {'evaluation': event['mean'], 'best_return': best}
        elif kind == 'changed':
            self._values |= event['values']
        elif kind == 'saved' and 'path' in event:
            self._values['checkpoint'] = event['path']
        self.policies += 'policy' in event
        if 'policy' in event and 'mean' in event:
            self.announced = event['mean'] if self.announced is None else max(self.announced, event['mean'])

    def values(self) -> Values:
        """Return all of it for the diagnostics."""
        return {**self._values, 'policies': self.policies}
