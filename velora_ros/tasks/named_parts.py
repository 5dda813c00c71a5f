"""Named parts of many simulations, as in MjData but with a leading axis: ``sim.body('trunk').xpos`` is (n, 3)."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt
from mujoco.batch import Batch

Array = npt.NDArray[np.float64]


class View:
    """
    One object of the model in all simulations; arrays of its data are live, of shape (n, ...).

    It has the attributes of ``batch.body(name)`` and similar methods; arrays of MjData are looked up once.
    """

    def __init__(self, named: Any, data: Any) -> None:
        object.__setattr__(self, '_named', named)
        object.__setattr__(self, '_data', data)

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(object.__getattribute__(self, '_named'), attribute)
        if hasattr(object.__getattribute__(self, '_data'), attribute):
            object.__setattr__(self, attribute, value)  # a live array, unlike an attribute of the model
        return value

    def __setattr__(self, attribute: str, value: Any) -> None:
        setattr(self._named, attribute, value)


class Joints:
    """
    Several joints with one axis in all simulations.

    Args:
        batch: the simulations.
        names: names of the joints.
    """

    def __init__(self, batch: Batch, names: Sequence[str]) -> None:
        model = batch.model
        self.names = tuple(names)
        self.ids = np.array([model.joint(name).id for name in names], np.intp)
        self.hinges = model.jnt_type[self.ids] == int(mujoco.mjtJoint.mjJNT_HINGE)
        self._batch = batch
        self._q, self._v = index(model.jnt_qposadr[self.ids]), index(model.jnt_dofadr[self.ids])
        self.places = model.jnt_qposadr[self.ids].astype(np.intp)
        self.dofs = model.jnt_dofadr[self.ids].astype(np.intp)
        limited = model.jnt_limited[self.ids].astype(bool)
        self.low = np.where(limited, model.jnt_range[self.ids, 0], -np.inf)
        self.high = np.where(limited, model.jnt_range[self.ids, 1], np.inf)

    @cached_property
    def _qpos(self) -> Array:
        return bound(self._batch, 'qpos')

    @cached_property
    def _qvel(self) -> Array:
        return bound(self._batch, 'qvel')

    @cached_property
    def _effort(self) -> Array:
        return bound(self._batch, 'qfrc_actuator')

    @property
    def position(self) -> Array:
        """Positions, shape (n, joints) [rad or m]."""
        return self._qpos[:, self._q]

    @property
    def velocity(self) -> Array:
        """Velocities, shape (n, joints) [rad/s or m/s]."""
        return self._qvel[:, self._v]

    @property
    def effort(self) -> Array:
        """Torques or forces of the actuators, shape (n, joints) [N*m or N]; one physics step older than the state."""
        return self._effort[:, self._v]


def bound(batch: Batch, field: str) -> Array:
    """Return the live array of a field of MjData, shape (n, ...)."""
    found: Array = batch.bind(field)
    return found


def index(places: npt.ArrayLike) -> Any:
    """Return a slice for consecutive indices, because it gives a view and not a copy; otherwise return the indices."""
    found = np.asarray(places, np.intp)
    if len(found) and (np.diff(found) == 1).all():
        return slice(int(found[0]), int(found[-1]) + 1)
    return found
