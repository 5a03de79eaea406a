"""What sharing brought in a month: for each lot, hospital and class, what became of the spaces that were held.

Months are the lot's own, by when a space was first held. What a stay is worth is reckoned by the tariff that was agreed
when the car came; nobody was billed by Bowei.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from bowei.domain.agreements import AgreementId
from bowei.domain.holds import HoldState
from bowei.domain.lots import HospitalId, LotId, SpaceClass

_FORM = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the calendar."""

    year: int
    month: int

    @classmethod
    def read(cls, text: str) -> "Month | None":
        """Read YYYY-MM of this century; None: it is no month."""
        found = _FORM.fullmatch(text)
        return None if found is None else cls(int(found[1]), int(found[2]))

    @property
    def begins(self) -> datetime:
        """Its first instant, on a wall clock (naive)."""
        return datetime(self.year, self.month, 1)  # noqa: DTZ001 (a wall clock's)

    @property
    def ends(self) -> datetime:
        """The first instant that is no longer in it, on a wall clock (naive)."""
        return datetime(self.year + self.month // 12, self.month % 12 + 1, 1)  # noqa: DTZ001 (a wall clock's)

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.year}-{self.month:02d}"


@dataclass(frozen=True, slots=True)
class SharingLine:
    """One month of one class under one agreement."""

    lot_id: LotId
    hospital_id: HospitalId
    agreement_id: AgreementId
    space_class: SpaceClass
    held: int
    """Spaces that were held for drivers. The next ones say what became of them; the rest is under way."""
    honoured: int
    """Cars that found their space."""
    refused: int
    """Drivers who found none, or whom the barrier rejected."""
    moved: int
    """Drivers who were sent elsewhere before they arrived."""
    expired: int
    released: int
    stays: int
    """Cars of which it is known when they left."""
    parked: timedelta
    """How long these stayed, together."""
    income: Decimal | None
    """What these stays cost by the agreed tariff; None: no tariff was agreed for any of them."""
    currency: str | None

    @property
    def kept(self) -> float | None:
        """How many of those who arrived found their space, as a share; None: nobody arrived."""
        arrived = self.honoured + self.refused
        return self.honoured / arrived if arrived else None


@dataclass(frozen=True, slots=True)
class Coming:
    """A car that is on its way to a lot, or in it: known by its code, never by its plate."""

    code: str | None
    hospital_id: HospitalId
    space_class: SpaceClass
    state: HoldState
    expires_at: datetime
