"""Checks the stamps of the robot's states: whether a state is fresh, and the time since the previous state."""

from velora_ros.control.command_limits import Safety
from velora_ros.control.newest_values import NANOSECONDS

# A greater age means that the clocks differ [s].
CLOCK_DIFFERENCE_S = 10.0


class StateTimes:
    """
    Checks the stamps of states [ns] against the robot's clock and against each other.

    Args:
        safety: the limits; they may be replaced at any time.
    """

    def __init__(self, safety: Safety) -> None:
        self.safety = safety
        self.clock_step = 0.0
        """Size of the steps in which the robot's clock advances [s]; 0 for a continuous clock."""
        self.last: int | None = None
        """Stamp of the last state that was used; None after a reset."""

    def refusal(self, stamp: int, now: int) -> tuple[str, str] | None:
        """Return why a state must not be used: (cause, sentence), of which the cause is counted; None if it may be."""
        limit = self.safety.max_state_age
        if not -limit - self.clock_step <= (now - stamp) / NANOSECONDS <= limit:
            return 'stale', self.staleness(stamp, now)
        if stamp == self.last:
            return (
                'duplicate',
                'the state has the same stamp as the previous one; stamp each state when it is measured, and check '
                'that /clock advances if use_sim_time is set',
            )
        return None

    def staleness(self, stamp: int, now: int) -> str:
        """
        Return why a state is too old, or too far in the future, to be used; ``''`` if it may be used.

        A clock that advances in steps lags by up to one step, so a state may be ahead of it by one more step.
        """
        age, limit = (now - stamp) / NANOSECONDS, self.safety.max_state_age
        if -limit - self.clock_step <= age <= limit:
            return ''
        if age < 0 or age > CLOCK_DIFFERENCE_S:
            where = f'{-age:.3g} s in the future' if age < 0 else f'{age:.3g} s old'
            return f'the state is {where}: the clocks differ. Check use_sim_time, or synchronise the clocks'
        return f'the state is {age:.3g} s old, above max_state_age_s ({limit:g} s)'

    def begins(self, stamp: int) -> bool:
        """Return whether the hidden state begins here: after a reset, after a gap, or if time went backwards."""
        return self.last is None or not 0 <= (stamp - self.last) / NANOSECONDS <= self.safety.max_gap

    def discontinuity(self, stamp: int) -> str:
        """Return the cause of a reset at this state, ``gap`` or ``time_backwards``; ``''`` if there is no reset."""
        if self.last is None or not self.begins(stamp):
            return ''
        return 'time_backwards' if stamp < self.last else 'gap'

    def elapsed(self, stamp: int) -> float | None:
        """Return the time since the last state [s]; None after a reset, which counts as one control period."""
        return None if self.last is None else (stamp - self.last) / NANOSECONDS
