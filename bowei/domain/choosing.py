"""The right lot: what each candidate costs the driver, and why the others are not candidates.

Cost in seconds, lower is better: drive to the entrance + walk to the hospital's door + a fill penalty that spreads
drivers before a lot is tight. No I/O and no clock: equal input gives the equal order.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bowei.domain.agreements import Agreement, AgreementId
from bowei.domain.directory import Directory
from bowei.domain.dirt import Doubt
from bowei.domain.forecasting import UNKNOWN_LOT, Foreseen
from bowei.domain.freshness import Freshness
from bowei.domain.lots import Entrance, Hospital, Lot, LotId, SpaceClass
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import NO_POOL, NOTHING_PROMISED, LotPromise, Report, offered, pool_key
from bowei.domain.places import Point, distance_m

WALK_DETOUR = 1.3
WALK_SPEED_M_S = 1.2
"""Footways are 1.3 times as long as the crow flies, and a visitor walks 1.2 m/s: the values of the policy trials."""

FILL_PENALTY_S = 300.0
"""K of the fill penalty: between 200 and 300 s it never lost to plain nearest, and took back 9 to 17 % of its gap."""

MOST_CANDIDATES = 8
"""How many lots a request may name to the ledger, best first."""


class Exclusion(StrEnum):
    """Why a lot was not a candidate."""

    FULL = "full"
    HELD_OUT = "held_out"
    CLOSED = "closed"
    STALE_DATA = "stale_data"
    FAULT = "fault"
    TOO_HIGH = "too_high"
    NO_CLASS = "no_class"
    NOT_SHARED_NOW = "not_shared_now"
    TOO_FAR = "too_far"
    CLOSED_ROAD = "closed_road"
    OPERATOR_PAUSED = "operator_paused"


@dataclass(frozen=True, slots=True)
class Approach:
    """The way to a lot by one of its entrances, and from there on foot to the hospital's door."""

    entrance: Entrance
    drive_s: float | None
    """None: no way by road."""
    walk_s: float
    walk_m: float
    estimated: bool
    """True where the drive is a guess by air, not a way over roads."""


@dataclass(frozen=True, slots=True)
class LotNow:
    """What is known of one lot now; `report` is None where it never reported."""

    report: Report | None
    promise: LotPromise = NOTHING_PROMISED
    foreseen: Foreseen = UNKNOWN_LOT


@dataclass(frozen=True, slots=True)
class Need:
    """What the driver needs."""

    space_class: SpaceClass = SpaceClass.STANDARD
    height_cm: int | None = None


@dataclass(frozen=True, slots=True)
class Considered:
    """One lot that was looked at: its cost by part, or why it was left out."""

    lot_id: LotId
    agreement_id: AgreementId
    excluded: Exclusion | None
    approach: Approach | None = None
    offered: int | None = None
    free: int | None = None
    bound: Bound = Bound.EXACT
    """What `free`, and with it `offered`, is a bound of."""
    age: timedelta | None = None
    fill_s: float = 0.0

    @property
    def cost_s(self) -> float:
        """The whole cost in seconds; infinite for an excluded lot."""
        if self.excluded is not None or self.approach is None or self.approach.drive_s is None:
            return math.inf
        return self.approach.drive_s + self.approach.walk_s + self.fill_s


def walk_m(start: Point, door: Point) -> float:
    """Give the length of the walk in metres."""
    return distance_m(start, door) * WALK_DETOUR


def fill_penalty_s(used: int, lent: int) -> float:
    """Give the penalty for a pool of which `used` of `lent` spaces are taken or held: 0 when empty, K when full."""
    share = min(1.0, max(0.0, used / lent)) if lent > 0 else 1.0
    return FILL_PENALTY_S * math.expm1(share) / (math.e - 1)


def consider(
    hospital: Hospital,
    directory: Directory,
    now_of: Mapping[LotId, LotNow],
    approaches: Mapping[LotId, Approach],
    need: Need,
    now: datetime,
) -> list[Considered]:
    """Look at every lot with an agreement for this hospital: candidates first, cheapest first, then the excluded."""
    looked_at = [
        _look_at(
            agreement,
            lot,
            hospital,
            now_of.get(lot.lot_id, LotNow(None)),
            approaches.get(lot.lot_id),
            need,
            now,
        )
        for agreement in directory.agreements_for(hospital.hospital_id)
        if (lot := directory.lots.get(agreement.lot_id)) is not None
    ]
    return sorted(looked_at, key=lambda one: (one.cost_s, one.lot_id, one.agreement_id))


def candidates(considered: Iterable[Considered]) -> list[Considered]:
    """Give those that may be asked for, best first, at most `MOST_CANDIDATES`."""
    return [one for one in considered if one.excluded is None][:MOST_CANDIDATES]


def _look_at(
    agreement: Agreement,
    lot: Lot,
    hospital: Hospital,
    lot_now: LotNow,
    approach: Approach | None,
    need: Need,
    now: datetime,
) -> Considered:
    promise = lot_now.promise
    report = None if lot_now.report is None else lot_now.report.within(lot.capacity)
    known = report if report is not None and report.believed_at(now) and report.countable is not None else None
    lent = agreement.lent_at(now, lot.zone)
    pool = promise.pools.get(pool_key(agreement.agreement_id, need.space_class), NO_POOL)
    lent_of_class = lent.get(need.space_class, 0)
    excluded = (
        _shut_out(agreement, lot, lent, need) or _unbelievable(report, now) or _unreachable(lot, hospital, approach)
    )
    offer = None
    if excluded is None and report is not None:
        offer = offered(
            report, promise, pool, lent=lent_of_class, margin=agreement.margin, space_class=need.space_class
        )
        if offer == 0:
            excluded = Exclusion.FULL if (report.free or 0) <= agreement.margin else Exclusion.HELD_OUT
    return Considered(
        lot_id=lot.lot_id,
        agreement_id=agreement.agreement_id,
        excluded=excluded,
        approach=approach,
        offered=offer,
        free=None if known is None else known.countable,
        bound=Bound.EXACT if known is None else known.bound,
        age=now - report.observed_at if report is not None else None,
        fill_s=fill_penalty_s(pool.held + pool.stays, lent_of_class),
    )


def _shut_out(agreement: Agreement, lot: Lot, lent: Mapping[SpaceClass, int], need: Need) -> Exclusion | None:
    if lot.paused or agreement.paused:
        return Exclusion.OPERATOR_PAUSED
    if not lent:
        return Exclusion.NOT_SHARED_NOW
    if lent.get(need.space_class, 0) == 0:
        return Exclusion.NO_CLASS
    if need.height_cm is not None and lot.max_height_cm is not None and need.height_cm > lot.max_height_cm:
        return Exclusion.TOO_HIGH
    return None


def _unbelievable(report: Report | None, now: datetime) -> Exclusion | None:
    if report is None or report.freshness_at(now) is Freshness.EXPIRED or report.doubt is Doubt.COMMS_LOST:
        return Exclusion.STALE_DATA
    if report.doubt is not None:
        return Exclusion.FAULT
    # Before the count: a lot that says it knows nothing says no count either, and that is no fault.
    if report.state is not LotState.OPEN:
        return _SHUT[report.state]
    return Exclusion.FAULT if report.countable is None else None


_SHUT = {
    LotState.CLOSED: Exclusion.CLOSED,
    LotState.FULL_AT_ENTRANCE: Exclusion.FULL,
    LotState.UNKNOWN: Exclusion.STALE_DATA,
    LotState.OUT_OF_ORDER: Exclusion.FAULT,
}


def _unreachable(lot: Lot, hospital: Hospital, approach: Approach | None) -> Exclusion | None:
    if distance_m(lot.location, hospital.door) > hospital.radius_m:
        return Exclusion.TOO_FAR
    if approach is None or approach.drive_s is None:
        return Exclusion.CLOSED_ROAD
    return None
