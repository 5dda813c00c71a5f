"""
Carries out the requests of trainer_node in the training process, between two steps or two episodes.

Each request is one line: ``pause``, ``resume``, ``save``, ``stop``, or ``set {"noise_scale": 0.1}``, which changes
hyperparameters at the next episode.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Mapping
from typing import IO

from velora_ros.nodes.trainer.event_reporter import EventWriter
from velora_ros.training.callbacks import Callback, StopTraining
from velora_ros.training.runs.folder import RunFolder

ALIVE_PERIOD_S = 0.5
STOPPED = 'stopped on request'


class TrainingRequests(Callback):
    """
    Pauses, stops and changes training on request, and writes the event ``alive`` regularly.

    Args:
        events: writes the events.
    """

    def __init__(self, events: EventWriter) -> None:
        self._events = events
        self._beginning = threading.Lock()
        self._begun = False
        self._running = threading.Event()
        self._running.set()
        self._stop = self._save = False
        self._changes_lock = threading.Lock()  # requests arrive on their own thread
        self._changes: dict[str, float] = {}
        self._alive_at = -ALIVE_PERIOD_S
        self._alive_steps = 0
        self.run: RunFolder | None = None
        """The run's folder; None until training has started."""

    def listen(self, source: IO[str]) -> None:
        """Handle the requests in the lines of ``source`` until it ends; then stop training."""
        for line in source:
            self.take(line.strip())
        self.take('stop')

    def begin(self) -> None:
        """After this call, a stop waits until training has written its result; before, it ends the process at once."""
        with self._beginning:
            self._begun = True

    def take(self, request: str) -> None:
        """Handle one request: a line in the format that this module's docstring describes."""
        word, _, values = request.partition(' ')
        with self._beginning:
            self._stop |= word == 'stop'
            if self._stop and not self._begun:
                self._exit()
        self._save |= word == 'save'
        if word == 'set':
            changes = json.loads(values)
            with self._changes_lock:
                self._changes |= changes
        elif word == 'pause':
            self._running.clear()
        elif word in ('resume', 'stop'):
            self._running.set()

    def _exit(self) -> None:
        """End the process immediately: loading torch or evaluating a rival would take longer than the node waits."""
        with contextlib.suppress(BrokenPipeError):
            self._events.write('end', steps=0, seconds=0.0, stopped=f'{STOPPED} before it began')
        os._exit(0)

    def on_train_start(self, n_episodes: int | None, total_steps: int | None) -> None:
        """Stop training if that was requested before training began."""
        if self._stop:
            raise StopTraining(STOPPED, by='request')

    def on_episode_start(self) -> Mapping[str, float]:
        """Return the hyperparameters whose change was requested since the last episode began, with their new values."""
        with self._changes_lock:
            changes, self._changes = self._changes, {}
        if changes:
            self._events.write('changed', values=changes)
        return changes

    def on_step(self, steps: int) -> None:
        """Wait while training is paused, and stop it if that was requested."""
        now = time.monotonic()
        if now - self._alive_at >= ALIVE_PERIOD_S:
            speed = (steps - self._alive_steps) / (now - self._alive_at) if self._alive_at > 0 else 0.0
            self._events.write('alive', steps=steps, steps_per_s=speed)
            self._alive_at, self._alive_steps = now, steps
        while not self._running.wait(ALIVE_PERIOD_S):
            self._events.write('alive', steps=steps, steps_per_s=0.0)
        if self._save and self.run is not None:
            self._save, self.run.checkpoint_wanted = False, True
        if self._stop:
            raise StopTraining(STOPPED, by='request')
