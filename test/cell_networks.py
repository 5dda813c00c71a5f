"""Networks with the cells that the liquid one is compared with."""

import numpy as np
import torch

from velora_ros.liquid import LiquidNetwork, Wiring

CONTROLS = ['gru', 'mlp']


def network(cell: str, n_neurons: int = 20) -> LiquidNetwork:
    wiring = Wiring.random(4, n_neurons, 2, rng=np.random.default_rng(3), cell=cell)
    made = LiquidNetwork(wiring, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith('bias'):
                parameter.normal_(generator=torch.Generator().manual_seed(5))
    return made
