"""Agreements: who lends how many spaces of which class to which hospital, when, and how many are kept back.

What is lent at an instant, and when a car must be out again, are pure functions of the agreement, the instant and the
lot's own time zone. The ledger holds the same rules in SQL (`bowei.lent_at`, `bowei.out_by`), because it decides with
them; a contract test compares the two. All of it is reckoned on the lot's own wall clock.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NewType
from zoneinfo import ZoneInfo

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
    """Hours of some weekdays in which spaces of one class are lent.

    `days` are ISO weekdays (1 Monday .. 7 Sunday) on which the window starts. `stops` at or before `starts` means the
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

    def covers(self, local: datetime) -> bool:
        """Say whether the window is open at a local wall-clock time; the start is within, the end is not."""
        clock = local.time().replace(tzinfo=None)
        today, yesterday = local.isoweekday(), (local - _DAY).isoweekday()
        if self.starts < self.stops:
            return today in self.days and self.starts <= clock < self.stops
        return (today in self.days and clock >= self.starts) or (yesterday in self.days and clock < self.stops)

    def spaces_at(self, local: datetime) -> int:
        """Give how many spaces are lent at a local wall-clock time that the window covers."""
        since_start = _since(self.starts, local.time().replace(tzinfo=None))
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

    def lent_at(self, at: datetime, zone: ZoneInfo) -> Mapping[SpaceClass, int]:
        """Give how many spaces of each class are lent at `at`; classes not lent now are absent."""
        local = at.astimezone(zone)
        if self.paused or not self._valid_on(local.date()):
            return {}
        return self._lent_on(local)

    def out_by(self, at: datetime, zone: ZoneInfo, space_class: SpaceClass) -> datetime | None:
        """Give when a car that comes at `at` must be out again, on the lot's wall clock (naive); None: never said."""
        local = at.astimezone(zone).replace(tzinfo=None)
        ends = [] if self.latest_leave is None else [_next(self.latest_leave, local)]
        ends += [end for end in self._turns(local, space_class) if self._lent_on(end).get(space_class, 0) == 0]
        return min(ends, default=None)

    def _lent_on(self, local: datetime) -> dict[SpaceClass, int]:
        lent: dict[SpaceClass, int] = {}
        for window in self.windows:
            if window.covers(local):
                lent[window.space_class] = max(lent.get(window.space_class, 0), window.spaces_at(local))
        return lent

    def _turns(self, local: datetime, space_class: SpaceClass) -> Iterator[datetime]:
        """Give when tapering windows of a class change what they lend, after `local`."""
        for window in self.windows:
            if window.steps and window.space_class is space_class:
                for clock in (*(step.at for step in window.steps), window.stops):
                    first = _next(clock, local)
                    yield from (first + day * _DAY for day in range(_DAYS_AHEAD))

    def _valid_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


def _since(starts: time, clock: time) -> timedelta:
    """Give how long after a window's start a clock time comes, the next day's where it is before it."""
    some_day = date(2000, 1, 3)
    return (datetime.combine(some_day, clock) - datetime.combine(some_day, starts)) % _DAY


def _next(clock: time, local: datetime) -> datetime:
    """Give the first time after `local` at which the wall clock shows `clock`."""
    today = datetime.combine(local.date(), clock)
    return today if today > local else today + _DAY
