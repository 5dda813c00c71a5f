"""Torch tensors in and out of an environment; importing this imports torch."""

from typing import Any

from gymnasium.wrappers.numpy_to_torch import NumpyToTorch


class TorchTensors(NumpyToTorch):
    """gymnasium's ``NumpyToTorch``, but pictures stay numpy: MuJoCo's are flipped views, which torch refuses."""

    def render(self) -> Any:
        """Return the frame as the environment drew it, shape (height, width, 3)."""
        return self.env.render()
