"""The ports of history: what lots said, kept by day, summed up by hour, and forgotten when its time is over.

Hours and days are UTC. An hour is summed up once it has ended, and again whenever a report of it comes late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bowei.domain.lots import LotId


@dataclass(frozen=True, slots=True)
class Hour:
    """What a lot said of one hour, by when it was observed.

    `believed` reports were applied or came late; the counts are of those among them that said `free` (`counted`):
    `free_mean` is over the reports, not over the time; `free_values` how many different ones there were,
    `free_changes` how often one differed from the one before. `longest_gap` lies between two believed reports.
    """

    lot_id: LotId
    hour: datetime
    reports: int
    believed: int
    quarantined: int
    counted: int
    first_observed_at: datetime
    last_observed_at: datetime
    free_min: int | None = None
    free_mean: float | None = None
    free_max: int | None = None
    free_last: int | None = None
    free_values: int = 0
    free_changes: int = 0
    capacity_last: int | None = None
    longest_gap: timedelta | None = None


@dataclass(frozen=True, slots=True)
class HistoryState:
    """How far the keeping is: full hours not looked at yet, lots' hours due, and reports of which no day was made."""

    hours_behind: int
    hours_due: int
    undated: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What one round of forgetting took: whole days of reports, and rows of the rest."""

    days: int = 0
    passages: int = 0
    hours: int = 0

    @property
    def anything(self) -> bool:
        """Say whether another round may find more."""
        return bool(self.days or self.passages or self.hours)


class KeepsHistory(Protocol):
    """Keeps history in order. Every method may be called at any time, and does a bounded piece of work.

    Every method raises StoreAway or OutcomeUnknown; what was begun is done by the next call.
    """

    async def make_days(self) -> int:
        """Make room for the days to come; give how many were missing."""
        ...

    async def note_hours(self) -> None:
        """Note which hours of which lots have ended, or have got a late report, since the last note."""
        ...

    async def roll_up(self) -> int:
        """Sum up some of the hours that are due; give how many lots' hours, 0 where none is due."""
        ...

    async def forget(self, *, days: int, hourly_days: int) -> Forgotten:
        """Forget some of what is older: reports and passages than `days`, hours than `hourly_days`.

        A day of reports is forgotten only when it is summed up.
        """
        ...

    async def state(self) -> HistoryState:
        """Say how far the keeping is."""
        ...


class ReadsHours(Protocol):
    """Reads what was summed up. Raises StoreAway."""

    async def hours(self, lot_id: LotId, since: datetime, until: datetime) -> Sequence[Hour]:
        """Give a lot's hours from `since` on and before `until`, oldest first; hours without a report are left out."""
        ...

    async def hours_of_all(self, hour: datetime) -> Sequence[Hour]:
        """Give one hour of every lot that reported in it, by lot."""
        ...

    async def summed_up_to(self) -> datetime | None:
        """Give before when every hour is summed up, but for reports that are yet to come; None: nothing is yet."""
        ...
