"""Observations: what a lot says, and what becomes of it.

What was said is kept as it was said; what of it we believe is judged in `believing`. Unknown is neither 0 nor full, so
every count may be absent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bowei.domain.dirt import Dirt
from bowei.domain.lots import LotId, SourceId, SpaceClass
from bowei.domain.made_often import made_often

FUTURE_TOLERANCE = timedelta(seconds=30)
"""How far a source's clock may run ahead of ours."""
RAW_MOST = 2_048
"""How many characters are kept of an item as it was said."""


class LotState(StrEnum):
    """What the lot says of itself. Closed is not full, and unknown is neither."""

    OPEN = "open"
    CLOSED = "closed"
    FULL_AT_ENTRANCE = "full_at_entrance"
    OUT_OF_ORDER = "out_of_order"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What became of one report."""

    APPLIED = "applied"
    STALE = "stale"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"


class Bound(StrEnum):
    """What a number of free spaces says: the count, or only that there are as many at least or at most."""

    EXACT = "exact"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"


@made_often
@dataclass(frozen=True, slots=True)
class Observation:
    """One report about a lot: counts, time, source.

    A way in that had to translate keeps beside it what was said (`raw`: the item as text, at most `RAW_MOST`
    characters) and the dirt it met on the way.
    """

    lot_id: LotId
    observed_at: datetime
    source_id: SourceId
    seq: int | None = None
    capacity: int | None = None
    open: int | None = None
    free: int | None = None
    occupied: int | None = None
    """Cars in the lot, where the source counts those."""
    state: LotState = LotState.OPEN
    free_by_class: Mapping[SpaceClass, int] = field(default_factory=dict)
    queue_vehicles: int | None = None
    method: str | None = None
    bound: Bound = Bound.EXACT
    """What `free` is a bound of."""
    reset: bool = False
    """A count by hand, from which the lot counts on."""
    dirt: frozenset[Dirt] = frozenset()
    raw: str | None = field(default=None, repr=False)

    @property
    def order(self) -> tuple[datetime, int]:
        """Where the report stands among others of its lot: later is newer; no seq counts as 0."""
        return (self.observed_at, self.seq or 0)


@made_often
@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a report may be believed; `code` says why not, in the catalogue of `problems`."""

    outcome: Outcome
    code: str | None = None
    belief: Observation | None = field(default=None, compare=False, repr=False)
    """What we take the report for: its counts and time as far as they are believed, with all dirt that was found.
    None where a report was rejected, or no observation."""

    @property
    def believed(self) -> bool:
        """Say whether the report may change what we show."""
        return self.outcome is Outcome.APPLIED


BELIEVED = Verdict(Outcome.APPLIED)


class PassageKind(StrEnum):
    """Which way a car went."""

    ENTER = "enter"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Passage:
    """One car in or out. `passage_id` is the source's own and makes a repeat harmless; the plate is only a hash."""

    lot_id: LotId
    passage_id: str
    kind: PassageKind
    passed_at: datetime
    source_id: SourceId
    plate_hashes: tuple[bytes, ...] = field(default=(), repr=False)
    """By each key that is in use; whichever a hold was made with names it."""
    shared: bool = False
