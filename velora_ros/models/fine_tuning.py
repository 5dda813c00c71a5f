"""Fine-tuning: the initial networks of a training that begins from a file."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from velora_ros.errors import PolicyFileError
from velora_ros.liquid import Wiring
from velora_ros.models.actor_and_critics import Networks
from velora_ros.training.runs.start_from_file import StartFile

LAYERS = ('inter', 'command', 'motor')


@dataclass(frozen=True)
class Start:
    """
    The initial networks of a training, read from a file.

    Args:
        file: the file.
        wiring: the wiring of the file's actor.
        networks: state of all networks if the file is a saved agent; None if it is a policy.
        privileged_dim: entries of the privileged state that the file's critic reads; 0: it reads the observation.
    """

    file: StartFile
    wiring: Wiring
    networks: Mapping[str, Tensor] | None = None
    privileged_dim: int = 0

    @property
    def has_critic(self) -> bool:
        """Whether the file has a critic too."""
        return self.networks is not None

    @torch.no_grad()
    def put_into(self, networks: Networks, *, privileged: bool) -> None:
        """
        Copy everything into networks of the same sizes, in place.

        Args:
            networks: the networks to overwrite.
            privileged: whether their critics read a privileged state.

        Raises:
            PolicyFileError: the sizes differ, so the file is damaged.
        """
        try:
            if self.networks is not None:
                self._put_agent(self.networks, networks)
            else:
                self._put_policy(networks, privileged=privileged)
        except (RuntimeError, KeyError) as error:
            reason = ' '.join(str(error).split())
            raise PolicyFileError(f"'{self.file.path}' is damaged: {reason}. Load another copy of it.") from error

    @staticmethod
    def _put_agent(state: Mapping[str, Tensor], networks: Networks) -> None:
        average = 'actor_average.'
        own = {name: value for name, value in state.items() if not name.startswith(average)}
        deployed = {name.removeprefix(average): value for name, value in state.items() if name.startswith(average)}
        networks.load_state_dict(own, strict=False)
        if networks.actor_average is not None:
            networks.actor_average.load_state_dict(deployed or networks.actor.state_dict())

    def _put_policy(self, networks: Networks, *, privileged: bool) -> None:
        policy = self.file.policy
        assert policy is not None
        actors = [networks.actor, networks.actor_target]
        for actor in actors if networks.actor_average is None else [*actors, networks.actor_average]:
            for layer in LAYERS:
                module = getattr(actor, layer)
                module.weight.copy_(torch.from_numpy(policy.tensors[f'{layer}.weight'].copy()))
                module.bias.copy_(torch.from_numpy(policy.tensors[f'{layer}.bias'].copy()))
        for normaliser in (networks.observation_normaliser, *([] if privileged else [networks.state_normaliser])):
            normaliser.offset.copy_(torch.from_numpy(policy.tensors['normalisation.offset'].copy()))
            normaliser.scale.copy_(torch.from_numpy(policy.tensors['normalisation.scale'].copy()))


def wiring_of(file: StartFile) -> Wiring:
    """Return the wiring of a policy's actor."""
    assert file.policy is not None
    masks = {layer: np.asarray(file.policy.tensors[f'wiring.{layer}'], dtype=np.bool_) for layer in LAYERS}
    return Wiring(**masks, sparsity=float(file.fixed['sparsity']), cell=str(file.fixed['cell']))
