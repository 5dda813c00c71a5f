"""Stands in for the pipe from a training process to trainer_node."""


class WrittenEvents:
    """Collects the events that a training process writes, in `written`."""

    def __init__(self):
        self.written = []

    def write(self, event, **values):
        self.written.append({'event': event, **values})
