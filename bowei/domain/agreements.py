"""Agreements: who lends how many spaces of which class to which hospital, when, and how many are kept back.

What is lent at an instant, and when a car must be out again, are pure functions of the agreement, the instant and the
lot's own time zone. The ledger holds the same rules in SQL (`bowei.lent_at`, `bowei.out_by`), because it decides with
them; a contract test compares the two. All of it is reckoned on the lot's own wall clock and calendar.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NewType

from bowei.domain.calendars import HOLIDAY, LocalTime
from bowei.domain.lots import HospitalId, LotId, SpaceClass, Standing
from bowei.domain.tariffs import Tariff

AgreementId = NewType("AgreementId", str)

EVERY_DAY = frozenset(range(1, 8))
_DAY = timedelta(days=1)
_DAYS_AHEAD = 7
"""No stay is longer than a week, so no end of lending farther ahead matters to a car that comes now."""


class MarginRule(StrEnum):
    """How many spaces an agreement keeps back."""

    LAW = "law"
    """As many as the margin law asks for (`margins`), and never fewer than are stated."""
    FIXED = "fixed"
    """As many as are stated."""


@dataclass(frozen=True, slots=True)
class QuotaStep:
    """From a local hour on, so many spaces are lent."""

    at: time
    spaces: int


@dataclass(frozen=True, slots=True)
class LendingWindow:
    """Hours of some days in which spaces of one class are lent.

    `days` are what the day on which the window starts may count as: an ISO weekday (1 Monday .. 7 Sunday), or a public
    holiday (8). All seven weekdays are every day, and so holidays too. `stops` at or before `starts` means the
    next day: 22:00 to 06:00 crosses midnight, and 00:00 to 00:00 is the whole day. `spaces` are lent from the start,
    and other numbers from each of `steps` on. A window with steps tapers: who would still stand there when nothing is
    lent any more is not sent there. Without steps only the arrival must fall into the window.
    """

    space_class: SpaceClass
    spaces: int
    days: frozenset[int] = EVERY_DAY
    starts: time = time(0)
    stops: time = time(0)
    steps: tuple[QuotaStep, ...] = ()

    @property
    def quotas(self) -> tuple[int, ...]:
        """Give every number of spaces that the window lends at some hour."""
        return (self.spaces, *(step.spaces for step in self.steps))

    @property
    def steps_in_order(self) -> bool:
        """Say whether the steps follow each other within the window, each after the start and before the stop."""
        offsets = [timedelta(), *(_since(self.starts, step.at) for step in self.steps)]
        length = _since(self.starts, self.stops) or _DAY
        return all(first < after for first, after in itertools.pairwise(offsets)) and offsets[-1] < length

    def covers(self, wall: datetime, local: LocalTime) -> bool:
        """Say whether the window is open at a wall-clock time; the start is within, the end is not."""
        clock, today = wall.time().replace(tzinfo=None), wall.date()
        if self.starts < self.stops:
            return self.starts <= clock < self.stops and self._starts_on(local.kind_of(today))
        return (clock >= self.starts and self._starts_on(local.kind_of(today))) or (
            clock < self.stops and self._starts_on(local.kind_of(today - _DAY))
        )

    def _starts_on(self, kind: int) -> bool:
        return kind in self.days or (kind == HOLIDAY and self.days >= EVERY_DAY)

    def spaces_at(self, wall: datetime) -> int:
        """Give how many spaces are lent at a wall-clock time that the window covers."""
        since_start = _since(self.starts, wall.time().replace(tzinfo=None))
        lent = self.spaces
        for step in self.steps:
            if _since(self.starts, step.at) <= since_start:
                lent = step.spaces
        return lent


@dataclass(frozen=True, slots=True)
class Agreement:
    """One lot lends to one hospital.

    `margin` spaces of what is seen free are never promised: they cover walk-ins between two reports. `max_stay` ends a
    stay whose exit was never seen, and is the longest that may be asked for. `latest_leave` is the local hour by which
    every car must be out. `valid_from` and `valid_to` are local dates, both included. `protects` says how many spaces
    are kept for those of a standing from all who stand after them.
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
    margin_rule: MarginRule = MarginRule.LAW
    latest_leave: time | None = None
    tariff: Tariff | None = None
    protects: Mapping[Standing, int] = field(default_factory=dict)

    @property
    def bounds_stays(self) -> bool:
        """Say whether a car may ever have to be out by an hour."""
        return self.latest_leave is not None or any(window.steps for window in self.windows)

    @property
    def minutely(self) -> bool:
        """Say whether all hours are whole minutes, so that nothing changes within one."""
        clocks = [clock for one in self.windows for clock in (one.starts, one.stops, *(step.at for step in one.steps))]
        clocks += [] if self.latest_leave is None else [self.latest_leave]
        return not any(clock.second or clock.microsecond for clock in clocks)

    def lent_at(self, at: datetime, local: LocalTime) -> Mapping[SpaceClass, int]:
        """Give how many spaces of each class are lent at `at`; classes not lent now are absent."""
        wall = at.astimezone(local.zone)
        if self.paused or not self._valid_on(wall.date()):
            return {}
        return self._lent_on(wall, local)

    def out_by(self, at: datetime, local: LocalTime, space_class: SpaceClass) -> datetime | None:
        """Give when a car that comes at `at` must be out again, on the lot's wall clock (naive); None: never said."""
        wall = at.astimezone(local.zone).replace(tzinfo=None)
        ends = [] if self.latest_leave is None else [_next(self.latest_leave, wall)]
        ends += [end for end in self._turns(wall, space_class) if self._lent_on(end, local).get(space_class, 0) == 0]
        return min(ends, default=None)

    def _lent_on(self, wall: datetime, local: LocalTime) -> dict[SpaceClass, int]:
        lent: dict[SpaceClass, int] = {}
        for window in self.windows:
            if window.covers(wall, local):
                lent[window.space_class] = max(lent.get(window.space_class, 0), window.spaces_at(wall))
        return lent

    def _turns(self, wall: datetime, space_class: SpaceClass) -> Iterator[datetime]:
        """Give when tapering windows of a class change what they lend, after `wall`."""
        for window in self.windows:
            if window.steps and window.space_class is space_class:
                for clock in (*(step.at for step in window.steps), window.stops):
                    first = _next(clock, wall)
                    yield from (first + day * _DAY for day in range(_DAYS_AHEAD))

    def _valid_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


def _since(starts: time, clock: time) -> timedelta:
    """Give how long after a window's start a clock time comes, the next day's where it is before it."""
    some_day = date(2000, 1, 3)
    return (datetime.combine(some_day, clock) - datetime.combine(some_day, starts)) % _DAY


def _next(clock: time, wall: datetime) -> datetime:
    """Give the first time after `wall` at which the wall clock shows `clock`."""
    today = datetime.combine(wall.date(), clock)
    return today if today > wall else today + _DAY
