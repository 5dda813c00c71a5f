"""The status of the controller: a level, a state and a reason."""

from typing import NamedTuple

WAITING = 'waiting for the first state'


class Status(NamedTuple):
    """The controller's status: a level (``ok``, ``warn``, ``error``), a state, and the reason for it, or ``''``."""

    level: str
    state: str
    reason: str

    @property
    def text(self) -> str:
        """State and reason in one line."""
        return f'{self.state}: {self.reason}' if self.reason else self.state
