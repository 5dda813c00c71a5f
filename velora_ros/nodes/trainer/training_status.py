"""The status of training, derived from the events of the training process."""

import time
from typing import Any

from velora_ros.nodes.ros.parameter import Values

# After this time without an event, a warning is published; an evaluation in a slow environment may take as long [s].
SILENCE_S = 30.0

_OF_AN_EPISODE = ('episode', 'steps', 'episode_return', 'length', 'critic_loss', 'actor_loss')


class TrainingStatus:
    """
    Collects the events of one run, over all its training processes.

    Args:
        run: the run's folder.
        total_steps: number of environment steps of the run.
    """

    def __init__(self, run: str = '', total_steps: int = 0) -> None:
        self.policies = 0
        """Number of policies announced so far."""
        self.announced: float | None = None
        """Best mean return of the announced policies; a process that resumes the run announces no worse policy."""
        self.learning: dict[str, float] = {}
        """The newest diagnostics of learning; see :mod:`velora_ros.training.diagnostics`."""
        self._values: dict[str, Any] = {'run_dir': run, 'steps': 0, 'total_steps': total_steps, 'steps_per_s': 0.0}
        self._last_event = time.monotonic()

    @property
    def steps(self) -> int:
        """Number of environment steps so far."""
        return int(self._values['steps'])

    @property
    def best(self) -> float | None:
        """Mean return of the best evaluation; None before the first one."""
        return self._values.get('best_return')

    @property
    def silence(self) -> float:
        """Time since the last event of the training process [s]."""
        return time.monotonic() - self._last_event

    def process_started(self) -> None:
        """Record that another training process was started; the time since the last event begins again."""
        self._last_event = time.monotonic()

    def update(self, kind: str, event: dict[str, Any]) -> None:
        """Record an event; :mod:`velora_ros.nodes.trainer.child_process_main` lists them."""
        self._last_event = time.monotonic()
        if kind == 'alive':
            self._values |= event
        elif kind == 'episode':
            self._values |= {name: event[name] for name in _OF_AN_EPISODE}
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
        """Return the values for the diagnostics."""
        return {**self._values, 'policies': self.policies}

    def log_line(self, kind: str, event: dict[str, Any]) -> str:
        """Return the text to log for an event; ``''`` if the event is not logged."""
        if kind == 'evaluation':
            announced = f', announced as policy {self.policies}' if 'policy' in event else ''
            best = ', the best so far' if event['best'] else ''
            return f'step {event["steps"]}: return {event["mean"]:.1f} +- {event["std"]:.1f}{best}{announced}'
        if kind == 'policy':
            return f'{event["what"]}: {event["policy"]}'
        if kind == 'changed':
            pairs = ', '.join(f'{name} {value:g}' for name, value in event['values'].items())
            return f'{pairs} from step {self.steps} on'
        return f'checkpoint {event["path"]}' if kind == 'saved' else str(event.get('message', ''))

    def summary(self, end: dict[str, Any]) -> str:
        """Return the result of the run in one line, from its ``end`` event."""
        best = '' if self.best is None else f', best return {self.best:.1f}'
        reason = f', {end["stopped"]}' if end['stopped'] else ''
        return f'{end["steps"]} steps in {end["seconds"]:.0f} s{reason}{best}'
