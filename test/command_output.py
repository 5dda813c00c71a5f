"""The output of a command, without the parts that depend on the machine."""

from velora_ros.models.agent import COMPILING


def beside_waiting(err: str) -> str:
    """Standard error without the message about compiling, which also appears on a busy machine."""
    return err.replace(f'{COMPILING}\n', '')
