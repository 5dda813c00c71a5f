"""What the GPU's benchmark compares holds on the CPU too; without a GPU it says that nothing was measured."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / 'benchmarks'


def test_the_updates_that_stay_on_the_device_agree_with_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    found = importlib.util.spec_from_file_location('cuda_benchmark', BENCHMARKS / 'cuda.py')  # NVIDIA has a 'cuda' too
    assert found is not None and found.loader is not None
    cuda = importlib.util.module_from_spec(found)
    found.loader.exec_module(cuda)

    monkeypatch.setitem(cuda.SIZES, 'critic_sizes', (32, 32))
    assert cuda.agreement('cpu', modes=(False,), updates=3)['no graphs'] < 1e-5


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu_it_says_so() -> None:
    done = subprocess.run([sys.executable, str(BENCHMARKS / 'cuda.py')], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == 'this machine has no GPU that torch can use: nothing was measured\n'
