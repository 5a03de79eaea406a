"""What the twin of quality looks at: hours, days and clocks, read from the reports themselves in plain words."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from bowei.domain.assessing import ClockReading, Day, Hour
from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Outcome, PassageKind
from bowei.records.in_memory.world import InMemoryRecords, KeptReport

_CLOCK_LOOKED_AT = timedelta(hours=6)
_CLOCK_LATE = timedelta(minutes=10)


def received_since(world: InMemoryRecords, lot_id: LotId, since: datetime) -> Iterator[KeptReport]:
    """Go through what came in about a lot after an instant."""
    yield from (kept for kept in world.history if kept.observation.lot_id == lot_id and kept.received_at > since)


def newest_source(world: InMemoryRecords, lot_id: LotId) -> SourceId | None:
    """Say who sent a lot's newest believed report."""
    applied = [one for one in world.history if one.observation.lot_id == lot_id and one.outcome is Outcome.APPLIED]
    return applied[-1].observation.source_id if applied else None


def hours_of(world: InMemoryRecords, lot_id: LotId, since: datetime) -> list[Hour]:
    """Give a lot's hours since an instant."""
    by_hour: dict[datetime, list[KeptReport]] = {}
    for kept in sorted(_said(world, lot_id), key=lambda one: one.observation.order):
        if kept.observation.observed_at >= since:
            hour = kept.observation.observed_at.replace(minute=0, second=0, microsecond=0)
            by_hour.setdefault(hour, []).append(kept)
    hours = [_hour(at, kept) for at, kept in sorted(by_hour.items())]
    return [hour for hour in hours if hour.reports or hour.spilled]


def _hour(at: datetime, kept: list[KeptReport]) -> Hour:
    believed = [one.observation for one in kept if one.outcome is not Outcome.QUARANTINED]
    spilled = [one.observation for one in kept if one.code == "free_above_capacity"]
    counts = [one.free for one in believed if one.free is not None]
    capacities = [one.capacity for one in believed if one.capacity is not None]
    of_spilled = [one.capacity for one in spilled if one.capacity is not None]
    return Hour(
        at=at,
        reports=len(believed),
        low=min(counts, default=None),
        high=max(counts, default=None),
        last=counts[-1] if counts else None,
        values=len(set(counts)),
        capacity=next(iter((capacities or of_spilled)[-1:]), None),
        spilled=len(spilled),
        spilled_to=max((one.free for one in spilled if one.free is not None), default=None),
    )


def days_of(world: InMemoryRecords, lot_id: LotId, most: int) -> list[Day]:
    """Give a lot's last full local days, oldest first."""
    zone = world.lots[lot_id].zone
    today = world.now.astimezone(zone).date()
    days = []
    for ago in range(most, 0, -1):
        day = today - timedelta(days=ago)
        counts = sorted(
            (one.observation.order, one.observation.free)
            for one in _said(world, lot_id)
            if one.outcome is not Outcome.QUARANTINED
            and one.observation.free is not None
            and one.observation.observed_at.astimezone(zone).date() == day
        )
        cars = [
            (kind, passed_at)
            for (passed_lot, _, kind), passed_at in world.passages.items()
            if passed_lot == lot_id and passed_at.astimezone(zone).date() == day
        ]
        within = [kind for kind, at in cars if counts and counts[0][0][0] < at <= counts[-1][0][0]]
        said = world.reconciliations.get((lot_id, day))
        days.append(
            Day(
                day=day,
                enters=within.count(PassageKind.ENTER),
                exits=within.count(PassageKind.EXIT),
                free_first=counts[0][1] if counts else None,
                free_last=counts[-1][1] if counts else None,
                arrived=None if said is None else said.arrived,
                left=None if said is None else said.departed,
                day_enters=sum(kind is PassageKind.ENTER for kind, _ in cars),
                day_exits=sum(kind is PassageKind.EXIT for kind, _ in cars),
            )
        )
    return days


def clock_of(world: InMemoryRecords, lot_id: LotId) -> ClockReading | None:
    """Give the reports of the time that the newest one says, where that was long past when it came."""
    report = world.reports.get(lot_id)
    if report is None or report.received_at - (report.said_at or report.observed_at) <= _CLOCK_LATE:
        return None
    same = [
        kept
        for kept in received_since(world, lot_id, world.now - _CLOCK_LOOKED_AT)
        if (kept.said_at or kept.observation.observed_at) == (report.said_at or report.observed_at)
    ]
    return ClockReading(
        reports=len(same),
        values=len({kept.observation.free for kept in same if kept.observation.free is not None}),
        first_received_at=min((kept.received_at for kept in same), default=report.received_at),
        last_received_at=max((kept.received_at for kept in same), default=report.received_at),
    )


def _said(world: InMemoryRecords, lot_id: LotId) -> Iterator[KeptReport]:
    yield from (kept for kept in world.history if kept.observation.lot_id == lot_id)
