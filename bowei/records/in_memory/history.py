"""History's twin: hours are summed up from the reports themselves, in plain words."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

from typing_extensions import override

from bowei.domain.lots import LotId
from bowei.domain.observations import Outcome
from bowei.records.history import Forgotten, HistoryState, Hour, KeepsHistory, ReadsHours
from bowei.records.in_memory.world import InMemoryRecords, KeptReport

_DAYS_AHEAD = 7
_LOTS_AT_ONCE = 200
_HOUR = timedelta(hours=1)
_AHEAD = timedelta(minutes=1)
"""How far ahead of ours a lot's clock may run, and more."""


class InMemoryHistory(KeepsHistory, ReadsHours):
    """History in memory."""

    def __init__(self, records: InMemoryRecords) -> None:
        self._records = records
        self._days: set[date] = set()
        self._hours: dict[tuple[datetime, LotId], Hour] = {}
        self._due: set[tuple[datetime, LotId]] = set()
        self._noted_to: datetime | None = None
        self._looked_at: datetime | None = None
        self._forgotten_to: datetime | None = None

    @property
    def summed_up(self) -> Mapping[tuple[datetime, LotId], Hour]:
        """Every hour that is summed up, now and later."""
        return self._hours

    @override
    async def make_days(self) -> int:
        today = self._records.now.date()
        wanted = {today + timedelta(days=ahead) for ahead in range(_DAYS_AHEAD + 1)}
        missing = (wanted | {kept.received_at.date() for kept in self._records.history}) - self._days
        self._days |= missing
        return len(missing)

    @override
    async def note_hours(self) -> None:
        said = self._records.history
        if self._noted_to is None:
            self._noted_to = _hour_of(min((kept.received_at for kept in said), default=self._records.now))
        elif self._looked_at is not None:
            upto = min(_hour_of(self._looked_at), self._noted_to + timedelta(days=1))
            if upto > self._noted_to:
                self._due |= {
                    (_hour_of(kept.observation.observed_at), kept.observation.lot_id)
                    for kept in said
                    if self._noted_to <= kept.received_at < upto
                }
                self._noted_to = upto
        self._looked_at = self._records.now

    @override
    async def roll_up(self) -> int:
        due = sorted(self._due)
        some = [one for one in due if one[0] == due[0][0]][:_LOTS_AT_ONCE]
        for hour, lot_id in some:
            whole = self._forgotten_to is None or self._forgotten_to <= hour - _AHEAD
            summed = _sum_up(hour, lot_id, self._records.history)
            if summed is not None and (whole or (hour, lot_id) not in self._hours):
                self._hours[hour, lot_id] = summed
            self._due.discard((hour, lot_id))
        return len(some)

    @override
    async def forget(self, *, days: int, hourly_days: int) -> Forgotten:
        now, records = self._records.now, self._records
        kept_from = now - timedelta(days=days)
        dropped = self._drop_day(kept_from)
        passages = [key for key, received_at in records.passages_received.items() if received_at < kept_from]
        for key in passages:
            del records.passages[key], records.passages_received[key]
        hours = [key for key in self._hours if key[0] < now - timedelta(days=hourly_days)]
        for hour in hours:
            del self._hours[hour]
        return Forgotten(days=dropped, passages=len(passages), hours=len(hours))

    def _drop_day(self, kept_from: datetime) -> int:
        if not self._days:
            return 0
        day = min(self._days)
        ended = datetime(day.year, day.month, day.day, tzinfo=kept_from.tzinfo) + timedelta(days=1)
        summed_up = self._noted_to is not None and self._noted_to >= ended + _HOUR
        if ended > kept_from or not summed_up or any(hour <= ended for hour, _ in self._due):
            return 0
        self._days.remove(day)
        self._records.history[:] = [kept for kept in self._records.history if kept.received_at.date() != day]
        self._forgotten_to = ended
        return 1

    @override
    async def state(self) -> HistoryState:
        behind = 0 if self._noted_to is None else (_hour_of(self._records.now) - self._noted_to) // _HOUR
        undated = sum(kept.received_at.date() not in self._days for kept in self._records.history)
        return HistoryState(hours_behind=max(0, behind), hours_due=len(self._due), undated=undated)

    @override
    async def hours(self, lot_id: LotId, since: datetime, until: datetime) -> Sequence[Hour]:
        found = [one for (hour, lot), one in self._hours.items() if lot == lot_id and since <= hour < until]
        return sorted(found, key=lambda one: one.hour)

    @override
    async def hours_of_all(self, hour: datetime) -> Sequence[Hour]:
        return [one for (_, _), one in sorted(self._hours.items()) if one.hour == hour]

    @override
    async def summed_up_to(self) -> datetime | None:
        if self._noted_to is None:
            return None
        return min((self._noted_to, *(hour for hour, _ in self._due)))


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _sum_up(hour: datetime, lot_id: LotId, kept: Sequence[KeptReport]) -> Hour | None:
    said = [one for one in kept if one.observation.lot_id == lot_id and _hour_of(one.observation.observed_at) == hour]
    said.sort(key=lambda one: one.observation.order)  # stable: of one instant, the later received comes later
    if not said:
        return None
    believed = [one.observation for one in said if one.outcome is not Outcome.QUARANTINED]
    frees = [one.free for one in believed if one.free is not None]
    capacities = [one.capacity for one in believed if one.capacity is not None]
    return Hour(
        lot_id=lot_id,
        hour=hour,
        reports=len(said),
        believed=len(believed),
        quarantined=len(said) - len(believed),
        counted=len(frees),
        first_observed_at=said[0].observation.observed_at,
        last_observed_at=said[-1].observation.observed_at,
        free_min=min(frees, default=None),
        free_mean=sum(frees) / len(frees) if frees else None,
        free_max=max(frees, default=None),
        free_last=frees[-1] if frees else None,
        free_values=len(set(frees)),
        free_changes=sum(one != before for before, one in pairwise(frees)),
        capacity_last=capacities[-1] if capacities else None,
        longest_gap=max((one.observed_at - before.observed_at for before, one in pairwise(believed)), default=None),
    )
