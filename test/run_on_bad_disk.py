"""
Trains in a folder whose disk fails after some episodes: ``run_on_bad_disk.py FOLDER full|limit|read-only``.

``full``: the folder is on a small disk, which is filled up. ``limit``: no file may grow beyond 4 kB any more, which is
a full disk where a small one cannot be mounted. ``read-only``: the folder of the checkpoints is. Writes ``error.txt``,
then repairs the disk, goes on to the end, and compares the policies with those of a run on a good disk.
"""

import os
import resource
import sys
from pathlib import Path

from run_and_kill import train

from velora_ros.errors import StorageError
from velora_ros.training import Callback, RunPaths
from velora_ros.training.records import EpisodeRecord
from velora_ros.training.runs.paths import checkpoint_files

NOBODY = 65534


class BadDisk(Callback):
    """Lets the disk fail after the eighth episode."""

    def __init__(self, folder: Path, how: str) -> None:
        self._paths, self._how = RunPaths(folder), how
        self._filler = folder.parent / 'filler'
        self.kept: list[Path] = []

    def on_episode_end(self, record: EpisodeRecord) -> None:
        if record.episode != 8:
            return
        self.kept = checkpoint_files(self._paths)
        if self._how == 'full':
            self._fill()
        elif self._how == 'limit':
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        else:
            self._paths.checkpoints.chmod(0o555)

    def repair(self) -> None:
        if self._how == 'full':
            self._filler.unlink()
        elif self._how == 'limit':
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        else:
            self._paths.checkpoints.chmod(0o755)

    def _fill(self) -> None:
        with self._filler.open('wb', buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass


def main() -> None:
    folder, how = Path(sys.argv[1]), sys.argv[2]
    train(folder / 'good')
    if how == 'read-only' and os.geteuid() == 0:  # nothing is read-only for root
        for path in (folder, *folder.rglob('*')):
            os.chown(path, NOBODY, NOBODY)
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    disk = BadDisk(folder / 'bad', how)
    try:
        train(folder / 'bad', callbacks=[disk])
    except StorageError as error:
        disk.repair()
        (folder / 'error.txt').write_text(str(error))
    assert checkpoint_files(RunPaths(folder / 'bad')) == disk.kept, 'the checkpoints of before are there, and no others'
    train(folder / 'bad')
    for name in ('best', 'last'):
        good, bad = ((folder / run / 'policies' / f'{name}.safetensors').read_bytes() for run in ('good', 'bad'))
        assert good == bad, name


if __name__ == '__main__':
    main()
