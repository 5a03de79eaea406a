"""Readings: what an item of a feed says, in our words, with the lot still by the source's own code.

Every way in but the native one and City Brain's turns bytes into these; `Intake` finds the lots and takes them in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bowei.domain.dirt import Dirt
from bowei.domain.heartbeats import Sign
from bowei.domain.lots import SpaceClass
from bowei.domain.observations import Bound, LotState, PassageKind


@dataclass(frozen=True, slots=True)
class CountReading:
    """One report about a lot. What is None was not said, or stands for nothing (then `dirt` says so)."""

    lot_code: str
    observed_at: datetime | None
    """Aware, in UTC; None: the item says no time that can be used, and the time of receipt is taken."""
    seq: int | None = None
    capacity: int | None = None
    open: int | None = None
    free: int | None = None
    occupied: int | None = None
    state: LotState = LotState.OPEN
    bound: Bound = Bound.EXACT
    free_by_class: Mapping[SpaceClass, int] = field(default_factory=dict)
    queue_vehicles: int | None = None
    method: str | None = None
    reset: bool = False
    dirt: frozenset[Dirt] = frozenset()
    raw: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CarReading:
    """One car in or out; the plate is hashed before anything is kept."""

    lot_code: str
    passage_id: str
    kind: PassageKind
    passed_at: datetime
    plate: str | None = field(default=None, repr=False)
    shared: bool = False
    moves_count: bool = True
    """Whether the lot's count follows from its passages: see ReportJournal."""


@dataclass(frozen=True, slots=True)
class LifeReading:
    """A sign of life, or of its end, of one lot or (None) of all that the source reports for."""

    lot_code: str | None
    sign: Sign
    at: datetime | None = None
    """None: no time of its own is said, and the time of receipt is taken."""
    habit: bool = True
    """Whether it comes as often as equipment shows life: see `Heartbeat`."""


@dataclass(frozen=True, slots=True)
class Unmeant:
    """An item that could be read as far as `lot_code`, or not at all: why, and what it was (cut to RAW_MOST)."""

    code: str
    at_field: str | None = None
    lot_code: str | None = None
    raw: str | None = field(default=None, repr=False)


Reading = CountReading | CarReading | LifeReading | Unmeant
