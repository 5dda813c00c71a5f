"""
The package's exceptions, all derived from ``VeloraError``.

Every message says what was given, what is valid and what to do.
"""

import difflib
from collections.abc import Iterable


class VeloraError(Exception):
    """Base of every error that this package raises on purpose. Catching it catches all of them."""


class SpecError(VeloraError, ValueError):
    """A policy specification is inconsistent, or does not fit the environment or robot with which it is used."""


class ObservationError(VeloraError, ValueError):
    """An observation or an elapsed time has the wrong shape or is not finite."""


class PolicyFileError(VeloraError, ValueError):
    """A policy file or a saved agent is missing, damaged or of a version that this package cannot read."""


class RecordingError(VeloraError, ValueError):
    """A recording is missing, is not an MCAP file, or lacks the requested content."""


class ConfigError(VeloraError, ValueError):
    """A hyperparameter, ROS parameter or command-line value is unknown, of the wrong type or out of range."""


class UnsupportedEnvironmentError(VeloraError, ValueError):
    """An environment cannot be made, or its spaces or values are not suitable for training a policy."""


class TaskError(VeloraError, ValueError):
    """A task of a robot does not fit its model, or one of its terms returns wrong values."""


class DivergenceError(VeloraError, ArithmeticError):
    """Training has diverged: a loss, a weight or an action of the agent is no longer finite."""

    @classmethod
    def of(cls, what: str) -> 'DivergenceError':
        """Return the error that reports that ``what``, for example a loss, is not finite."""
        return cls(
            f'{what} is not finite: training has diverged. Lower actor_lr and critic_lr, lower reward_scale if rewards '
            'are large, or limit the gradients with max_grad_norm, and train a new agent.'
        )


class StorageError(VeloraError, OSError):
    """A file cannot be written, for example on a full disk or in a read-only folder. The old file is unchanged."""


class MissingDependencyError(VeloraError, ImportError):
    """An optional dependency that is needed here is not installed."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """
    Return a hint that can be appended to an error message about an unknown name.

    The hint contains the nearest valid name, if there is one, and the list of all valid names.
    """
    names = sorted(valid)
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ''
    return f'{hint} Valid: {", ".join(names) or "none"}.'
