"""The wrapper for torch tensors instead of numpy arrays; importing this module imports torch."""

from typing import Any

from gymnasium.wrappers.numpy_to_torch import NumpyToTorch


class TorchTensors(NumpyToTorch):
    """gymnasium's ``NumpyToTorch``, but pictures stay numpy arrays, because torch refuses MuJoCo's flipped views."""

    def render(self) -> Any:
        """Return the frame as the environment drew it, shape (height, width, 3)."""
        return self.env.render()
