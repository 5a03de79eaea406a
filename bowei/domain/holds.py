"""Holds: the promise of one space to one driver until a time.

    (none) --place--> held --arrive--> arrived --the count shows the car--> settled (a stay begins)
                       |  |               |
                       |  +--expires_at---+-- released (the driver gives up, or is refused on arrival)
                       |                  +-- revoked  (the lot can't keep it; a replacement in the same commit)
                       +--> expired

A hold ends once. `held` and `arrived` are live: they keep their place in the lot's count of held spaces.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bowei.domain.agreements import AgreementId
from bowei.domain.lots import DriverId, HospitalId, LotId, SpaceClass

LIFETIME_FACTOR = 1.5
LIFETIME_EXTRA = timedelta(minutes=2)
SHORTEST_LIFETIME, LONGEST_LIFETIME = timedelta(minutes=5), timedelta(minutes=30)
"""1.5 x ETA + 2 min refused 0.3 % of arrivals in simulation; a fixed 5 min refused 7.3 %, and 30 min wastes spaces."""

REFUSED_ON_ARRIVAL = "refused_on_arrival"
BARRIER_REFUSED = "barrier_refused"
"""Why a hold was revoked whose driver found no space, or whose car the barrier rejected: the ledger counts these, by
these words."""

LONGEST_EXTENSION = timedelta(minutes=15)
SETTLE_LIMIT = timedelta(minutes=15)
"""An arrived car that no count has shown by then is taken as settled, with an alarm."""


class HoldState(StrEnum):
    """Where a hold stands."""

    HELD = "held"
    ARRIVED = "arrived"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"
    REVOKED = "revoked"

    @property
    def live(self) -> bool:
        """Say whether the hold still keeps a space."""
        return self in (HoldState.HELD, HoldState.ARRIVED)


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold as the ledger knows it. A diversion's first hold has ordinal 1, each replacement the next."""

    diversion_id: str
    ordinal: int
    driver_id: DriverId
    hospital_id: HospitalId
    lot_id: LotId
    agreement_id: AgreementId
    space_class: SpaceClass
    state: HoldState
    placed_at: datetime
    expires_at: datetime
    extended: bool = False
    arrived_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    code: str | None = field(default=None, compare=False, repr=False)
    """Eight digits by which the lot knows the car; a replacement has those of the hold before. Drawn by chance, so not
    compared."""
    barred: bool = False
    """The lot's barrier refused to let the car in."""


def lifetime(eta: timedelta) -> timedelta:
    """Give how long a hold lasts for a driver that needs `eta` to arrive."""
    return min(max(LIFETIME_FACTOR * eta + LIFETIME_EXTRA, SHORTEST_LIFETIME), LONGEST_LIFETIME)
