import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from velora_ros.errors import ConfigError
from velora_ros.utils import set_device, set_seed


def test_set_seed_fixes_torch_and_numpy() -> None:
    def draw() -> tuple[float, float]:
        set_seed(64)
        return torch.rand(1).item(), float(np.random.rand())  # noqa: NPY002 - the global generator is the point

    assert draw() == draw()


@pytest.mark.parametrize('seed', [-1, 2**32, 1.5, True, 'x'])
def test_an_invalid_seed_is_refused(seed: object) -> None:
    with pytest.raises(ConfigError, match='seed'):
        set_seed(seed)  # type: ignore[arg-type]


def test_a_device_is_chosen_or_refused_by_name() -> None:
    assert set_device().type in {'cpu', 'cuda'}
    assert set_device('cpu') == torch.device('cpu')
    with pytest.raises(ConfigError, match='toaster'):
        set_device('toaster')


@pytest.mark.parametrize('name', ['mps', 'xpu', 'cuda:7', 'gpu', 'cpu:3', '', 'cuda:-1', torch.device('mps'), 3.5])
def test_the_error_for_a_missing_device_lists_the_valid_ones(name: Any) -> None:
    with pytest.raises(ConfigError) as error:
        set_device(name)
    message = str(error.value)
    assert "the valid devices here are 'auto', 'cpu'" in message and '\n' not in message
    assert "'cuda:0'" in message if torch.cuda.is_available() else "'cuda:0'" not in message


def test_without_a_gpu_cuda_is_refused_by_name_and_with_two_the_third_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    for name in ('cuda', 'cuda:0', torch.device('cuda')):
        with pytest.raises(ConfigError, match="sees no CUDA device here; the valid devices here are 'auto', 'cpu'\\."):
            set_device(name)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    assert set_device('cuda:1') == torch.device('cuda:1')
    with pytest.raises(ConfigError, match=r"sees 2 CUDA devices here; the valid .* are .*'cuda', 'cuda:0', 'cuda:1'\."):
        set_device('cuda:2')


def test_importing_the_package_and_its_helpers_loads_no_torch() -> None:
    code = 'import sys, velora_ros, velora_ros.utils, velora_ros.liquid, velora_ros.models, velora_ros.control; '
    code += 'sys.exit("torch" in sys.modules)'
    subprocess.run([sys.executable, '-c', code], check=True)
