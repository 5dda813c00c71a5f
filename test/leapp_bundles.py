"""A bundle as LEAPP 0.7 writes it for a recurrent policy that reads its last action, with small random weights."""

import copy
import hashlib
import warnings

import numpy as np
import torch
import yaml
from safetensors.numpy import save_file
from torch import nn

JOINTS = ['hip', 'thigh', 'calf', 'foot']
ZERO_POSE = (0.1, 0.9, -1.8, 0.3)
START, UNITS = 0.1, 8
INPUTS = {
    'joint_pos': ([1, 4], {'kind': 'state/joint/position', 'element_names': [JOINTS]}),
    'joint_vel': ([1, 4], {'kind': 'state/joint/velocity', 'element_names': [JOINTS]}),
    'ang_vel': ([1, 3], {'kind': 'state/body/angular_velocity', 'element_names': [['x', 'y', 'z']]}),
    'projected_gravity': ([1, 3], {'kind': 'state/vector3d'}),
    'cmd': ([1, 3], {'kind': 'command/body/velocity', 'element_names': [['lin_vel_x', 'lin_vel_y', 'ang_vel_z']]}),
    'height': ([1, 2], {}),
}
WIDTHS = {name: shape[-1] for name, (shape, _) in INPUTS.items()}
MEMORY = {'h_state': [1, 1, UNITS], 'last_action': [1, 4]}


class Network(nn.Module):
    """Reads SI values, and returns targets of the joints in SI units; scales and offsets of training are inside."""

    def __init__(self):
        super().__init__()
        self.encode, self.gru, self.head = nn.Linear(23, 16), nn.GRU(16, UNITS), nn.Linear(UNITS, 4)
        self.register_buffer('pose', torch.tensor([ZERO_POSE]))

    def forward(self, *tensors):
        position, velocity, gyro, gravity, command, height, hidden, last = tensors
        x = torch.cat([position - self.pose, 0.05 * velocity, 0.25 * gyro, gravity, command, height, last], dim=-1)
        y, after = self.gru(nn.functional.elu(self.encode(x)).unsqueeze(0), hidden)
        action = self.head(y.squeeze(0))
        return self.pose + 0.25 * action, after, action, torch.full((1, 4), 20.0) + 0.0 * action


def network(seed=0):
    """Return a network with random weights, the same for the same seed."""
    torch.manual_seed(seed)
    return Network().eval()


def write_bundle(folder, seed=0):
    """Write walk.yaml, policy.onnx and the start values to a folder; return the YAML file's path and the network."""
    made = network(seed)
    memory = [torch.full(shape, START) for shape in MEMORY.values()]
    arguments = (*(torch.zeros(shape) for shape, _ in INPUTS.values()), *memory)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            made, arguments, str(folder / 'policy.onnx'), opset_version=20, dynamo=False,
            input_names=[*INPUTS, *(f'{name}_in' for name in MEMORY)],
            output_names=['targets', *(f'{name}_out' for name in MEMORY), 'kp'],
        )  # fmt: skip
    start = {f'policy/{name}_in': np.full(shape, START, np.float32) for name, shape in MEMORY.items()}
    save_file(start, str(folder / 'walk_initial_values.safetensors'))
    return save_yaml(folder, contents(folder)), made


def contents(folder):
    """Return the content of the YAML file for the model in a folder."""

    def tensor(name, shape, **more):
        return {'name': name, 'dtype': 'float32', 'shape': shape, 'type': 'tensor', **more}

    data = (folder / 'policy.onnx').read_bytes()
    content = {
        'models': {
            'policy': {
                'inputs': [
                    *(tensor(name, shape, **more) for name, (shape, more) in INPUTS.items()),
                    *(tensor(f'{name}_in', shape) for name, shape in MEMORY.items()),
                ],
                'outputs': [
                    tensor('targets', [1, 4], kind='target/joint/position', element_names=[JOINTS]),
                    *(tensor(f'{name}_out', shape) for name, shape in MEMORY.items()),
                    tensor('kp', [1, 4], kind='kp', element_names=[JOINTS]),
                ],
                'parameters': {
                    'model_path': 'policy.onnx',
                    'sha256sum': hashlib.sha256(data).hexdigest(),
                    'backend': 'onnx',
                    'opset_version': 20,
                },
            }
        },
        'pipeline': {
            'configs': {'frequency': 50},
            'data_flow': {},
            'feedback_flow': {f'policy/{name}_out': [f'policy/{name}_in'] for name in MEMORY},
            'initial_values': 'walk_initial_values.safetensors',
            'inputs': {'policy': list(INPUTS)},
            'outputs': {'policy': ['targets', 'kp']},
        },
        'system information': {'leapp version': '0.7.2', 'leapp config version': '1.3'},
    }
    return copy.deepcopy(content)  # tests change it


def save_yaml(folder, content):
    """Write the YAML file; return its path."""
    path = folder / 'walk.yaml'
    path.write_text(yaml.dump(content, sort_keys=True))
    return path


def describe(path, **changes):
    """Write the description beside a bundle: what it does not say itself."""
    said = {'default_positions': list(ZERO_POSE), 'actions': {'low': -3.0, 'high': 3.0, 'stiffness': 20.0}, **changes}
    path.with_suffix('.description.yaml').write_text(yaml.safe_dump(said))
    return path


class Reference:
    """Runs the network in torch, the memory kept between steps."""

    def __init__(self, made):
        self._network = made
        self.reset()

    def reset(self):
        self._memory = [torch.full(shape, START) for shape in MEMORY.values()]

    def step(self, observation):
        parts = torch.tensor(np.asarray(observation)[None], dtype=torch.float32).split(list(WIDTHS.values()), dim=1)
        with torch.no_grad():
            targets, *self._memory, _ = self._network(*parts, *self._memory)
        return targets[0].numpy().astype(float)
