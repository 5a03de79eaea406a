"""The port of the spaces that have a sensor each: what is known of every one, and what a lot's count is by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Outcome


@dataclass(frozen=True, slots=True)
class SpaceSign:
    """What one sensor said of its space; `occupied` None: that it does not know, as after a start."""

    source_id: SourceId
    device_id: str
    lot_id: LotId
    occupied: bool | None
    f_cnt: int
    """The sensor's own count of what it sent; it begins anew when the sensor joins its network again."""
    said_at: datetime
    """By the network's clock."""


@dataclass(frozen=True, slots=True)
class SpaceCount:
    """What a lot's sensors know together. (counted_at, version) grows with every sign that was applied."""

    version: int
    counted_at: datetime
    free: int
    known: int
    """Spaces whose sensor was heard lately and knows: the free and the taken."""
    spaces: int
    """Spaces that ever had a sensor."""


@dataclass(frozen=True, slots=True)
class SpacesNoted:
    """What became of each sign, in the order given, and how every lot that was named counts afterwards."""

    outcomes: Sequence[Outcome]
    counts: Mapping[LotId, SpaceCount]


class SpaceBook(Protocol):
    """Keeps what sensors say. Every method answers after its commit; the same signs again change nothing.

    Every method raises StoreAway, OutcomeUnknown (note the same again) or Overloaded.
    """

    async def note(self, signs: Sequence[SpaceSign], *, silent_after: timedelta) -> SpacesNoted:
        """Note signs: applied, duplicate (same time and count), or stale (older than what is known of that space).

        One over `FUTURE_TOLERANCE` ahead of the ledger's clock is rejected: else nothing that its sensor says until
        then would count. A lot of which nothing is known yet has no count.

        The newest is the one with the later `said_at`, then the greater `f_cnt`. A space whose sensor was not heard
        for `silent_after` is not known: neither free nor taken.
        """
        ...
