"""
Pictures for people: learning curves, a policy's wiring, its hidden state at work. PNG and SVG through matplotlib.

It knows policies and environments, no agent and no ROS. Importing the room loads matplotlib; who only sometimes draws
imports it late.

Raises:
    MissingDependencyError: matplotlib is not installed.
"""

from velora_ros.errors import MissingDependencyError

try:
    import matplotlib as mpl  # noqa: F401 - before any module here needs it
except ImportError as error:
    raise MissingDependencyError(
        f"a picture needs {error.name}, which is not installed: pip install 'velora_ros[train]'."
    ) from error
