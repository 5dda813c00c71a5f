"""What a command said, without what is up to the machine."""

from velora_ros.models.agent import COMPILING


def beside_waiting(err: str) -> str:
    """Standard error without the sentence of a run that has to compile, or seems to on a busy machine."""
    return err.replace(f'{COMPILING}\n', '')
