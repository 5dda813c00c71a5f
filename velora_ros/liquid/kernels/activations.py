"""tanh and the sigmoid from arithmetic alone, so that the compiler can vectorise loops over them."""

from typing import Any

import numpy as np

from velora_ros.liquid.kernels.compiler import kernel


@kernel
def tanh(x: Any) -> Any:
    """
    Return tanh x of a float32, without a call or a branch, so that the compiler can vectorise a loop over it.

    It evaluates Lambert's continued fraction p / q at x / 4, then applies tanh 2y = 2 tanh y / (1 + tanh^2 y) twice,
    with one division at the end. The error is at most 3e-7; for magnitudes of x above 9 the result is +-1 in float32.
    NaN stays NaN.
    """
    y = np.float32(0.25) * (np.float32(9.0) if x > np.float32(9.0) else np.float32(-9.0) if x < np.float32(-9.0) else x)
    s = y * y
    # The fraction's 7th convergent, y (135135 + 17325 s + 378 s^2 + s^3) / (135135 + 62370 s + 3150 s^2 + 28 s^3).
    p = y * (
        np.float32(1.0) + s * (np.float32(17325 / 135135) + s * (np.float32(378 / 135135) + s * np.float32(1 / 135135)))
    )
    q = np.float32(1.0) + s * (
        np.float32(62370 / 135135) + s * (np.float32(3150 / 135135) + s * np.float32(28 / 135135))
    )
    p, q = np.float32(2.0) * p * q, q * q + p * p
    return np.float32(2.0) * p * q / (q * q + p * p)


@kernel
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)) of a float32."""
    return np.float32(0.5) + np.float32(0.5) * tanh(np.float32(0.5) * x)
