"""Models of the robots that ship: MJCF files of primitives, and where they are."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def model(name: str) -> str:
    """Return the path of a robot's MJCF file: ``quadruped``, ``arm`` or ``rover``."""
    return str(FOLDER / f'{name}.xml')
