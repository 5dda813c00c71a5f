"""What the runner of processes says, where nobody can hear it."""

import os
import subprocess
import sys

import pytest

RUNNER = """
import sys
from velora_ros.nodes.bringup import processes
from velora_ros.nodes.bringup.entries import Entry
sys.exit(processes.run_entries([Entry('speaks', 'speaks', '/', package='standin', ends_run=True)]))
"""
SPEAKS = """
import pathlib
print('a line', flush=True)
print('{"event": "control_summary"}', flush=True)
pathlib.Path(__file__).with_suffix('.done').touch()
"""


@pytest.mark.parametrize('output', ['>&-', '>/dev/full', '>/dev/full 2>&1'])
def test_a_run_goes_on_where_output_is_closed_or_full(output, tmp_path):
    module = tmp_path / 'standin' / 'nodes' / 'speaks.py'
    module.parent.mkdir(parents=True)
    module.write_text(SPEAKS)
    (tmp_path / 'runner.py').write_text(RUNNER)
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(tmp_path), *sys.path])}
    command = f'exec {sys.executable} {tmp_path / "runner.py"} {output}'
    result = subprocess.run(
        ['sh', '-c', command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, '')
    assert module.with_suffix('.done').exists()
