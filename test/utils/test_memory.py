from pathlib import Path

import pytest

from velora_ros.utils import memory


def test_what_needs_more_than_most_of_the_free_memory_does_not_fit() -> None:
    assert memory.does_not_fit(7 * 2**30, 10.0 * 2**30) == ''
    assert memory.does_not_fit(9 * 2**30, 10.0 * 2**30) == 'about 9.0 GiB of memory, but 10.0 GiB are free'


def test_free_memory_is_what_linux_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / 'meminfo').write_text('MemTotal:  99 kB\nMemFree: 1 kB\nMemAvailable:  50 kB\n')
    monkeypatch.setattr(memory, 'MEMORY', tmp_path / 'meminfo')
    assert memory.free_memory() == 50 * 1024


def test_on_other_systems_everything_fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, 'MEMORY', tmp_path / 'none')
    monkeypatch.setattr(memory, 'RESIDENT', tmp_path / 'none')
    assert memory.does_not_fit(1e30, memory.free_memory()) == ''
    assert memory.resident_memory() == 0
