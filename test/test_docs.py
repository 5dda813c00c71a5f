import pkgutil
import re
import subprocess
import sys
import tomllib
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


SUBPACKAGES = sorted(path.name for path in (ROOT / 'velora_ros').iterdir() if (path / '__init__.py').exists())
FILES = re.compile(r'`([\w./-]+(?:\.(?:py|md|rst|toml|yaml|xml|cfg)|/))(?:::\w+)?`')
NAMES = re.compile(r'`(velora_ros(?:\.\w+)+)')
IN_REPOSITORY = re.compile(
    r'(?<![\w/])((?:velora_ros|benchmarks|config|examples|tools)/[\w./-]+\.(?:py|csv|txt|yaml|xml|json))'
)
IMPORTS = re.compile(r'^from (velora_ros[\w.]*) import ([\w, ]+)', re.MULTILINE)
IN_CODE = re.compile(r'(?<![\w./{<-])(?!my_|(?i:file)\.)([\w/]*\w\.py)\b')  # my_robot.py and file.py are a user's
MODULES_IN_CODE = re.compile(r':mod:`~?(velora_ros[\w.]*)`|``(velora_ros\.[\w.]+)``')
EXAMPLES = ('my_robot.py',)  # files of a user, in help texts
CODE_PAGES = [ROOT / 'docs' / name for name in ('design.md', 'development.md', 'algorithm.md')]


def test_the_design_has_a_row_for_every_subpackage_and_no_other():
    page = (ROOT / 'docs' / 'design.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| `(\w+)/` \|', page, re.MULTILINE)
    assert sorted(rows) == SUBPACKAGES


def test_the_design_shows_the_layers_that_are_enforced():
    page = (ROOT / 'docs' / 'design.md').read_text(encoding='utf-8')
    contract = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['tool']['importlinter']['contracts']
    layers = next(one['layers'] for one in contract if one['id'] == 'layers')
    shown = next(block.split() for block in re.findall(r'```\n(.*?)```', page, re.DOTALL) if ' > ' in block)
    assert ' '.join(shown) == ' > '.join(layer for layer in layers if layer != '__main__')


@pytest.mark.parametrize('page', CODE_PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_about_the_code_names_exists(page):
    files = FILES.findall(page.read_text(encoding='utf-8'))
    folders = (ROOT, ROOT / 'velora_ros')
    assert [file for file in files if not any((folder / file).exists() for folder in folders)] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_of_the_repository_that_a_page_names_exists(page):
    files = IN_REPOSITORY.findall(page.read_text(encoding='utf-8'))
    assert [file for file in files if not (ROOT / file).exists()] == []


GROUPS = {'velora_ros.readers', 'velora_ros.writers'}  # of entry points


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_of_the_package_that_a_page_uses_exists(page):
    text = page.read_text(encoding='utf-8')
    names = set(NAMES.findall(text)) - GROUPS
    for module, imported in IMPORTS.findall(text):
        names |= {f'{module}.{name.strip()}' for name in imported.split(',')}
    for name in sorted(names):
        pkgutil.resolve_name(name)


def test_every_file_and_module_that_the_code_names_exists():
    sources = sorted((ROOT / 'velora_ros').rglob('*.py'))
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding='utf-8') for path in sources}
    files = [f'/{path.relative_to(ROOT)}' for path in (*sources, *(ROOT / 'test').rglob('*.py'), *ROOT.glob('*.py'))]
    modules = {name.removesuffix('.py').removesuffix('/__init__').replace('/', '.') for name in texts}
    modules |= GROUPS
    missing = []
    for name, text in texts.items():
        missing += [(name, file) for file in IN_CODE.findall(text) if not any(f.endswith(f'/{file}') for f in files)]
        missing += [(name, a or b) for a, b in MODULES_IN_CODE.findall(text) if (a or b) not in modules]
    assert [pair for pair in missing if pair[1] not in EXAMPLES] == []
