"""A gated recurrent unit (arXiv 1406.1078), for comparison with the liquid cell."""

import torch
from torch import Tensor
from torch.nn import functional

from velora_ros.liquid.elapsed_input_cell import ElapsedInputCell

GATES = 3  # r, z, n: the order of the rows in the stacked weight


class GRUCell(ElapsedInputCell):
    """
    A GRU that reads the elapsed time as an input, tau = dt/T - 1.

    The equations are arranged as in cuDNN and ``torch.nn.GRUCell``, but with a single bias for each gate::

        r = sigmoid(W_r [u; tau] + U_r h + b_r)        z = sigmoid(W_z [u; tau] + U_z h + b_z)
        n = tanh(W_n [u; tau] + b_n + r * U_n h)       h' = (1 - z) * n + z * h
    """

    gates = GATES

    def sequence(self, inputs: Tensor, hidden: Tensor, dt: Tensor, first: Tensor | None = None) -> Tensor:
        """Run a sequence: from u (B, L, input), h (B, hidden) and dt/T (B, L) to h' after each step (B, L, hidden)."""
        weight = self.weight * self.mask
        from_input, from_hidden = weight[:, : self.input_size + 1], weight[:, self.input_size + 1 :]
        pre = functional.linear(torch.cat([inputs, dt[..., None] - 1], dim=-1), from_input, self.bias)
        states = []
        for step in range(inputs.shape[1]):
            if first is not None:
                hidden = hidden * (1 - first[:, step, None])
            hidden = self._blend(pre[:, step], functional.linear(hidden, from_hidden), hidden)
            states.append(hidden)
        return torch.stack(states, dim=1)

    @staticmethod
    def _blend(pre: Tensor, recurrent: Tensor, hidden: Tensor) -> Tensor:
        pre_r, pre_z, pre_n = pre.chunk(GATES, dim=-1)
        from_r, from_z, from_n = recurrent.chunk(GATES, dim=-1)
        r, z = torch.sigmoid(pre_r + from_r), torch.sigmoid(pre_z + from_z)
        return (1 - z) * torch.tanh(pre_n + r * from_n) + z * hidden
