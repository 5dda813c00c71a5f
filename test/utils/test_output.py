import os
import sys
from pathlib import Path

import pytest

from velora_ros.utils.output import write_line


@pytest.mark.parametrize('error', [False, True])
@pytest.mark.parametrize('line', ['a line', b'a line'])
def test_a_line_that_cannot_be_written_is_dropped(
    line: str | bytes, error: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = 'stderr' if error else 'stdout'
    with open('/dev/full', 'w') as full:  # closing it flushes what is left
        monkeypatch.setattr(sys, name, full)
        assert write_line(line, error=error)
    monkeypatch.setattr(sys, name, None)
    assert write_line(line, error=error)


def test_the_lines_after_one_that_was_lost_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / 'log').open('w') as log, open('/dev/full', 'w') as full:
        monkeypatch.setattr(sys, 'stdout', full)
        assert write_line('lost')
        os.dup2(log.fileno(), full.fileno())  # there is space again
        assert write_line('kept')
    assert (tmp_path / 'log').read_text() == 'kept\n'


def test_a_line_tells_when_its_reader_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, 'w') as pipe:
        monkeypatch.setattr(sys, 'stdout', pipe)
        assert not write_line('a line')
