"""What docs/your-own-robot.md tells a reader to do, done with the files on the page."""

import re
from pathlib import Path

import pytest

from velora_ros.cli.main import main
from velora_ros.policy import PolicyFile

PAGE = (Path(__file__).parents[1] / 'docs' / 'your-own-robot.md').read_text()
SMALL = (
    '--num-envs',
    '4',
    '--start-steps',
    '100',
    '--batch-size',
    '16',
    '--critic-sizes',
    '8',
    '8',
    '--eval-every',
    '0',
)


def block(language: str) -> str:
    return re.findall(rf'```{language}\n(.*?)```', PAGE, re.DOTALL)[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the robot and the task of the page, which is the working folder."""
    (tmp_path / 'balancer.xml').write_text(block('xml'))
    (tmp_path / 'balancer.py').write_text(block('python'))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_contract_of_the_page_s_task_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['tasks', 'show', 'balancer.py:DRIVE']) == 0
    shown = capsys.readouterr().out
    assert 'left/effort   N*m' in shown
    assert 'twist.angular.z' in shown


def test_the_page_s_task_is_trained_and_judged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['train', '--task', 'balancer.py:DRIVE', '--steps', '400', '--no-pictures', *SMALL]) == 0
    policy = folder / 'runs' / 'balancer.py-DRIVE-seed0' / 'policies' / 'best.safetensors'
    assert PolicyFile.load(policy).spec.action_names == ('left/effort', 'right/effort')
    judge = [
        'evaluate',
        str(policy),
        '--task',
        'balancer.py:DRIVE',
        '--episodes',
        '4',
        '--undisturbed',
        '--seconds',
        '0.2',
    ]
    assert main(judge) == 0
    assert 'tracking' in capsys.readouterr().out
