"""
Trains in a folder, kills the process repeatedly, and resumes: ``run_and_kill.py FOLDER KILLS SEED``.

``FOLDER/whole`` is never killed. ``FOLDER/killed-N`` are: at a random moment, in the middle of a write, or just before
a temporary file gets its name; when one has come to its end, the next begins, until there were so many kills. Each
training is forked from this process, which has torch loaded and everything compiled. What happened stands in
``FOLDER/counts.json``.
"""

import json
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from toy import Reach

from velora_ros import utils
from velora_ros.models import LiquidDDPG
from velora_ros.training import RunPaths

STEPS = 90
SETTINGS: dict[str, Any] = {
    'total_steps': STEPS, 'start_steps': 10, 'boost_ratio': 3.0, 'boost_steps': 20, 'update_ratio': 0.7,
    'sequence_length': 4, 'eval_every': 25, 'eval_episodes': 2, 'progress': False, 'checkpoint_every': 0.0,
}  # fmt: skip


class Drawing(Reach):
    """An environment that also draws from the global generators, which a resumed run must find as they were."""

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        reward += 0.1 * random.random() + 0.1 * np.random.random()  # noqa: NPY002 - the global one
        return observation, reward, terminated, truncated or random.random() < 0.1, info


def train(folder: Path, **changes: Any) -> LiquidDDPG:
    """Begin a run in a folder, or go on with it, on an agent small enough to be quick; its replay overflows."""
    utils.set_seed(3)
    model = LiquidDDPG(2, 4, 1, critic_sizes=(8,), n_critics=2, buffer_size=60, policy_tau=0.02, seed=3)
    options = {**SETTINGS, 'resume': RunPaths(folder).holds_run, **changes}
    model.train(Drawing(length=7), 16, run_dir=folder, eval_env=Reach(length=3), **options)
    return model


def in_a_fork(work: Callable[[], object], kill_after: float | None = None) -> int:
    """Do some work in a forked process that is killed after these seconds; return waitpid's status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die_at_write(number: int) -> None:
    """Kill this process in its ``number``-th write, when half of the bytes have gone to the temporary file."""
    writes = 0
    open_descriptor = os.fdopen

    def opened(descriptor: int, *arguments: Any) -> Any:
        file = open_descriptor(descriptor, *arguments)
        write = file.write

        class Dying:
            def __enter__(self) -> 'Dying':
                return self

            def __exit__(self, *_: Any) -> None:
                file.close()

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

            def write(self, data: bytes) -> int:
                nonlocal writes
                writes += 1
                if writes == number:
                    write(data[: len(data) // 2])
                    file.flush()
                    os.kill(os.getpid(), signal.SIGKILL)
                return int(write(data))

        return Dying()

    os.fdopen = opened


def die_at_rename(number: int) -> None:
    """Kill this process just before its ``number``-th temporary file gets its name."""
    renames = 0
    replace = os.replace

    def replaced(source: Any, target: Any) -> None:
        nonlocal renames
        renames += 1
        if renames == number:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = replaced


def main() -> None:
    folder, kills, rng = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    warnings.simplefilter('ignore', DeprecationWarning)  # fork and threads: those of libraries, idle
    train(folder / 'warm', total_steps=20)  # compiles
    began = time.perf_counter()
    train(folder / 'whole')
    whole = time.perf_counter() - began
    counts = dict.fromkeys(('moment', 'write', 'rename', 'left_unfinished', 'finished'), 0)
    while counts['moment'] + counts['write'] + counts['rename'] < kills:
        run = folder / f'killed-{counts["finished"]}'
        how = rng.choice(['moment', 'write', 'rename'])
        moment, number = rng.uniform(0, 0.6 * whole), rng.randint(1, 12)

        def work(run: Path = run, how: str = how, number: int = number) -> None:
            if how != 'moment':
                {'write': die_at_write, 'rename': die_at_rename}[how](number)
            train(run)

        status = in_a_fork(work, moment if how == 'moment' else None)
        assert status in (0, -signal.SIGKILL), status
        counts[how] += status != 0
        counts['finished'] += status == 0
        counts['left_unfinished'] += any(run.rglob('.*.tmp'))
    train(folder / f'killed-{counts["finished"]}')
    counts['finished'] += 1
    (folder / 'counts.json').write_text(json.dumps(counts))


if __name__ == '__main__':
    main()
