"""Made series of hours: lots that live as real ones do, to be broken in known ways."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bowei.domain.assessing import Hour, Series

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 3, 2, tzinfo=ZONE)
"""Monday, 2 March 2026, midnight in Hangzhou."""
CAPACITY = 300
HOUR = timedelta(hours=1)

FreeAt = Callable[[datetime], tuple[int, int]]
"""The lowest and the highest count of an hour, by its local start."""


def mall(at: datetime) -> tuple[int, int]:
    """Live as a mall: still and nearly empty at night, moving from 8 to 22 on every day."""
    if not 8 <= at.hour < 22:
        return 290, 290
    middle = 40 + 25 * abs(at.hour - 15) + 3 * (at.day % 5)
    return middle, middle + 12


def office(at: datetime) -> tuple[int, int]:
    """Live as an office: moving from 7 to 20 on working days, still with a few left cars else."""
    if at.isoweekday() > 5 or not 7 <= at.hour < 20:
        return 280, 280
    middle = 30 + 20 * abs(at.hour - 13)
    return middle, middle + 9


def hours(free_at: FreeAt, start: datetime, until: datetime, *, step: int = 1) -> list[Hour]:
    """Let a lot live from one instant to another, reporting every minute, in every `step`th hour."""
    made = []
    at = start
    while at < until:
        low, high = free_at(at)
        last = high if at.hour % 2 else low
        made.append(Hour(at.astimezone(UTC), 60, low, high, last, 1 if low == high else high - low, CAPACITY))
        at += step * HOUR
    return made


def stands(count: int, start: datetime, until: datetime) -> list[Hour]:
    """Let a counter stand still."""
    return hours(lambda _: (count, count), start, until)


def series_of(made: Iterable[Hour]) -> Series:
    """Put hours together."""
    return Series(CAPACITY, "Asia/Shanghai", list(made))
