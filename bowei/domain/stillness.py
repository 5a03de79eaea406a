"""Stillness: when a counter that does not move is stuck, and when it is only night.

What a lot does at each hour of its week says how often it would have moved by now, had it been counting. Where that
is often, and it did not, it is stuck. An empty night or a full day that is usual is not: such hours are still every
week. Nor is a week of holidays: a lot then rests at its usual night level, or at an edge (full, empty), so there it is
given longer than any holiday lasts.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from bowei.domain.assessing import Finding, Hour, Series
from bowei.domain.dirt import Dirt

EXPECTED_MOVES = 8.0
"""Hours of movement that failed to come. Were hours independent, a healthy lot would miss so many once in 3,000."""
STILL_LEAST = timedelta(hours=6)
HISTORY_HOURS, HISTORY_DAYS = 72, 5
"""What a lot must have said before its stillness can be told from its habit."""
RESTING_FOR = timedelta(days=12)
"""At an edge, or at its night level. The longest public holiday of China is nine days, and a weekend may join it."""

HARDLY_DAYS, HARDLY_REPORTS, HARDLY_SHARE = 4, 50, 0.02
"""A lot that never counted has no habit: over so many days and reports, it moved in so few of its hours."""
HARDLY_FOR, HARDLY_AT_EDGE_FOR = timedelta(days=3), timedelta(days=14)

REST_DAYS = 3
"""A lot that stood still near a count on so many days rests there."""

_EDGE_SHARE, _REST_SHARE = 0.01, 0.03
_PRIOR = 2.0
"""How many hours the wider habit (this hour of any such day, any hour) counts for beside the hour of the week."""


def find_stuck(series: Series, now: datetime) -> Iterator[Finding]:
    """Yield a finding where the counter stands still and should not."""
    hours = [hour for hour in series.hours if hour.low is not None]
    run = _still_run(hours)
    if run == 0:
        return
    still = hours[-run:]
    value, since = still[-1].last, still[0].at
    stands_for = min(now, still[-1].at + timedelta(hours=1)) - since
    moved = _moves(hours)
    evidence: dict[str, int | float | str] = {
        "free": value if value is not None else 0,
        "still_h": round(stands_for / timedelta(hours=1)),
        "reports": sum(hour.reports for hour in still),
        "hours_seen": len(hours),
        "hours_moved": sum(moved),
    }
    edge = value is not None and _at_edge(value, series.capacity)
    if _hardly_moves(hours, moved) and stands_for >= (HARDLY_AT_EDGE_FOR if edge else HARDLY_FOR):
        yield Finding(Dirt.STUCK, since, 0.7, evidence | {"why": "hardly_ever_moves"})
        return
    before, moved_before = hours[:-run], moved[:-run]
    expected = _expected_moves(before, moved_before, still, ZoneInfo(series.timezone))
    if expected is None or expected < EXPECTED_MOVES or stands_for < STILL_LEAST:
        return
    resting = edge or (value is not None and _at_rest(value, series.capacity, before, moved_before))
    if stands_for >= (RESTING_FOR if resting else STILL_LEAST):
        evidence |= {"expected_moves": round(expected, 1), "why": "should_have_moved"}
        yield Finding(Dirt.STUCK, since, 0.8 if resting else 0.95, evidence)


def _still_run(hours: Sequence[Hour]) -> int:
    """Count the last hours that all said one and the same count."""
    run = 0
    for hour in reversed(hours):
        if not hour.is_still or hour.last != hours[-1].last:
            break
        run += 1
    return run


def _moves(hours: Sequence[Hour]) -> list[bool]:
    """Say of each hour whether the count moved in it, or since the hour before."""
    if not hours:
        return []
    return [not hours[0].is_still] + [not b.is_still or b.low != a.last for a, b in pairwise(hours)]


def _at_edge(free: int, capacity: int) -> bool:
    near = max(1, round(_EDGE_SHARE * capacity))
    return free <= near or free >= capacity - near


def _at_rest(value: int, capacity: int, before: Sequence[Hour], moved: Sequence[bool]) -> bool:
    """Say whether the lot stood still near this count on several days before."""
    near = max(1, round(_REST_SHARE * capacity))
    rested = {
        hour.at.date()
        for hour, one in zip(before, moved, strict=True)
        if not one and hour.last is not None and abs(hour.last - value) <= near
    }
    return len(rested) >= REST_DAYS


def _hardly_moves(hours: Sequence[Hour], moved: Sequence[bool]) -> bool:
    reports = sum(hour.reports for hour in hours)
    seen_for = hours[-1].at - hours[0].at
    return (
        seen_for >= timedelta(days=HARDLY_DAYS)
        and reports >= HARDLY_REPORTS
        and sum(moved) <= HARDLY_SHARE * len(hours)
    )


def _expected_moves(
    before: Sequence[Hour], moved: Sequence[bool], still: Sequence[Hour], zone: ZoneInfo
) -> float | None:
    """Give in how many of the still hours the lot would usually have moved; None where it is not known well enough.

    An hour of a kind of day (working day, weekend) that was not seen yet says nothing, and counts as 0.
    """
    if len(before) < HISTORY_HOURS or len({hour.at.date() for hour in before}) < HISTORY_DAYS:
        return None
    seen: Counter[tuple[object, ...]] = Counter()
    moves: Counter[tuple[object, ...]] = Counter()
    for hour, one in zip(before, moved, strict=True):
        for level in _levels(hour.at, zone):
            seen[level] += 1
            moves[level] += one
    return sum(_chance(_levels(hour.at, zone), seen, moves) for hour in still)


def _levels(at: datetime, zone: ZoneInfo) -> tuple[tuple[object, ...], ...]:
    """Give the habits that an hour belongs to, the widest first."""
    local = at.astimezone(zone)
    weekend = local.isoweekday() > 5
    return (("any", weekend), ("hour", weekend, local.hour), ("week", local.isoweekday(), local.hour))


def _chance(
    levels: Sequence[tuple[object, ...]], seen: Counter[tuple[object, ...]], moves: Counter[tuple[object, ...]]
) -> float:
    widest = levels[0]
    if not seen[widest]:
        return 0.0
    chance = moves[widest] / seen[widest]
    for level in levels[1:]:
        chance = (moves[level] + _PRIOR * chance) / (seen[level] + _PRIOR)
    return chance
