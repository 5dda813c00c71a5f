"""Faults that the user can switch on: a tilted robot, a joint that is too fast, an observation far from training."""

from typing import Any

import numpy as np
import numpy.typing as npt

from velora_ros.control.controller_settings import Settings
from velora_ros.errors import ConfigError
from velora_ros.spec import PolicySpec

Array = npt.NDArray[np.float64]
Normalisation = tuple[npt.NDArray[Any], npt.NDArray[Any]]

GRAVITY_Z, VELOCITY = 'orientation.gravity.z', '/velocity'


class Latches:
    """
    Checks the observations of a policy that has a contract.

    Args:
        spec: the policy's specification.
        settings: the limits ``max_tilt``, ``max_joint_speed`` and ``max_deviation``; 0 switches a limit off.
        normalisation: mean and inverse deviation of each observation in training; None if not known.

    Raises:
        ConfigError: a limit is set that cannot be checked, so that it would never stop the robot.
    """

    def __init__(self, spec: PolicySpec, settings: Settings, normalisation: Normalisation | None = None) -> None:
        contract = spec.contract
        self._names = spec.observation_names
        fields = contract.fields if contract else ()
        self._scale = np.array(contract.scale if contract else 1.0)
        self._default = np.array(contract.default if contract else 0.0)
        self._down = next((i for i, field in enumerate(fields) if field.endswith(GRAVITY_Z)), None)
        self._speeds = [i for i, field in enumerate(fields) if field.endswith(VELOCITY)]
        self._tilt, self._speed = settings.max_tilt, settings.max_joint_speed
        self._deviation, self._usual = settings.max_deviation, normalisation
        self.on = bool(self._tilt or self._speed or self._deviation)
        """Whether any of the limits is switched on."""
        for name, limit, lacks in (
            ('max_tilt', self._tilt, 'reads no direction of gravity' if self._down is None else ''),
            ('max_joint_speed', self._speed, '' if self._speeds else 'reads no velocity of a joint'),
            ('max_deviation', self._deviation, 'has no statistics of its training' if normalisation is None else ''),
        ):
            why = lacks if contract else 'has no contract'
            if limit and why:
                raise ConfigError(
                    f"'{name}' is {limit:g}, but it would never stop the robot, because the policy {why}; omit it."
                )

    def judge(self, observation: Array) -> str:
        """Return the fault that an observation, shape (observation,), shows; '' if it shows none."""
        values = observation / self._scale + self._default
        if self._tilt and self._down is not None:
            tilt = float(np.arccos(np.clip(-values[self._down], -1, 1)))
            if tilt > self._tilt:
                return f'the robot is tilted by {tilt:.2f} rad, above max_tilt ({self._tilt:g} rad)'
        if self._speed and self._speeds:
            fastest = max(self._speeds, key=lambda i: abs(values[i]))
            if abs(values[fastest]) > self._speed:
                what = f"'{self._names[fastest]}' is {values[fastest]:.3g}"
                return f'{what}, above max_joint_speed ({self._speed:g})'
        if self._deviation and self._usual is not None:
            return self._strange(observation, *self._usual)
        return ''

    def _strange(self, observation: Array, mean: Array, inverse: Array) -> str:
        apart = np.abs((observation - mean) * inverse)
        strangest = int(apart.argmax())
        if apart[strangest] <= self._deviation:
            return ''
        return (
            f"'{self._names[strangest]}' is {apart[strangest]:.3g} standard deviations from its mean in training, "
            f'above max_deviation ({self._deviation:g})'
        )
