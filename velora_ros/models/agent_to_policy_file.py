"""Create the policy file from a trained actor."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from velora_ros.errors import ConfigError
from velora_ros.liquid import LiquidNetwork
from velora_ros.models.normaliser import Normaliser
from velora_ros.policy import PolicyFile
from velora_ros.policy.golden_trace import with_golden_trace
from velora_ros.policy.numpy_engine import CELLS
from velora_ros.spec import PolicySpec


def policy_file(
    actor: LiquidNetwork,
    normaliser: Normaliser,
    spec: PolicySpec,
    *,
    dt_range: tuple[float, float],
    environment: str | None,
    provenance: Mapping[str, Any],
    seed: int,
) -> PolicyFile:
    """
    Fold the masks into the weights and copy everything that a robot needs; add a golden trace.

    Args:
        actor: the trained network, or its average.
        normaliser: the normaliser of the observation.
        spec: names, units, bounds and nominal period.
        dt_range: shortest and longest elapsed time seen in training [s].
        environment: gymnasium id, if there is one.
        provenance: how the policy was trained.
        seed: seed with which the wiring was drawn.

    Raises:
        ConfigError: the runtime has no cell of the network's kind.
    """
    wiring = actor.wiring
    if wiring.cell not in CELLS:
        raise ConfigError(
            f"the policy cannot be exported: the runtime has no cell '{wiring.cell}'; it has {', '.join(CELLS)}. Add "
            'a step function for it to velora_ros.policy, or train without evaluations (eval_every=0).'
        )
    tensors = {
        'normalisation.offset': _array(normaliser.offset),
        'normalisation.scale': _array(normaliser.scale),
        'inter.weight': _array(actor.inter.weight * actor.inter.mask),
        'inter.bias': _array(actor.inter.bias),
        'command.weight': _array(actor.command.weight * actor.command.mask),
        'command.bias': _array(actor.command.bias),
        'motor.weight': _array(actor.motor.weight * actor.motor.mask),
        'motor.bias': _array(actor.motor.bias),
        'wiring.inter': wiring.inter.astype(np.uint8),
        'wiring.command': wiring.command.astype(np.uint8),
        'wiring.motor': wiring.motor.astype(np.uint8),
    }
    sizes = {
        'n_neurons': wiring.n_inter + wiring.n_command,
        'inter': wiring.n_inter,
        'command': wiring.n_command,
        'motor': wiring.n_motor,
        'sparsity': wiring.sparsity,
        'seed': seed,
        'cell': wiring.cell,
    }
    return with_golden_trace(PolicyFile(spec, tensors, sizes, dt_range, environment, provenance))


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().copy()


def default_spec(n_observations: int, n_actions: int) -> PolicySpec:
    """Return the default specification without an environment: numbered names, bounds [-1, 1], a period of 1 s."""
    return PolicySpec(
        observation_names=tuple(f'obs_{index}' for index in range(n_observations)),
        observation_units=('',) * n_observations,
        action_names=tuple(f'action_{index}' for index in range(n_actions)),
        action_units=('',) * n_actions,
        action_low=(-1.0,) * n_actions,
        action_high=(1.0,) * n_actions,
        control_period=1.0,
        control_period_assumed=True,
    )
