"""Two runs' folders, compared file by file."""

import csv
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from velora_ros.training import RunPaths, agent_file
from velora_ros.training.runs.paths import checkpoint_files

BY_THE_CLOCK = ('seconds', 'steps_per_s')


def rows(path: Path) -> list[dict[str, str]]:
    """A table without what a clock tells."""
    with path.open() as file:
        return [{name: row[name] for name in row if name not in BY_THE_CLOCK} for row in csv.DictReader(file)]


def events(run: RunPaths) -> dict[str, list[tuple[int, float]]]:
    accumulator = EventAccumulator(str(run.events))
    accumulator.Reload()
    tags = [tag for tag in sorted(accumulator.Tags()['scalars']) if not tag.startswith('speed')]
    return {tag: [(event.step, event.value) for event in accumulator.Scalars(tag)] for tag in tags}


def assert_same_checkpoint(one: Path, other: Path) -> None:
    (tensors, metadata), (tensors_2, metadata_2) = agent_file.read(one), agent_file.read(other)
    for name, tensor in tensors.items():
        values, values_2 = tensor.numpy().copy(), tensors_2[name].numpy().copy()
        if name == 'run.episodes' and values.size:
            values[:, 6:] = values_2[:, 6:] = 0
        elif name in ('run.evaluations', 'run.diagnostics') and values.size:
            values[:, 2] = values_2[:, 2] = 0
        assert values.tobytes() == values_2.tobytes(), name
    for part in (metadata, metadata_2):
        del part['checksum'], part['run']['seconds']
    assert metadata == metadata_2


def assert_same_run(one: RunPaths, other: RunPaths) -> None:
    for table in ('episodes', 'evaluations', 'diagnostics'):
        assert rows(getattr(one, table)) == rows(getattr(other, table))
    assert one.reward_terms.exists() == other.reward_terms.exists()
    if one.reward_terms.exists():
        assert rows(one.reward_terms) == rows(other.reward_terms)
    for policy in ('best_policy', 'last_policy'):
        assert getattr(one, policy).read_bytes() == getattr(other, policy).read_bytes()
    assert [path.name for path in checkpoint_files(one)] == [path.name for path in checkpoint_files(other)]
    for pair in zip(checkpoint_files(one), checkpoint_files(other), strict=True):
        assert_same_checkpoint(*pair)
    assert repr(events(one)) == repr(events(other))
