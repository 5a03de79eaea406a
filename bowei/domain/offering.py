"""What may be promised now, for one agreement and class of spaces.

Three things are kept apart: what a lot says (`Report`), what is promised on it (`LotPromise`, `PoolPromise`), and what
follows from both (`offered`). The ledger computes the same in SQL under its locks and has the last word; here it
serves ranking and showing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.freshness import Freshness, believed_for, freshness, turns_at
from bowei.domain.lots import SpaceClass
from bowei.domain.made_often import made_often
from bowei.domain.observations import Bound, LotState


@made_often
@dataclass(frozen=True, slots=True)
class Report:
    """The newest believed report of a lot, with how often the lot usually reports."""

    observed_at: datetime
    received_at: datetime
    seq: int = 0
    free: int | None = None
    open: int | None = None
    capacity: int | None = None
    state: LotState = LotState.OPEN
    usual_gap: timedelta = timedelta(seconds=60)
    free_by_class: Mapping[SpaceClass, int] = field(default_factory=dict)
    queue_vehicles: int | None = None
    bound: Bound = Bound.EXACT
    """What `free` is a bound of."""
    dirt: frozenset[Dirt] = frozenset()
    doubt: Doubt | None = None
    """Why it is not believed, although it is the newest."""
    refused: Dirt | None = None
    """Why a later report was not believed, so that this one stands."""
    revision: int = 0
    """Grows with every change of `doubt` or `refused` by which the counts stay."""
    said_at: datetime | None = None
    """The source's own time, where that is not `observed_at`."""

    @property
    def countable(self) -> int | None:
        """The spaces that are free for all we know, or more; None: no number that anybody may count on."""
        if self.doubt is not None or self.bound is Bound.AT_MOST:
            return None
        return None if self.bound is Bound.AT_LEAST and self.free == 0 else self.free

    def within(self, capacity: int) -> "Report":
        """Cut the counts to what is registered now: it may have been lowered since the lot reported."""
        if max(self.free or 0, self.open or 0, self.capacity or 0, *self.free_by_class.values(), 0) <= capacity:
            return self
        return replace(
            self,
            free=_cut(self.free, capacity),
            open=_cut(self.open, capacity),
            capacity=_cut(self.capacity, capacity),
            free_by_class={name: min(count, capacity) for name, count in self.free_by_class.items()},
        )

    def freshness_at(self, now: datetime) -> Freshness:
        """Judge the report's age at `now`."""
        return freshness(now - self.observed_at, self.usual_gap)

    def turns_at(self, now: datetime) -> datetime | None:
        """Give the instant up to which `freshness_at` says the same as at `now`; None: for ever."""
        age = turns_at(now - self.observed_at, self.usual_gap)
        return None if age is None else self.observed_at + age

    def believed_at(self, now: datetime) -> bool:
        """Say whether the report still says anything at `now`."""
        return now - self.observed_at <= believed_for(self.usual_gap)


@dataclass(frozen=True, slots=True)
class PoolPromise:
    """What is promised under one agreement and class: live holds, and stays of cars that came by them."""

    held: int = 0
    stays: int = 0


@dataclass(frozen=True, slots=True)
class LotPromise:
    """What is promised on one lot, whoever it is promised to; `version` grows with every change in the ledger."""

    held: int = 0
    stays: int = 0
    version: int = 0
    pools: Mapping[str, PoolPromise] = field(default_factory=dict)
    """By `pool_key`."""
    refusal_rate: float = 0.0
    """The share of the newest arrivals that found no space (`margins.REFUSALS_REMEMBERED`)."""

    def held_of(self, space_class: SpaceClass) -> int:
        """Give how many spaces of one class are held on the lot, under whichever agreement."""
        return sum(pool.held for key, pool in self.pools.items() if key.endswith(f"/{space_class}"))


def pool_key(agreement_id: str, space_class: SpaceClass) -> str:
    """Name a pool in one string, for maps that travel as JSON."""
    return f"{agreement_id}/{space_class}"


NOTHING_PROMISED = LotPromise()
NO_POOL = PoolPromise()


class Rooms(NamedTuple):
    """What limits how many spaces may be promised; nothing is kept back yet."""

    seen: int
    """Seen free and not held, of any class."""
    of_class: int
    """The same of the class asked for, where the lot counts it; else as `seen`."""
    agreed: int
    """What is lent, and what is open to the public, less what is used and held of it."""

    def less(self, margin: int) -> int:
        """Give how many may be promised where `margin` are kept back."""
        return max(0, min(self.seen - margin, self.of_class, self.agreed))


NO_ROOMS = Rooms(0, 0, 0)


def rooms(report: Report, promise: LotPromise, pool: PoolPromise, *, lent: int, space_class: SpaceClass) -> Rooms:
    """Give what limits a class under an agreement that lends `lent` of it now; nothing where no count is believed."""
    free = report.countable
    if free is None or report.state is not LotState.OPEN:
        return NO_ROOMS
    seen = free - promise.held
    agreed = lent - pool.stays - pool.held
    if report.open is not None:
        agreed = min(agreed, report.open - promise.stays - promise.held)
    if space_class not in report.free_by_class:
        return Rooms(seen, seen, agreed)
    return Rooms(seen, report.free_by_class[space_class] - promise.held_of(space_class), agreed)


def offered(
    report: Report, promise: LotPromise, pool: PoolPromise, *, lent: int, margin: int, space_class: SpaceClass
) -> int:
    """Give how many spaces may be promised now; 0 where the lot said no count, or none that is believed.

    `lent` is what the agreement lends of this class now, `margin` what it keeps back.
    """
    return rooms(report, promise, pool, lent=lent, space_class=space_class).less(margin)


def _cut(count: int | None, capacity: int) -> int | None:
    return None if count is None else min(count, capacity)
