"""Adam on flat arrays whose memory torch's parameters and optimiser share."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from velora_ros.errors import ConfigError
from velora_ros.liquid.kernels.compiler import kernel

Array = npt.NDArray[np.float32]


class FlatParameters:
    """
    A module's parameters in one flat array, with a view of each; torch's parameters use the same memory.

    The parameters get new memory: a tensor that shares the old memory (an earlier ``parameter.data``) no longer changes
    with the parameter. Weights that are written in place, for example by ``load_state_dict``, take effect at once.
    Weights that replace the memory (``parameter.data = ...``, ``module.double().float()``) take effect after
    :meth:`attach`.
    """

    def __init__(self, module: nn.Module) -> None:
        named = list(module.named_parameters())
        self.parameters = [parameter for _, parameter in named]
        self.slices, start = [], 0
        for parameter in self.parameters:
            self.slices.append(slice(start, start + parameter.numel()))
            start += parameter.numel()
        self.values, self.flat_gradient = np.empty(start, np.float32), np.zeros(start, np.float32)
        self.views, self.gradients = {}, {}
        for (name, parameter), part in zip(named, self.slices, strict=True):
            view = self.values[part].reshape(tuple(parameter.shape))
            view[...] = parameter.detach().numpy()
            parameter.data = torch.from_numpy(view)
            self.views[name] = view
            self.gradients[name] = self.flat_gradient[part].reshape(view.shape)
        self._places = list(_places(module))
        self._addresses = [view.ctypes.data for view in self.views.values()]

    def attach(self) -> None:
        """
        Copy the values of parameters whose memory was replaced, and make these parameters use the flat array again.

        Raises:
            ConfigError: a parameter is another object, or of another shape, type or device.
        """
        for index, ((names, name), parameter) in enumerate(zip(self._places, self.parameters, strict=True)):
            if names[name] is not parameter or parameter.data_ptr() != self._addresses[index]:
                self._take_over(index, names[name])

    def _take_over(self, index: int, now: torch.Tensor | None) -> None:
        """Copy the values of one parameter; ``now`` is the object that the network has under its name."""
        (name, view), parameter = list(self.views.items())[index], self.parameters[index]
        if now is not parameter:
            raise ConfigError(
                f'the network parameter {name} was replaced by another object that the optimiser does not update; '
                'change it in place (parameter.data.copy_(values), load_state_dict).'
            )
        values = parameter.detach()
        if (tuple(values.shape), values.dtype, values.device.type) != (view.shape, torch.float32, 'cpu'):
            raise ConfigError(
                f'the network parameter {name} is now {values.dtype} of shape {tuple(values.shape)} on '
                f'{values.device}; this agent learns in torch.float32 of shape {view.shape} on cpu. Make an agent '
                'for the device or sizes that you need.'
            )
        view[...] = values.numpy()
        parameter.data = torch.from_numpy(view)

    def gradient_norm(self) -> float:
        """Return the Euclidean norm of the gradient."""
        return float(np.sqrt(np.dot(self.flat_gradient, self.flat_gradient)))

    def part(self, module: str) -> dict[str, Array]:
        """Return the views of a submodule's parameters, by the names that they have in the submodule."""
        return _part(self.views, module)

    def gradient_part(self, module: str) -> dict[str, Array]:
        """Return the gradients of a submodule's parameters, by the names that they have in the submodule."""
        return _part(self.gradients, module)


def _places(module: nn.Module) -> Iterator[tuple[dict[str, torch.Tensor | None], str]]:
    """Yield where each parameter is stored, in order; searching the modules at every call would take long."""
    for part in module.modules():
        names: Any = part._parameters
        yield from ((names, name) for name, parameter in names.items() if parameter is not None)


def _part(views: Mapping[str, Array], module: str) -> dict[str, Array]:
    prefix = f'{module}.'
    return {name.removeprefix(prefix): view for name, view in views.items() if name.startswith(prefix)}


class FlatAdam:
    """
    Adam (arXiv 1412.6980) as torch computes it, on flat arrays that are also the torch optimiser's state.

    Args:
        optimizer: plain Adam over the parameters.
        flat: the parameters.
    """

    def __init__(self, optimizer: torch.optim.Adam, flat: FlatParameters) -> None:
        self.optimizer, self.flat = optimizer, flat
        self.mean, self.square = np.zeros_like(flat.values), np.zeros_like(flat.values)
        self._count = np.zeros(1, np.float32)
        self.count = torch.from_numpy(self._count)[0]
        self.bind()

    def bind(self) -> None:
        """Copy the optimiser's state, if it has any, and make the optimiser use these arrays."""
        state = self.optimizer.state
        for parameter, part in zip(self.flat.parameters, self.flat.slices, strict=True):
            mean, square = (torch.from_numpy(array[part]).view(parameter.shape) for array in (self.mean, self.square))
            if parameter in state:
                mean.copy_(state[parameter]['exp_avg'])
                square.copy_(state[parameter]['exp_avg_sq'])
                self.count.copy_(state[parameter]['step'])
            state[parameter] = {'step': self.count, 'exp_avg': mean, 'exp_avg_sq': square}
        self._parts = self._parts_of_groups()

    def _parts_of_groups(self) -> list[list[slice]]:
        """Return each parameter group's slices; a single group has one slice."""
        groups = self.optimizer.param_groups
        if len(groups) == 1:
            return [[slice(0, self.flat.values.size)]]
        places = {id(one): part for one, part in zip(self.flat.parameters, self.flat.slices, strict=True)}
        return [[places[id(parameter)] for parameter in group['params']] for group in groups]

    def step(self, max_grad_norm: float) -> None:
        """Take one step along the flat gradient, scaled down to ``max_grad_norm`` if this is above 0."""
        gradient = self.flat.flat_gradient
        if max_grad_norm > 0:
            gradient *= np.float32(min(1.0, max_grad_norm / (float(np.sqrt(np.dot(gradient, gradient))) + 1e-6)))
        self._count[0] += 1
        for group, parts in zip(self.optimizer.param_groups, self._parts, strict=True):
            count, (beta1, beta2) = int(self._count[0]), group['betas']
            rate, root = group['lr'] / (1 - beta1**count), (1 - beta2**count) ** 0.5
            for part in parts:
                arrays = (array[part] for array in (self.flat.values, gradient, self.mean, self.square))
                adam(*arrays, rate, beta1, beta2, root, group['eps'])


@kernel
def adam(  # noqa: PLR0917 - numba's dispatcher is fastest with positions
    values: Array, gradient: Array, mean: Array, square: Array,
    rate: float, beta1: float, beta2: float, root: float, epsilon: float,
) -> None:  # fmt: skip
    """Take Adam's step n, with ``rate`` = lr / (1 - beta1^n) and ``root`` = sqrt(1 - beta2^n)."""
    one, rate32 = np.float32(1.0), np.float32(rate)
    keep1, keep2 = np.float32(beta1), np.float32(beta2)
    root32, epsilon32 = np.float32(root), np.float32(epsilon)
    odd = values.size - values.size % 4 if values.size % 2 else 0
    before = values[odd]
    for i in range(values.size):
        g = gradient[i]
        m, s = keep1 * mean[i] + (one - keep1) * g, keep2 * square[i] + (one - keep2) * g * g
        mean[i], square[i] = m, s
        values[i] -= rate32 * m / (np.sqrt(s) / root32 + epsilon32)
    if values.size % 2:
        # The loop multiplies by 1 / root. In earlier versions, the compiler divided for the one element that is left
        # over after whole vectors and pairs; this does the same, so that their runs continue bit for bit.
        values[odd] = before - rate32 * mean[odd] / (np.sqrt(square[odd]) / root32 + epsilon32)
