import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import assert_same_run
from run_in_vector import train

import velora_ros
from velora_ros.errors import ConfigError
from velora_ros.training import RunPaths
from velora_ros.training.runs.config import RunConfig
from velora_ros.training.runs.paths import checkpoint_files

HERE = Path(__file__).parents[2]


def killed(kind: str, folder: Path, at: int) -> None:
    paths = os.pathsep.join([str(Path(velora_ros.__file__).parents[1]), str(HERE)])
    command = [sys.executable, HERE / 'run_in_vector.py', kind, str(folder), str(at)]
    done = subprocess.run(command, env={**os.environ, 'PYTHONPATH': paths}, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize(('kind', 'kill_at'), [('saved', 700), ('task', 800), ('cut', 5000)])
def test_a_killed_run_in_a_vector_goes_on_bit_for_bit(kind: str, kill_at: int, tmp_path: Path) -> None:
    whole, resumed = tmp_path / 'whole', tmp_path / 'killed'
    train(kind, whole)
    killed(kind, resumed, kill_at)
    assert 0 < int(checkpoint_files(RunPaths(resumed))[0].stem) < kill_at
    train(kind, resumed)
    assert_same_run(RunPaths(whole), RunPaths(resumed))


def test_a_run_in_a_vector_is_resumed_in_as_many_environments(tmp_path: Path) -> None:
    from toy_vector import walks

    from velora_ros.models import LiquidDDPG

    options = {'total_steps': 60, 'progress': False, 'eval_every': 0, 'start_steps': 8, 'run_dir': tmp_path}
    LiquidDDPG(2, 4, 1, seed=1).train(walks(3), 16, **options)
    assert RunConfig.load(RunPaths(tmp_path).config).num_envs == 3
    with pytest.raises(ConfigError, match='started with num_envs 3, but now it is 4'):
        LiquidDDPG(2, 4, 1, seed=1).train(walks(4), 16, **options, resume=True)
