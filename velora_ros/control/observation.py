"""From what a robot says to what the policy reads: joints merged by name, or a vector checked for its length."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from velora_ros.errors import ConfigError, ObservationError, did_you_mean

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

INTERFACES = ('position', 'velocity', 'effort')
NANOSECONDS = 1_000_000_000


def joint_signal(name: str) -> tuple[str, str] | None:
    """Return (joint, interface) of a name such as ``hinge/position``, or None when it is no joint signal."""
    joint, slash, interface = name.rpartition('/')
    return (joint, interface) if slash and joint and interface in INTERFACES else None


def reads_joints(names: Sequence[str]) -> bool:
    """Whether every name is a joint signal, so that joint states can carry the whole observation."""
    return all(joint_signal(name) for name in names)


def joint_fields(names: Sequence[str], fields: Sequence[str]) -> list[str]:
    """
    Return the joint signals to read, in the policy's order.

    Args:
        names: the policy's observation names.
        fields: ``joints:<joint>/<interface>`` for each of them, for a robot whose joints are named otherwise;
            empty takes the policy's own names. (Further sources will have further prefixes.)

    Raises:
        ConfigError: the number differs, or a field is no joint signal; the message lists what would fit.
    """
    if not fields:
        return list(names)
    if len(fields) != len(names):
        raise ConfigError(
            f"'observation.fields' has {len(fields)} entries and the policy reads {len(names)}: "
            f'{", ".join(names)}. Give one field for each, in this order.'
        )
    return [_joint_field(field) for field in fields]


def _joint_field(field: str) -> str:
    source, _, name = field.rpartition(':')
    signal = joint_signal(name)
    if source == 'joints' and signal:
        return name
    interface = name.rpartition('/')[2]
    raise ConfigError(
        f"'observation.fields' contains '{field}'; a field is joints:<joint>/<interface> with one of the "
        f'interfaces.{did_you_mean(interface, INTERFACES)}'
    )


def check_vector(values: Array, names: Sequence[str]) -> Array:
    """
    Return a received vector as it is.

    Raises:
        ObservationError: its length is not the policy's.
    """
    if len(values) != len(names):
        raise ObservationError(
            f'the observation has {len(values)} values and the policy reads {len(names)}: {", ".join(names)}; '
            'publish these, in this order.'
        )
    return values


class JointObservation:
    """
    The newest value of every joint signal that the policy reads, merged from full and partial joint states.

    A message that carries the policy's first signal triggers a tick; others contribute their newest values.

    Args:
        names: joint signals in the policy's order, e.g. ``hinge/position``.
        max_age: how much older or newer than the trigger a value may be [s]; ``inf`` for no limit.
    """

    def __init__(self, names: Sequence[str], max_age: float) -> None:
        self.max_age = max_age
        self._names = list(names)
        self._values = np.zeros(len(names))
        self._stamps = np.zeros(len(names), dtype=np.int64)
        self._seen = np.zeros(len(names), dtype=bool)
        self._newest_is_whole = False
        self._layout: tuple[list[str], tuple[int, int, int]] | None = None
        self._plan: list[tuple[int, Indices, Indices]] = []
        self._updated: Indices = np.empty(0, dtype=np.intp)
        self._triggers = False

    def update(self, joints: list[str], position: Array, velocity: Array, effort: Array, stamp: int) -> bool:
        """
        Take in a joint state.

        Args:
            joints: joint names, shape (n,).
            position: shape (n,) or empty [rad or m].
            velocity: shape (n,) or empty [rad/s or m/s].
            effort: shape (n,) or empty [N m or N].
            stamp: when it was measured [ns].

        Returns:
            Whether this message triggers a tick. Until the policy's first signal was seen every message with one of
            its joints does, so that :meth:`read` can name what is missing.

        Raises:
            ObservationError: a field has another length than the names; nothing is taken in.
        """
        fields = (position, velocity, effort)
        layout = (len(position), len(velocity), len(effort))
        if self._layout is None or self._layout[1] != layout or self._layout[0] != joints:
            self._learn_layout(joints, layout)
        if not len(self._updated):
            return False
        for field, signals, places in self._plan:
            self._values[signals] = fields[field][places]
        self._newest_is_whole = len(self._updated) == len(self._values)
        self._stamps[self._updated] = stamp
        self._seen[self._updated] = True
        return self._triggers or not self._seen[0]

    def read(self, stamp: int) -> Array:
        """
        Return the observation at a trigger's stamp [ns], shape (observation,); the caller must not keep it.

        Raises:
            ObservationError: a signal was never seen, or its value is too old; the message names it.
        """
        if self._newest_is_whole:  # the usual case: one message had it all
            return self._values
        if not self._seen.all():
            raise ObservationError(
                f'the joint states never had {self._listed(~self._seen)}; publish them, '
                "or map the robot's names with 'observation.fields'."
            )
        if self.max_age != np.inf:
            too_old = np.abs(stamp - self._stamps) > self.max_age * NANOSECONDS
            if too_old.any():
                raise ObservationError(
                    f'{self._listed(too_old)} is more than {self.max_age:g} s away from the newest joint state; '
                    "publish it more often, or raise 'max_state_age_s'."
                )
        return self._values

    def forget(self) -> None:
        """Drop every value: the robot was put somewhere else."""
        self._seen[:] = False
        self._newest_is_whole = False

    def _learn_layout(self, joints: list[str], layout: tuple[int, int, int]) -> None:
        """Work out once which entry of a message goes where; messages seldom change their layout."""
        for interface, length in zip(INTERFACES, layout, strict=True):
            if length not in (0, len(joints)):
                raise ObservationError(
                    f'a joint state has {len(joints)} names and {length} values of {interface}; '
                    'every field must be empty or as long as the names.'
                )
        places = {joint: place for place, joint in enumerate(joints)}
        self._plan = []
        for field, interface in enumerate(INTERFACES):
            pairs = [
                (signal, places[joint])
                for signal, (joint, kind) in enumerate(map(_split, self._names))
                if kind == interface and layout[field] and joint in places
            ]
            if pairs:
                signals, sources = np.array(pairs, dtype=np.intp).T
                self._plan.append((field, signals, sources))
        parts = [signals for _, signals, _ in self._plan]
        self._updated = np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)
        self._triggers = bool((self._updated == 0).any())
        self._layout = (list(joints), layout)

    def _listed(self, chosen: npt.NDArray[np.bool_]) -> str:
        return ', '.join(f"'{name}'" for name, wanted in zip(self._names, chosen, strict=True) if wanted)


def _split(name: str) -> tuple[str, str]:
    joint, _, interface = name.rpartition('/')
    return joint, interface
