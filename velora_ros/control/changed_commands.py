"""Counts how often limits change the policy's commands, in which case the robot acts differently than in training."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from velora_ros.control.command_limits import Command

SHARE = 0.05
"""A larger share of changed commands is reported."""
WINDOW = 5
"""Number of reports over which commands are counted; with one report per second, the last five seconds."""
FEWEST = 20
"""With fewer commands than this in the window, nothing is reported."""
_ROUNDING = 1e-9


class ChangedCommands:
    """
    Counts the commands that bounds or slew rate changed, and by how much.

    Args:
        names: name of each action.
        units: SI unit of each action.
    """

    def __init__(self, names: Sequence[str], units: Sequence[str]) -> None:
        self._names, self._units = names, units
        self._window: deque[_Count] = deque(maxlen=WINDOW)
        self._now = _Count(len(names))

    def begin(self) -> None:
        """Reset the counts."""
        self._window.clear()
        self._now = _Count(len(self._names))

    def note(self, wanted: Command, bounded: Command, before_slew: Command, sent: Command) -> None:
        """
        Count a command.

        Args:
            wanted: the SI values of the policy's actions.
            bounded: these values, clipped to the bounds.
            before_slew: the command before the slew rate was applied.
            sent: the command after the slew rate was applied.
        """
        self._now.commands += 1
        if wanted != bounded:
            self._now.note(wanted, bounded, 'bounds')
        elif before_slew != sent:
            self._now.note(before_slew, sent, 'slew_rate')

    def report(self) -> str:
        """Return a warning if limits changed too many of the last commands, else ''; call this once a second."""
        self._window.append(self._now)
        self._now = _Count(len(self._names))
        commands, changed = (sum(getattr(one, what) for one in self._window) for what in ('commands', 'changed'))
        if commands < FEWEST or changed <= SHARE * commands:
            return ''
        place = int(np.sum([one.times for one in self._window], axis=0).argmax())
        largest, limit = max((one.largest[place], one.limits[place]) for one in self._window)
        return (
            f'limits change {changed / commands:.0%} of the commands, most often {self._names[place]}, by up to '
            f'{largest:.3g} {self._units[place]}'.rstrip()
            + f' ({limit})'
        )


class _Count:
    """Counts the commands between two reports."""

    def __init__(self, actions: int) -> None:
        self.commands = self.changed = 0
        self.times, self.largest, self.limits = [0] * actions, [0.0] * actions, [''] * actions

    def note(self, wanted: Command, sent: Command, limit: str) -> None:
        """Count a command if a limit changed it by more than rounding."""
        amounts = [abs(one - other) for one, other in zip(wanted, sent, strict=True)]
        places = [i for i, amount in enumerate(amounts) if amount > _ROUNDING * max(1.0, abs(wanted[i]))]
        self.changed += bool(places)
        for place in places:
            self.times[place] += 1
            if amounts[place] > self.largest[place]:
                self.largest[place], self.limits[place] = amounts[place], limit
