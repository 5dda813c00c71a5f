import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]


def test_the_pages_made_from_tables_say_what_the_code_does():
    command = [sys.executable, ROOT / 'tools' / 'generate_docs.py', '--check']
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=None)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page):
    targets = [part.split(')')[0] for part in page.read_text(encoding='utf-8').split('](')[1:]]
    files = [target.split('#')[0] for target in targets if not target.startswith(('http', '#'))]
    assert [file for file in files if not (page.parent / file).exists()] == []


def test_every_fault_names_a_test_that_exists():
    page = (ROOT / 'docs' / 'faults.md').read_text(encoding='utf-8')
    named = [cell.strip(' `') for line in page.splitlines() for cell in line.split('|') if '.py::' in cell]
    assert len(named) > 30
    for file, _, test in (name.partition('::') for name in named):
        assert f'def {test}(' in (ROOT / 'test' / file).read_text(encoding='utf-8'), f'{file} has no {test}'
