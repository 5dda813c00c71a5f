from pathlib import Path
from typing import Any

import pytest
from event_files import scalars
from toy import Reach

from velora_ros.models import LiquidDDPG
from velora_ros.training import DIAGNOSTICS, RunPaths, loop_base
from velora_ros.training.diagnostics import NAMES, Gathered, complete
from velora_ros.training.runs.csv_tables import DIAGNOSTICS_COLUMNS

PAGE = Path(__file__).parents[2] / 'docs' / 'training.md'


def test_the_page_has_every_number_in_the_words_of_the_table() -> None:
    lines = PAGE.read_text(encoding='utf-8').splitlines()
    expected = [f'| `{one.name}` | {one.meaning} | {one.unit or "-"} | {one.healthy} |' for one in DIAGNOSTICS]
    begin = lines.index(expected[0])
    assert lines[begin : begin + len(expected)] == expected
    assert not lines[begin + len(expected)].startswith('|')


def test_names_are_columns_and_none_is_there_twice() -> None:
    assert ('steps', 'episode', 'seconds', *NAMES) == DIAGNOSTICS_COLUMNS
    assert len(set(DIAGNOSTICS_COLUMNS)) == len(DIAGNOSTICS_COLUMNS)


def test_means_are_of_what_is_finite_and_begin_anew() -> None:
    gathered = Gathered()
    for one, other in ((1.0, 4.0), (float('nan'), 6.0), (3.0, float('inf'))):
        gathered.add({'one': one, 'other': other})
    copy = Gathered()
    copy.restore(gathered.state())
    assert gathered.take() == copy.take() == {'one': 2.0, 'other': 5.0}
    assert gathered.take() == {}


def test_what_was_not_measured_is_nan_and_what_is_unknown_left_out() -> None:
    values = complete({'q_mean': 2.0, 'of_a_later_version': 1.0})
    assert list(values) == list(NAMES)
    assert values['q_mean'] == 2.0
    assert sum(value == value for value in values.values()) == 1  # noqa: PLR0124 - not NaN


@pytest.mark.parametrize(('every', 'steps'), [(10, [10, 20, 25]), (25, [25]), (100, [25])])
def test_table_and_tensorboard_have_every_record(
    every: int, steps: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_base, 'RECORD_EVERY', every)
    options: dict[str, Any] = {'start_steps': 5, 'boost_ratio': 1.0, 'eval_every': 0, 'progress': False}
    result = LiquidDDPG(2, 4, 1, seed=0).train(Reach(length=5), 8, total_steps=25, run_dir=tmp_path, **options)
    assert [record.steps for record in result.diagnostics] == steps
    header, *rows = RunPaths(tmp_path).diagnostics.read_text().splitlines()
    assert header.split(',') == list(DIAGNOSTICS_COLUMNS)
    assert [[float(value) for value in row.split(',')[3:]] for row in rows] == [
        pytest.approx(list(record.values.values()), nan_ok=True) for record in result.diagnostics
    ]
    for name in ('updates', 'noise', 'actor_lr'):
        assert scalars(tmp_path, f'diagnostics/{name}') == [
            (record.steps, pytest.approx(record.values[name])) for record in result.diagnostics
        ]
