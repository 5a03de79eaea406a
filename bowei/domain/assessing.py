"""Assessing: what only a series of reports can show of a lot, each finding with its evidence.

One report is judged in `observations`. Here a lot's last weeks are looked at, hour by hour: does its counter still
count, is it a count at all, does its clock run, is its capacity what was registered? A rule speaks only where the
lot's own history gives it ground, and is silent otherwise: a constant is not always stuck.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

from bowei.domain.dirt import Dirt
from bowei.domain.freshness import believed_for

Evidence: TypeAlias = Mapping[str, int | float | str]
"""Numbers and short words that a person can check; JSON as it stands."""

LOOKS_BACK = timedelta(days=28)
"""How much of a lot's past is looked at: four of each hour of the week."""
RECENT = timedelta(days=3)

BINARY_DAYS, BINARY_SWITCHES = 3, 6
"""Over so many days, and with so many changes, two values and no third are a yes and a no."""

FROZEN_REPORTS, FROZEN_FOR = 3, timedelta(minutes=10)
"""So many reports over so long that say one time and different counts: their clock stands still."""

CAPACITY_MOVED_SHARE, CAPACITY_MOVED_SPACES = 0.10, 5
CAPACITY_HOURS = 3
"""A capacity that differs so much from what was usual, in so many hours in a row, has moved."""

SPILL_DAYS = 2
SPILL_HOURS = 24
"""More free than there are spaces, on so many other days before or in so many hours: the register is wrong."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What a lot said in one hour (UTC, by when it was observed); the counts are of reports that said `free`.

    `values`: how many different counts. `spilled`: reports with more free than the capacity, which were not believed;
    `spilled_to` the most they said.
    """

    at: datetime
    reports: int
    low: int | None = None
    high: int | None = None
    last: int | None = None
    values: int = 0
    capacity: int | None = None
    spilled: int = 0
    spilled_to: int | None = None

    @property
    def is_still(self) -> bool:
        """Say whether there was one count and no other."""
        return self.low is not None and self.low == self.high


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The reports that say the same time as the newest one: how many, with how many counts, received from when on."""

    reports: int
    values: int
    first_received_at: datetime
    last_received_at: datetime


@dataclass(frozen=True, slots=True)
class Day:
    """A lot's day: its first and last count, the cars that passed between these, and what the lot itself reconciled."""

    day: date
    enters: int = 0
    exits: int = 0
    free_first: int | None = None
    free_last: int | None = None
    arrived: int | None = None
    left: int | None = None
    """As the lot states for the whole day; the next two are the passages of the same whole day."""
    day_enters: int = 0
    day_exits: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """A lot's last weeks: hours and days oldest first, those without a report left out."""

    capacity: int
    """As registered."""
    timezone: str
    hours: Sequence[Hour] = ()
    days: Sequence[Day] = ()
    clock: ClockReading | None = None
    last_at: datetime | None = None
    """Of the newest believed report."""
    usual_gap: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a lot: since when, how sure (0 to 1), and what shows it."""

    dirt: Dirt
    since: datetime
    confidence: float
    evidence: Evidence = field(default_factory=dict)


def find_binary(series: Series) -> Iterator[Finding]:
    """A yes or no that looks like a count: two values, often exchanged, and never a third."""
    counted = [hour for hour in series.hours if hour.low is not None and hour.high is not None]
    said = {value for hour in counted for value in (hour.low, hour.high) if value is not None}
    if len(said) != 2 or any(hour.values > 2 for hour in counted):
        return
    lasts = [hour.last for hour in counted]
    switches = sum(a != b for a, b in pairwise(lasts))
    days = {hour.at.date() for hour in counted}
    if len(days) >= BINARY_DAYS and switches >= BINARY_SWITCHES:
        low, high = sorted(said)
        yield Finding(
            Dirt.BINARY_COUNT,
            counted[0].at,
            confidence=0.9 if (low, high) in {(0, 1), (0, series.capacity)} else 0.8,
            evidence={"low": low, "high": high, "switches": switches, "days": len(days)},
        )


def find_frozen_clock(series: Series) -> Iterator[Finding]:
    """A source whose time stands still while its counts move."""
    clock = series.clock
    if clock is None or clock.reports < FROZEN_REPORTS or clock.values < 2:
        return
    stood_for = clock.last_received_at - clock.first_received_at
    if stood_for >= FROZEN_FOR:
        yield Finding(
            Dirt.FROZEN_CLOCK,
            clock.first_received_at,
            confidence=0.95,
            evidence={"reports": clock.reports, "counts": clock.values, "stood_s": int(stood_for.total_seconds())},
        )


def find_capacity(series: Series) -> Iterator[Finding]:
    """A capacity that became 0, or that differs from what the lot usually says."""
    said = [(hour.at, hour.capacity) for hour in series.hours if hour.capacity is not None]
    if len(said) < CAPACITY_HOURS:
        return
    now = said[-1][1]
    place = len(said)
    while place and said[place - 1][1] == now:
        place -= 1
    since, hours = said[place][0], len(said) - place
    if now == 0:
        yield Finding(
            Dirt.CAPACITY_ZERO, since, 0.9, {"registered": series.capacity, "hours": hours, "reports": len(said)}
        )
        return
    before = [capacity for _, capacity in said[:place] if capacity]
    usual = max(set(before), key=before.count) if len(before) >= CAPACITY_HOURS else series.capacity
    if hours >= CAPACITY_HOURS and abs(now - usual) > max(CAPACITY_MOVED_SPACES, CAPACITY_MOVED_SHARE * usual):
        evidence = {"now": now, "usual": usual, "registered": series.capacity, "hours": hours}
        yield Finding(Dirt.CAPACITY_MOVED, since, min(0.95, 0.5 + 0.02 * hours), evidence)


def find_spill(series: Series, now: datetime) -> Iterator[Finding]:
    """More free than there are spaces: is the register wrong (it comes again, to the same height), or was it a spike?

    `registry_wrong` suggests the capacity that would have held all of it.
    """
    spilled = [hour for hour in series.hours if hour.spilled]
    if not spilled or spilled[-1].at < now - RECENT:
        return
    most = max(hour.spilled_to or 0 for hour in spilled)
    days = {hour.at.date() for hour in spilled}
    evidence = {
        "capacity": series.capacity,
        "most_free": most,
        "hours": len(spilled),
        "days": len(days),
        "reports": sum(hour.spilled for hour in spilled),
    }
    if len(days) > SPILL_DAYS or len(spilled) >= SPILL_HOURS:
        said: Evidence = evidence | {"suggests_capacity": most}
        yield Finding(Dirt.FREE_ABOVE_CAPACITY, spilled[0].at, min(0.95, 0.6 + 0.05 * len(days)), said)
    else:
        yield Finding(Dirt.OVERFLOW, spilled[0].at, 0.6, evidence)


def find_gap(series: Series, now: datetime) -> Iterator[Finding]:
    """A lot that is silent for longer than its own habit allows."""
    if series.last_at is not None and now - series.last_at > believed_for(series.usual_gap):
        silent, usual = now - series.last_at, series.usual_gap
        evidence = {"silent_s": int(silent.total_seconds()), "usual_gap_s": int(usual.total_seconds())}
        yield Finding(Dirt.GAP, series.last_at, 1.0, evidence)
