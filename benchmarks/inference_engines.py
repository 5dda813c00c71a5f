"""One step of a recurrent policy from Python, for each engine: observation in, action out, hidden state kept."""

import contextlib
import io
import os
import warnings
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch
from ncps.torch import CfC
from ncps.wirings import AutoNCP
from torch import Tensor, nn
from torch.nn import functional

from velora_ros.liquid import LiquidNetwork, Wiring
from velora_ros.models.agent_to_policy_file import policy_file
from velora_ros.models.normaliser import Normaliser
from velora_ros.policy import Policy, PolicyFile
from velora_ros.spec import PolicySpec

OBSERVATIONS, ACTIONS, PERIOD = 4, 1, 0.04
Step = Callable[[np.ndarray], np.ndarray | Tensor]


def random_policy(n_neurons: int) -> tuple[LiquidNetwork, PolicyFile]:
    """Return a network with random weights, and the policy file made from it."""
    wiring = Wiring.random(OBSERVATIONS, n_neurons, ACTIONS, rng=np.random.default_rng(0))
    actor = LiquidNetwork(wiring, generator=torch.Generator().manual_seed(0))
    spec = PolicySpec(
        observation_names=tuple(f'obs_{i}' for i in range(OBSERVATIONS)),
        observation_units=('',) * OBSERVATIONS,
        action_names=('action_0',),
        action_units=('',),
        action_low=(-1.0,),
        action_high=(1.0,),
        control_period=PERIOD,
    )
    dt_range = (0.1 * PERIOD, 2 * PERIOD)
    normaliser = Normaliser(OBSERVATIONS)
    return actor, policy_file(actor, normaliser, spec, dt_range=dt_range, environment=None, provenance={}, seed=0)


class Folded(nn.Module):
    """The network for inference in torch: masks multiplied into the weights once, one product for the four gates."""

    def __init__(self, actor: LiquidNetwork) -> None:
        super().__init__()
        for layer in ('inter', 'command', 'motor'):
            module = getattr(actor, layer)
            self.register_buffer(f'{layer}_weight', (module.weight * module.mask).detach())
            self.register_buffer(f'{layer}_bias', module.bias.detach().clone())

    def forward(self, observation: Tensor, hidden: Tensor, ratio: Tensor) -> tuple[Tensor, Tensor]:
        """Map (1, S), (1, H) and dt/T of shape (1, 1) to action (1, A) and next hidden state (1, H)."""
        u = functional.mish(functional.linear(observation, self.inter_weight, self.inter_bias))
        z = functional.linear(torch.cat([u, hidden], dim=1), self.command_weight, self.command_bias)
        z_g, z_k, z_a, z_b = z.chunk(4, dim=1)
        s = torch.sigmoid(z_a * ratio + z_b)
        h = (1 - s) * torch.tanh(z_g) + s * torch.tanh(z_k)
        return torch.tanh(functional.linear(h, self.motor_weight, self.motor_bias)), h


def ours(file: PolicyFile, engine: str) -> Step:
    """Return a step as in policy_node, with the elapsed time."""
    policy = Policy(file, engine=engine)
    policy.warm_up()
    return lambda observation: policy.step(observation, PERIOD)


def torch_engine(module: Callable[..., tuple[Tensor, Tensor]], n_hidden: int) -> Step:
    """Return a step of an eager or compiled torch module."""
    hidden, ratio = torch.zeros(1, n_hidden), torch.ones(1, 1)

    @torch.inference_mode()
    def step(observation: np.ndarray) -> np.ndarray:
        nonlocal hidden
        action, hidden = module(torch.as_tensor(observation, dtype=torch.float32)[None], hidden, ratio)
        return action[0].numpy()

    return step


def jit(folded: Folded, n_hidden: int) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return the module traced and frozen by torch.jit, after its profiling runs."""
    inputs = (torch.zeros(1, OBSERVATIONS), torch.zeros(1, n_hidden), torch.ones(1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # torch.jit warns that it is deprecated
        module = torch.jit.freeze(torch.jit.trace(folded.eval(), inputs))
    with torch.inference_mode():
        for _ in range(10):
            module(*inputs)
    return module


def onnx(folded: Folded, n_hidden: int) -> Step:
    """Return a step of ONNX Runtime on bound memory: it allocates nothing, and the hidden state has two buffers."""
    session = onnxruntime.InferenceSession(_onnx_model(folded, n_hidden), _onnx_options(), ['CPUExecutionProvider'])
    value = onnxruntime.OrtValue.ortvalue_from_numpy
    observation, ratio = value(np.zeros((1, OBSERVATIONS), np.float32)), value(np.ones((1, 1), np.float32))
    action, states = (
        value(np.zeros((1, ACTIONS), np.float32)),
        [value(np.zeros((1, n_hidden), np.float32)) for _ in '01'],
    )
    bindings = []
    for old, new in (states, states[::-1]):
        binding = session.io_binding()
        for name, bound in (('observation', observation), ('hidden', old), ('ratio', ratio)):
            binding.bind_ortvalue_input(name, bound)
        for name, bound in (('action', action), ('next_hidden', new)):
            binding.bind_ortvalue_output(name, bound)
        bindings.append(binding)
    turn = 0

    def step(values: np.ndarray) -> np.ndarray:
        nonlocal turn
        observation.update_inplace(values.astype(np.float32)[None])
        session.run_with_iobinding(bindings[turn])
        turn = 1 - turn
        return action.numpy()[0]

    return step


def _onnx_model(folded: Folded, n_hidden: int) -> bytes:
    inputs = (torch.zeros(1, OBSERVATIONS), torch.zeros(1, n_hidden), torch.ones(1, 1))
    file = io.BytesIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')  # the exporter that needs no further package is the deprecated one
        torch.onnx.export(
            folded,
            inputs,
            file,
            input_names=['observation', 'hidden', 'ratio'],
            output_names=['action', 'next_hidden'],
            opset_version=18,
            dynamo=False,
        )
    return file.getvalue()


def _onnx_options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return options


def velora(n_neurons: int, **keywords: float) -> Step:
    """Return ``predict`` of velora's own agent of this size, as a tensor; without keywords it adds noise."""
    os.environ['VELORA_TEST_MODE'] = '1'  # its metrics stay in memory
    from velora.models import LiquidDDPG  # noqa: PLC0415 - the variable is read at import

    agent, hidden = LiquidDDPG(OBSERVATIONS, n_neurons, ACTIONS), None

    def step(observation: np.ndarray) -> Tensor:
        nonlocal hidden
        action, hidden = agent.predict(torch.as_tensor(observation, dtype=torch.float32), hidden, **keywords)
        return action

    return step


def ncps(n_neurons: int) -> Step:
    """Return a step of the wired CfC of ncps with the same numbers of inter and command neurons."""
    network, hidden = CfC(OBSERVATIONS, AutoNCP(n_neurons + ACTIONS, ACTIONS)).eval(), None

    @torch.inference_mode()
    def step(observation: np.ndarray) -> np.ndarray:
        nonlocal hidden
        action, hidden = network(torch.as_tensor(observation, dtype=torch.float32)[None, None], hidden)
        return action[0, 0].numpy()

    return step


def engines(n_neurons: int) -> dict[str, Step]:
    """Return a step of every engine; the first five run the very same network."""
    actor, file = random_policy(n_neurons)
    folded, n_hidden = Folded(actor), actor.hidden_size
    return {
        'ours': ours(file, 'numba'),
        'ours_numpy': ours(file, 'numpy'),
        'onnxruntime': onnx(folded, n_hidden),
        'torch': torch_engine(folded, n_hidden),
        'torch_jit': torch_engine(jit(folded, n_hidden), n_hidden),
        'velora': velora(n_neurons, noise_scale=0.0),
        'velora_noisy': velora(n_neurons),
        'ncps': ncps(n_neurons),
    }
