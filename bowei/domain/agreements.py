"""Agreements: who lends how many spaces of which class to which hospital, when, and how many are kept back.

What is lent at an instant is one pure function of the agreement, the instant and the lot's own time zone. The ledger
holds the same rule in SQL (`bowei.lent_at`), because it decides with it; a contract test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NewType
from zoneinfo import ZoneInfo

from bowei.domain.lots import HospitalId, LotId, SpaceClass

AgreementId = NewType("AgreementId", str)

EVERY_DAY = frozenset(range(1, 8))


@dataclass(frozen=True, slots=True)
class LendingWindow:
    """Hours of some weekdays in which spaces of one class are lent.

    `days` are ISO weekdays (1 Monday .. 7 Sunday) on which the window starts. `stops` at or before `starts` means the
    next day: 22:00 to 06:00 crosses midnight, and 00:00 to 00:00 is the whole day.
    """

    space_class: SpaceClass
    spaces: int
    days: frozenset[int] = EVERY_DAY
    starts: time = time(0)
    stops: time = time(0)

    def covers(self, local: datetime) -> bool:
        """Say whether the window is open at a local wall-clock time; the start is within, the end is not."""
        clock = local.time().replace(tzinfo=None)
        today, yesterday = local.isoweekday(), (local - timedelta(days=1)).isoweekday()
        if self.starts < self.stops:
            return today in self.days and self.starts <= clock < self.stops
        return (today in self.days and clock >= self.starts) or (yesterday in self.days and clock < self.stops)


@dataclass(frozen=True, slots=True)
class Agreement:
    """One lot lends to one hospital.

    `margin` spaces of what is seen free are never promised: they cover walk-ins between two reports. `max_stay` ends a
    stay whose exit was never seen. `valid_from` and `valid_to` are local dates, both included.
    """

    agreement_id: AgreementId
    lot_id: LotId
    hospital_id: HospitalId
    windows: tuple[LendingWindow, ...]
    margin: int = 0
    max_stay: timedelta = timedelta(hours=12)
    valid_from: date | None = None
    valid_to: date | None = None
    paused: bool = False

    def lent_at(self, at: datetime, zone: ZoneInfo) -> Mapping[SpaceClass, int]:
        """Give how many spaces of each class are lent at `at`; classes not lent now are absent."""
        local = at.astimezone(zone)
        if self.paused or not self._valid_on(local.date()):
            return {}
        lent: dict[SpaceClass, int] = {}
        for window in self.windows:
            if window.covers(local):
                lent[window.space_class] = max(lent.get(window.space_class, 0), window.spaces)
        return lent

    def _valid_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)
