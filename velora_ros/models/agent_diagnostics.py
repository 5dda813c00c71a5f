"""What the critic expects of an episode, beside the discounted return that follows."""

import math


class Outcome:
    """Sums up the discounted return of the running episode; NaN is expected until the first one begins."""

    def __init__(self) -> None:
        self.expected, self._total, self.discount = math.nan, 0.0, 1.0

    def begin(self, expected: float) -> None:
        """Begin an episode whose first state and action have this Q; NaN: nothing has been learnt yet."""
        self.expected, self._total, self.discount = expected, 0.0, 1.0

    def add(self, reward: float, gamma: float, elapsed: float) -> None:
        """Add a step's reward, scaled as the critic knows it; ``elapsed`` is dt'/T until the next one."""
        self._total += self.discount * reward
        self.discount *= gamma**elapsed

    def end(self, rest: float) -> dict[str, float]:
        """
        Return Q of the start and how much it was too high.

        Args:
            rest: Q of the state that a truncated episode was left in; 0 after a termination.
        """
        return {'q_start': self.expected, 'q_bias': self.expected - self._total - self.discount * rest}
