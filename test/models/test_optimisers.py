import subprocess
import sys

import torch
from torch.optim import Optimizer

from velora_ros.models.optimisers import without_compiler

TRAINED_SAVED_LOADED = """
import sys
from toy import Reach
from velora_ros.models import LiquidDDPG

options = {'start_steps': 10, 'eval_every': 0, 'progress': False, 'checkpoint_every': 0}
LiquidDDPG(2, 4, 1, seed=0).train(Reach(length=5), 8, total_steps=40, run_dir=sys.argv[1], **options)
model = LiquidDDPG.load(sys.argv[1] + '/checkpoints/000000040.safetensors')
model.train(Reach(length=5), 8, total_steps=50, **{**options, 'checkpoint_every': None})
print(sorted(name for name in sys.modules if name.startswith(('torch._dynamo', 'torch._inductor'))))
"""


def test_training_saving_and_loading_import_nothing_of_torch_s_compiler(tmp_path):
    environment_path = f'import sys; sys.path[:0] = {sys.path!r}\n'
    command = [sys.executable, '-c', environment_path + TRAINED_SAVED_LOADED, str(tmp_path / 'run')]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, '[]\n'), done.stderr


def test_afterwards_the_methods_are_as_they_were(monkeypatch):
    monkeypatch.delitem(sys.modules, 'torch._dynamo', raising=False)
    methods = [getattr(Optimizer, name).__wrapped__ for name in ('add_param_group', 'load_state_dict', 'state_dict')]
    before = [dict(vars(method)) for method in methods]
    with without_compiler():
        assert all('__dynamo_disable' in vars(method) for method in methods)
        parameters = [torch.nn.Parameter(torch.ones(2))]
        optimiser = torch.optim.Adam(parameters, lr=0.1)
        optimiser.load_state_dict(optimiser.state_dict())
    assert [dict(vars(method)) for method in methods] == before
    assert optimiser.param_groups[0]['params'] == parameters
