"""The plan of one source: which of its fields fill which entries of an observation."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from velora_ros.spec import Source

JOINTS = 'JointState'


@dataclass(frozen=True)
class SourcePlan:
    """
    Which fields of a source fill which entries of the observation.

    Args:
        source: the source.
        fields: the fields that are read from the source's messages.
        places: the indices of the entries that the fields fill, in the order of the fields.
        widths: number of entries that each field fills.
        nonfinite: for each field the replacement for a value that is not finite, as in
            :class:`velora_ros.contract.sources.ObservationSettings`.
    """

    source: Source
    fields: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    nonfinite: list[str] = field(default_factory=list)

    def add(self, what: str, places: Iterable[int], nonfinite: str = '') -> None:
        """Add the field ``what``, which fills the entries with the indices ``places``."""
        before = len(self.places)
        self.places.extend(places)
        self.fields.append(what)
        self.widths.append(len(self.places) - before)
        self.nonfinite.append(nonfinite)
