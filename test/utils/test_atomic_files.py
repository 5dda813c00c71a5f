import errno
import os
from pathlib import Path

import pytest

from velora_ros.errors import StorageError
from velora_ros.utils.atomic_files import atomic_write


def test_a_file_is_written_whole_and_an_old_one_survives_an_error(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    with atomic_write(path) as file:
        file.write(b'first')

    def fail_half_way() -> None:
        with atomic_write(path) as file:
            file.write(b'second')
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageError, match='No space left'):
        fail_half_way()
    assert path.read_bytes() == b'first'
    assert [entry.name for entry in tmp_path.iterdir()] == ['file']


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match='nowhere'), atomic_write(tmp_path / 'nowhere' / 'file'):
        pass
