"""Find the files that ship with the package: configurations, policies and launch files."""

import os
import sys
from pathlib import Path

PACKAGE = 'velora_ros'
"""The package's name: the name of its share folder, and its key in the metadata of files that it writes."""


def share_path(*parts: str) -> Path:
    """
    Return the path of a file that ships with the package (``config``, ``policies``, ``launch``).

    In a source tree this is the tree itself; once installed it is ``share/velora_ros`` under a prefix of
    ``AMENT_PREFIX_PATH`` or under Python's own prefix. The first of these places that has the file is used. If none has
    the file, the path in the first place is returned.
    """
    source = Path(__file__).resolve().parents[2]
    roots = [source] if (source / 'package.xml').is_file() else []
    prefixes = [*filter(None, os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)), sys.prefix]
    roots += [Path(prefix) / 'share' / PACKAGE for prefix in prefixes]
    candidates = [root.joinpath(*parts) for root in roots]
    return next((path for path in candidates if path.exists()), candidates[0])
