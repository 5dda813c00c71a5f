"""Every example runs as it stands; the long ones are shortened through their parameters alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / 'examples'
HAS_GL_CODE = "import gymnasium; gymnasium.make('InvertedPendulum-v5', render_mode='rgb_array').reset()"

SHORTER: dict[str, dict[str, str]] = {
    'build_a_model.py': {},
    'own_callback.py': {'total_steps=10_000': 'total_steps=500'},
    'seed_and_device.py': {},
    'train.py': {'BATCH_SIZE)': 'BATCH_SIZE, n_episodes=30)'},
    'watch_in_a_notebook.py': {'n_episodes=100': 'n_episodes=25', 'range(1000)': 'range(5)'},
}
WITHOUT_PICTURE = {", render_mode='rgb_array'": '', 'env.render()': '[[0.0]]'}


def run(code: str, folder: Path) -> str:
    environment = {**os.environ, 'MPLBACKEND': 'Agg', 'MUJOCO_GL': 'egl', 'PYTHONPATH': str(EXAMPLES.parent)}
    done = subprocess.run(
        [sys.executable, '-W', 'ignore:FigureCanvasAgg is non-interactive', '-c', code],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def code_of(name: str, changes: dict[str, str]) -> str:
    code = (EXAMPLES / name).read_text()
    for old, new in changes.items():
        assert code.count(old) == 1, f'{name} has changed: {old!r}'
        code = code.replace(old, new)
    return code


def test_no_example_is_forgotten() -> None:
    assert sorted(SHORTER) == sorted(path.name for path in EXAMPLES.glob('*.py'))


@pytest.mark.parametrize('name', SHORTER)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    changes = {**SHORTER[name], **(WITHOUT_PICTURE if 'notebook' in name else {})}
    out = run(code_of(name, changes), tmp_path)
    assert ('trained' in out) == ('train(' in code_of(name, changes))
    assert ('with uneven time: [' in out) == ('callback' in name)


def test_the_notebook_example_draws_what_the_simulator_renders(tmp_path: Path) -> None:
    environment = {**os.environ, 'MUJOCO_GL': 'egl'}
    if subprocess.run(
        [sys.executable, '-c', HAS_GL_CODE], env=environment, capture_output=True, check=False
    ).returncode:
        pytest.skip('no GL here (libegl1 and Mesa would do): the picture is not drawn; the rest ran in the test above')
    name = 'watch_in_a_notebook.py'
    shorter = {**SHORTER[name], 'plt.show()': 'assert plt.gca().images[-1].get_array().shape == (480, 480, 3)'}
    run(code_of(name, shorter), tmp_path)
