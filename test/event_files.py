"""TensorBoard event files, read by TensorBoard."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from velora_ros.training.runs.paths import RunPaths


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    """What TensorBoard itself reads."""
    accumulator = EventAccumulator(str(RunPaths(folder).events))
    accumulator.Reload()
    return [(event.step, event.value) for event in accumulator.Scalars(tag)]
