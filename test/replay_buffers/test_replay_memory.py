import math
from pathlib import Path

import pytest

from velora_ros.errors import ConfigError
from velora_ros.replay_buffers import SequenceBuffer, StreamBuffer
from velora_ros.replay_buffers.replay_memory import check_fits
from velora_ros.utils import memory


def test_a_replay_larger_than_any_memory_is_refused_in_a_sentence() -> None:
    for make in (lambda: SequenceBuffer(10**14, 2, 1, 3), lambda: StreamBuffer(10**14, 4, 2, 1, 3)):
        with pytest.raises(ConfigError, match=r'a replay of 100000000000000 transitions needs .* GiB, .*buffer_size'):
            make()


def test_a_replay_must_fit_as_far_as_it_will_be_filled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / 'meminfo').write_text('MemTotal: 100 kB\nMemAvailable:   50 kB\n')
    monkeypatch.setattr(memory, 'MEMORY', tmp_path / 'meminfo')
    rows = SequenceBuffer(2000, 2, 1, 3).rows  # 13 numbers a transition: 52 kB for half of them
    check_fits(rows, held=1000, steps=700)
    for steps in (900, math.inf):
        with pytest.raises(ConfigError, match=r'the replay will need about .* GiB of memory.*; lower buffer_size'):
            check_fits(rows, 1000, steps)
