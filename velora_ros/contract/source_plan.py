"""The contribution of one source to an observation."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from velora_ros.spec import Source

JOINTS = 'JointState'


@dataclass(frozen=True)
class SourcePlan:
    """
    The contribution of one source to the observation.

    Args:
        source: the source.
        fields: the fields that are read from its messages.
        places: the entries of the observation that they fill, in order.
        widths: number of entries that each field fills.
        nonfinite: replacement for a value of each field that is not finite, as in :class:`ObservationSettings`.
    """

    source: Source
    fields: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    nonfinite: list[str] = field(default_factory=list)

    def add(self, what: str, places: Iterable[int], nonfinite: str = '') -> None:
        """Add a field that fills these entries."""
        before = len(self.places)
        self.places.extend(places)
        self.fields.append(what)
        self.widths.append(len(self.places) - before)
        self.nonfinite.append(nonfinite)
