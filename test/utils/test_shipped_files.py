import os
import shutil
import subprocess
import sys
from pathlib import Path

from velora_ros.utils.shipped_files import share_path


def test_shipped_data_are_found_in_the_source_tree_and_in_an_installed_prefix(tmp_path: Path) -> None:
    assert share_path('package.xml').is_file()
    code = 'from velora_ros.utils.shipped_files import share_path; print(share_path("config"))'
    (tmp_path / 'site' / 'velora_ros').mkdir(parents=True)
    source = Path(share_path('velora_ros'))
    for name in ('__init__.py', 'errors.py', 'utils'):
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, tmp_path / 'site' / 'velora_ros' / name)
    installed = tmp_path / 'prefix' / 'share' / 'velora_ros' / 'config'
    installed.mkdir(parents=True)
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path / 'site'), 'AMENT_PREFIX_PATH': str(tmp_path / 'prefix')}
    run = subprocess.run(
        [sys.executable, '-c', code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(run.stdout.strip()) == installed
