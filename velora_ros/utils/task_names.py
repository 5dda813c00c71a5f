"""Names of the included tasks, and whether a text names a task; importing this module does not load MuJoCo."""

import re

SHIPPED = ('quadruped', 'arm', 'rover')
"""Names of the included tasks; each is in the module ``velora_ros.tasks.<name>``."""
_ID = re.compile(r'-v\d+$')


def is_task_reference(text: str) -> bool:
    """Return whether a text is a reference to a task, not the id of an environment such as ``module:Name-v0``."""
    place, colon, name = text.rpartition(':')
    return text in SHIPPED or place.endswith('.py') or text.endswith('.py') or (bool(colon) and not _ID.search(name))
