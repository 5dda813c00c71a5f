"""Policies as other libraries export them: mjlab's metadata, rsl_rl's recurrent networks, with small random weights."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import yaml
from torch import nn

JOINTS = tuple(f'{leg}_{part}_joint' for leg in ('FR', 'FL', 'RR', 'RL') for part in ('hip', 'thigh', 'calf'))
DEFAULTS = (0.1, 0.9, -1.8, -0.1, 0.9, -1.8, 0.1, 0.9, -1.8, -0.1, 0.9, -1.8)
SCALE = (0.373, 0.373, 0.249) * 4
LOW = (-0.863, -0.686, -2.818) * 4
HIGH = (0.863, 4.501, -0.888) * 4
TERMS = ('base_lin_vel', 'base_ang_vel', 'projected_gravity', 'joint_pos', 'joint_vel', 'actions', 'command')
WIDTHS = (3, 3, 3, 12, 12, 12, 3)
PERIOD = 0.02


class Actor(nn.Module):
    """A normaliser and a network of two layers, behind an LSTM or GRU if asked, as rsl_rl exports them."""

    def __init__(self, n_observations, n_actions, cell='', hidden=16, layers=1):
        super().__init__()
        self.mean, self.std = torch.randn(n_observations) * 0.1, torch.rand(n_observations) + 0.5
        width = hidden if cell else n_observations
        self.rnn = {'lstm': nn.LSTM, 'gru': nn.GRU}[cell](n_observations, hidden, layers) if cell else None
        self.mlp = nn.Sequential(nn.Linear(width, 32), nn.ELU(), nn.Linear(32, n_actions))

    def forward(self, obs, *states):
        x = (obs - self.mean) / self.std
        if self.rnn is None:
            return self.mlp(x)
        x, after = self.rnn(x.unsqueeze(0), states if len(states) > 1 else states[0])
        return self.mlp(x.squeeze(0)), *(after if len(states) > 1 else [after])

    def zeros(self):
        """The states at the start of an episode."""
        if self.rnn is None:
            return ()
        one = torch.zeros(self.rnn.num_layers, 1, self.rnn.hidden_size)
        return (one, one.clone()) if isinstance(self.rnn, nn.LSTM) else (one,)


def actor(n_observations=48, n_actions=12, cell='', seed=0, **options):
    """Return an actor with random weights, the same for the same seed."""
    torch.manual_seed(seed)
    return Actor(n_observations, n_actions, cell, **options).eval()


def export(network, path, inputs=(), outputs=()):
    """Export an actor with torch's exporter, with rsl_rl's names if none are given."""
    names = [(), ('h',), ('h', 'c')][len(network.zeros())]
    obs = torch.zeros(1, len(network.mean))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            network, (obs, *network.zeros()), str(path), opset_version=18, dynamo=False,
            input_names=list(inputs) or ['obs', *(f'{one}_in' for one in names)],
            output_names=list(outputs) or ['actions', *(f'{one}_out' for one in names)],
        )  # fmt: skip
    return Path(path)


def attach(path, metadata):
    """Attach metadata as mjlab does: lists separated by commas, numbers with three digits."""
    model = onnx.load(str(path))
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, _text(value)
    onnx.save(model, str(path))


def _text(value):
    if not isinstance(value, list | tuple):
        return str(value)
    return ','.join(f'{one:.3f}' if isinstance(one, float) else str(one) for one in value)


def mjlab_metadata(**changes):
    """Return the metadata of mjlab's velocity task for a Go1."""
    return {
        'run_path': 'local',
        'joint_names': JOINTS,
        'joint_stiffness': (35.0, 35.0, 45.0) * 4,
        'joint_damping': (0.7, 0.7, 0.9) * 4,
        'default_joint_pos': DEFAULTS,
        'command_names': ['twist'],
        'observation_names': TERMS,
        'action_scale': SCALE,
        **changes,
    }


def description(**changes):
    """Return the description that mjlab's metadata still need: period, limits and scales."""
    return {
        'period': PERIOD,
        'observations': [{'term': term, 'scale': 1.0} for term in TERMS],
        'actions': {'low': list(LOW), 'high': list(HIGH)},
        **changes,
    }


def mjlab_policy(folder, name='walk', cell='', **changes):
    """Write walk.onnx with mjlab's metadata and walk.yaml; return the path of the model and the torch network."""
    network = actor(cell=cell)
    path = export(network, Path(folder) / f'{name}.onnx')
    attach(path, mjlab_metadata())
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description(**changes)))
    return path, network


class Reference:
    """Runs an actor in torch, the states kept between steps."""

    def __init__(self, network):
        self._network = network
        self.reset()

    def reset(self):
        self._states = self._network.zeros()

    def step(self, observation):
        with torch.no_grad():
            found = self._network(torch.tensor(np.asarray(observation)[None], dtype=torch.float32), *self._states)
        if not self._states:
            return found[0].numpy().astype(float)
        action, *self._states = found
        return action[0].numpy().astype(float)
