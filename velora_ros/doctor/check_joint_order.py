"""Checks the order, signs and units of joints: the user moves a joint by hand in a stated direction."""

from collections.abc import Mapping, Sequence

import numpy as np

from velora_ros.doctor.check_joints import DEGREES
from velora_ros.doctor.findings import Finding
from velora_ros.doctor.samples import Array, ExpectedJoint

AMOUNT = 0.2
"""Distance by which the joint should be moved [rad or m]."""
# A joint has moved if its position changed by more than this share of the requested distance.
MOVED = 0.4
# Time over which positions are averaged before and after the move [s].
REST_S = 0.4
# A joint stands still if its position varies by less than this share of the requested distance within REST_S.
STILL = 0.1


class MoveWatch:
    """
    Watches joint positions until one of them has moved and stands still again.

    Args:
        names: the joints.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._times: list[float] = []
        self._rows: list[Array] = []
        self._before: Array | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the positions before the move are known."""
        return self._before is not None

    def add(self, time: float, positions: Mapping[str, float]) -> Array | None:
        """
        Add a joint state, and return the distances that the joints have moved when a move is over.

        Args:
            time: when the state was received [s].
            positions: the positions by name [rad or m]; a joint that is missing keeps its last position.

        Returns:
            The distance of each joint, shape (joint,) [rad or m]; None until a joint has moved and all stand still.
        """
        last = self._rows[-1] if self._rows else np.full(len(self.names), np.nan)
        row = np.array([positions.get(name, before) for name, before in zip(self.names, last, strict=True)])
        self._times.append(time)
        self._rows.append(row)
        recent = [r for t, r in zip(self._times, self._rows, strict=True) if t > time - REST_S]
        if time - self._times[0] < REST_S or len(recent) < 3 or np.isnan(recent).any():
            return None
        rest: Array = np.median(recent, axis=0)
        if self._before is None:
            self._before = rest
            return None
        moved: Array = rest - self._before
        is_still = np.ptp(np.array(recent), axis=0).max() < STILL * max(AMOUNT, float(np.abs(moved).max()))
        return moved if is_still and np.abs(moved).max() > MOVED * AMOUNT else None


def judge_move(asked: ExpectedJoint, names: Sequence[str], moved: Array) -> Finding:
    """
    Check a move of one joint by about :data:`AMOUNT` in its positive direction.

    Args:
        asked: the joint that the user was asked to move.
        names: the joints that were watched.
        moved: the distance that each joint moved, shape (joint,) [rad or m].
    """
    most = int(np.abs(moved).argmax())
    other, distance = names[most], float(moved[most])
    own = float(moved[list(names).index(asked.name)]) if asked.name in names else 0.0
    if other != asked.name and abs(own) < 0.5 * abs(distance):
        text = (
            f"'{asked.name}' was moved, but '{other}' changed by {distance:.3g}: the joints are swapped. Correct the "
            'order of names in the driver, or swap them in observation.fields and command.fields.'
        )
        return Finding('mend', 'order', asked.name, text)
    if asked.is_revolute and abs(own) > 0.3 * AMOUNT * DEGREES:
        text = (
            f'it was moved by about {AMOUNT} rad, and its position changed by {own:.3g}: the position is in degrees; '
            'publish radians.'
        )
        return Finding('mend', 'unit', asked.name, text)
    if own * asked.sign < 0:
        text = (
            f'it was moved in its positive direction, but its position changed by {own:.3g}: the sign is wrong. '
            'Correct the driver, or multiply observation.scale and command.scale of this joint by -1.'
        )
        return Finding('mend', 'sign', asked.name, text)
    return Finding('ok', 'order', asked.name, f'it was moved, and its position changed by {own:.3g}')
