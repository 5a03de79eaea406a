"""What is said of one lot now: what it reports, what is held on it, and what may still be promised.

These stay apart: `free` is what the lot saw, `held` what is promised, `offered` what follows from both. What is not
known is None here and absent in the answer: a report that expired or is doubted says nothing of free, so nothing of
offered either. No count is above the registered capacity, whatever the lot said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.calendars import LocalTime
from bowei.domain.choosing import LotNow
from bowei.domain.dirt import Dirt, Doubt
from bowei.domain.freshness import Freshness
from bowei.domain.lots import HospitalId, Lot, SpaceClass
from bowei.domain.made_often import made_often
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import NO_POOL, LotPromise, Report, offered, pool_key


class Level(StrEnum):
    """How full a lot is, in words that don't flicker. Closed is not full, and unknown is neither."""

    PLENTY = "plenty"
    FEW = "few"
    ALMOST_FULL = "almost_full"
    FULL = "full"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """Why a lot's numbers are missing, beside `Doubt` and `Dirt`."""

    COMMS_LOST = "comms_lost"
    NEVER_REPORTED = "never_reported"
    OUT_OF_ORDER = "out_of_order"


class _Band(NamedTuple):
    """A level that is entered at or below one count and left at or above a higher one, in spaces and in share."""

    level: Level
    enter_at: int
    enter_share: float
    leave_at: int
    leave_share: float


_COUNTLESS = frozenset({LotState.OUT_OF_ORDER, LotState.UNKNOWN})
"""What a lot says of itself by which its counts mean nothing."""
_SAID_BY_BOUND = frozenset({Dirt.AT_LEAST, Dirt.AT_MOST})

_BANDS = (
    _Band(Level.FULL, 0, 0.0, 3, 0.02),
    _Band(Level.ALMOST_FULL, 3, 0.05, 6, 0.08),
    _Band(Level.FEW, 8, 0.20, 12, 0.25),
)
"""From the fullest on. Full is left as DATEX II suggests, at 3 spaces or 2 %."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """What one agreement lends of one class now, and how much of it is held and may be promised."""

    hospital_id: HospitalId
    agreement_id: AgreementId
    space_class: SpaceClass
    lent: int
    held: int
    offered: int | None


@made_often
@dataclass(frozen=True, slots=True)
class LotStatus:
    """One lot, for as long as it shows the same."""

    lot: Lot
    state: LotState
    level: Level
    freshness: Freshness
    faults: tuple[Fault | Doubt | Dirt, ...]
    capacity: int
    held: int
    free: int | None
    """The free spaces, or with the bound AT_LEAST the fewest that there are."""
    free_at_most: int | None
    bound: Bound | None
    """None: the number is exact, or there is none."""
    open: int | None
    offered: int | None
    free_by_class: Mapping[SpaceClass, int]
    queue_vehicles: int | None
    sharing: tuple[Sharing, ...]
    observed_at: datetime | None
    received_at: datetime | None

    def age_at(self, now: datetime) -> timedelta | None:
        """Say how old the report is, if there is one."""
        return None if self.observed_at is None else max(timedelta(0), now - self.observed_at)


def describe_lot(
    lot: Lot,
    local: LocalTime,
    lot_now: LotNow,
    agreements: Sequence[Agreement],
    previous: Level | None,
    now: datetime,
) -> LotStatus:
    """Say what is known of a lot at `now`; `agreements` are those that lend its spaces, `previous` its last level."""
    promise = lot_now.promise
    report = None if lot_now.report is None else lot_now.report.within(lot.capacity)
    fresh = Freshness.EXPIRED if report is None else report.freshness_at(now)
    # What is believed at all is believed until it has expired.
    believed = report if fresh is not Freshness.EXPIRED else None
    heard = believed if believed is not None and believed.doubt is None else None
    counted = heard if heard is not None and heard.state not in _COUNTLESS else None
    bound = Bound.EXACT if counted is None else counted.bound
    free = None if counted is None else counted.countable
    sharing = tuple(
        row
        for agreement in agreements
        for row in _share(agreement, {} if lot.paused else agreement.lent_at(now, local), counted, promise)
    )
    state = LotState.UNKNOWN if heard is None else heard.state
    capacity = lot.capacity if counted is None or counted.capacity is None else counted.capacity
    return LotStatus(
        lot=lot,
        state=state,
        level=_level(state, counted, capacity, previous),
        freshness=fresh,
        faults=_faults(report, believed),
        capacity=capacity,
        held=promise.held,
        free=free,
        free_at_most=counted.free if counted is not None and bound is Bound.AT_MOST else None,
        bound=None if bound is Bound.EXACT or (bound is Bound.AT_LEAST and free is None) else bound,
        open=None if counted is None else counted.open,
        offered=max((row.offered for row in sharing if _headline(row) and row.offered is not None), default=None),
        free_by_class={} if counted is None else counted.free_by_class,
        queue_vehicles=None if counted is None else counted.queue_vehicles,
        sharing=sharing,
        observed_at=None if report is None else report.observed_at,
        received_at=None if report is None else report.received_at,
    )


def next_level(previous: Level | None, free: int, capacity: int) -> Level:
    """Give the level of an open lot; leaving a fuller level takes more free spaces than entering it."""
    was_as_full = False
    for band in _BANDS:
        was_as_full = was_as_full or band.level is previous
        entered = free <= max(band.enter_at, band.enter_share * capacity)
        if entered or (was_as_full and free < max(band.leave_at, band.leave_share * capacity)):
            return band.level
    return Level.PLENTY


def _uncounted(report: Report) -> bool:
    known = report.countable is not None or report.bound is Bound.AT_MOST
    return report.state is LotState.OPEN and not known


def _headline(row: Sharing) -> bool:
    return row.space_class is SpaceClass.STANDARD


def _share(
    agreement: Agreement, lent_now: Mapping[SpaceClass, int], counted: Report | None, promise: LotPromise
) -> list[Sharing]:
    rows = []
    for space_class in sorted({window.space_class for window in agreement.windows}):
        lent = lent_now.get(space_class, 0)
        pool = promise.pools.get(pool_key(agreement.agreement_id, space_class), NO_POOL)
        offer = None if counted is None or _uncounted(counted) else 0
        if counted is not None and offer is not None and lent > 0:
            offer = offered(counted, promise, pool, lent=lent, margin=agreement.margin, space_class=space_class)
        rows.append(
            Sharing(agreement.hospital_id, agreement.agreement_id, space_class, lent, held=pool.held, offered=offer)
        )
    return rows


def _level(state: LotState, counted: Report | None, capacity: int, previous: Level | None) -> Level:
    if state is LotState.CLOSED:
        return Level.CLOSED
    if state is LotState.FULL_AT_ENTRANCE:
        return Level.FULL
    if counted is None or counted.free is None:
        return Level.UNKNOWN
    if counted.bound is Bound.EXACT:
        return next_level(previous, counted.free, capacity)
    return _bounded_level(counted.free, counted.bound, capacity)


def _bounded_level(free: int, bound: Bound, capacity: int) -> Level:
    """Give what a bound proves: "at most so many" is few or fewer, "at least so many" is few or more."""
    level = next_level(None, free, capacity)
    if bound is Bound.AT_MOST:
        return Level.FEW if level is Level.PLENTY else level
    if free == 0:
        return Level.UNKNOWN
    return level if level is Level.PLENTY else Level.FEW


def _faults(report: Report | None, believed: Report | None) -> tuple[Fault | Doubt | Dirt, ...]:
    """Name what is wrong with a lot's numbers, or was; what a bound says stands beside its number."""
    if report is None:
        return (Fault.NEVER_REPORTED,)
    if believed is None:
        return (Fault.COMMS_LOST,)
    found: list[Fault | Doubt | Dirt] = [] if report.doubt is None else [report.doubt]
    if report.state is LotState.OUT_OF_ORDER:
        found.append(Fault.OUT_OF_ORDER)
    if report.dirt or report.refused is not None:
        dirt = report.dirt - _SAID_BY_BOUND
        found += sorted(dirt if report.refused is None else dirt | {report.refused})
    return tuple(found)
