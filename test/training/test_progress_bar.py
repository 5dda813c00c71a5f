import csv
import os
import sys
from pathlib import Path

import pytest
from command_output import beside_waiting
from toy import Reach

from velora_ros.errors import StorageError
from velora_ros.models import LiquidDDPG

QUICK = {'start_steps': 10, 'boost_ratio': 1.0}


def test_without_a_terminal_there_is_a_plain_line_every_window_and_one_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = LiquidDDPG(2, 4, 1, seed=0)
    options = {**QUICK, 'start_steps': 16}
    model.train(Reach(length=5), 8, n_episodes=6, window_size=3, eval_env=Reach(), eval_every=20, **options)
    out, err = capsys.readouterr()
    backend, *lines = out.splitlines()
    assert backend.startswith('backend numba: ')
    assert [line.split(':')[0] for line in lines[:-1]] == ['episode 3', 'episode 6']
    assert 'mean return' in lines[1]
    assert 'no update yet' in lines[0]
    assert 'critic loss' in lines[1]
    assert 'steps/s' in lines[1]
    assert lines[-1].startswith('trained 30 steps, 6 episodes in ')
    assert beside_waiting(err) == ''


def test_output_that_is_closed_or_full_does_not_end_training(monkeypatch: pytest.MonkeyPatch) -> None:
    with open('/dev/full', 'w') as full:  # closing it flushes what is left
        for stdout, stderr in ((None, None), (full, full)):
            monkeypatch.setattr(sys, 'stdout', stdout)
            monkeypatch.setattr(sys, 'stderr', stderr)
            assert (
                LiquidDDPG(2, 4, 1, seed=0).train(Reach(length=5), 8, n_episodes=2, window_size=1, **QUICK).steps == 10
            )


def test_the_learning_curve_is_saved_as_csv_and_png(tmp_path: Path) -> None:
    model = LiquidDDPG(2, 4, 1, seed=0)
    arguments = {'n_episodes': 4, 'eval_env': Reach(), 'eval_every': 10, 'progress': False, **QUICK}
    result = model.train(Reach(length=5), 8, run_dir=tmp_path / 'run', **arguments)
    with (tmp_path / 'run' / 'episodes.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row['return']) for row in rows] == pytest.approx(result.returns)
    with (tmp_path / 'run' / 'evaluations.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [(int(row['steps']), float(row['mean'])) for row in rows] == [
        (record.steps, pytest.approx(record.result.mean)) for record in result.evaluations
    ]
    assert (tmp_path / 'run' / 'learning_curve.png').read_bytes().startswith(b'\x89PNG')


def test_a_folder_that_cannot_be_made_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    model = LiquidDDPG(2, 4, 1, seed=0)
    with pytest.raises(StorageError, match='cannot be created'):
        model.train(Reach(), 8, n_episodes=1, run_dir=tmp_path / 'file' / 'run', **QUICK)
    assert model.agent.steps == 0
    assert os.listdir(tmp_path) == ['file']  # noqa: PTH208 - names only
