"""
The package's exceptions: one root, a few children.

Every message says three things: what came, what would be valid, and what to do about it.
"""

import difflib
from collections.abc import Iterable


class VeloraError(Exception):
    """Root of every error that this package raises on purpose; a caller may catch just this."""


class SpecError(VeloraError, ValueError):
    """A policy specification is inconsistent, or does not fit what it is connected to."""


class ObservationError(VeloraError, ValueError):
    """An observation or an elapsed time is of the wrong shape, or is not finite."""


class PolicyFileError(VeloraError, ValueError):
    """A policy or model file is missing, damaged, or of a version that this package cannot read."""


class ConfigError(VeloraError, ValueError):
    """A hyperparameter, ROS parameter or command-line value is unknown, of the wrong type or out of range."""


class UnsupportedEnvironmentError(VeloraError, ValueError):
    """An environment cannot be made, or has spaces or values that a policy cannot be trained on."""


class DivergenceError(VeloraError, ArithmeticError):
    """Training has run away: a loss, a weight or an action of the agent is no longer a finite number."""


class StorageError(VeloraError, OSError):
    """A file could not be written (full disk, read-only folder); what was there before is untouched."""


class MissingDependencyError(VeloraError, ImportError):
    """An optional dependency is needed for what was asked and is not installed."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """
    Return a short hint for an unknown name, to be appended to an error message.

    The nearest valid name comes first when there is one; the full list follows.
    """
    names = sorted(valid)
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ''
    return f'{hint} Valid: {", ".join(names) or "none"}.'
