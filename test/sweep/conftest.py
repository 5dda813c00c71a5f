import pytest
import yaml

from velora_ros.sweep.plan import Sweep


@pytest.fixture
def load(tmp_path):
    """Return the sweep of a file with these entries, on top of those of a small valid sweep."""

    def from_entries(**entries):
        path = tmp_path / 'sweep.yaml'
        path.write_text(yaml.safe_dump({'env': 'InvertedPendulum-v5', 'steps': 1000, **entries}))
        return Sweep.load(path)

    return from_entries
