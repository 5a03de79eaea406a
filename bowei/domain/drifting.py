"""Drift: a counter that loses cars, seen against the passages of its own barrier and against its daily reconciliation.

Counting gates lose about 7 % of the cars that pass (a known figure of the field). A lot's count is believed as long as
what it lost in a day stays below that, or is few spaces beside its capacity.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time

from bowei.domain.assessing import Day, Finding, Series
from bowei.domain.dirt import Dirt

DRIFT_SHARE = 0.07
"""Of the cars of a day."""
DRIFT_OF_CAPACITY = 0.07
DRIFT_SPACES = 5
CARS_LEAST = 50
"""A day with fewer cars shows nothing."""
DRIFT_DAYS, DAYS_LOOKED_AT = 2, 3
"""On so many of the last so many days."""


def find_drift(series: Series) -> Iterator[Finding]:
    """Yield at most one finding for each yardstick: passages, and the lot's own reconciliation."""
    days = series.days[-DAYS_LOOKED_AT:]
    drifted = [(day, lost) for day in days if (lost := residual(day)) is not None and _too_much(day, lost, series)]
    if len(drifted) >= DRIFT_DAYS:
        yield _finding(
            [day for day, _ in drifted],
            against="passages",
            lost=sum(lost for _, lost in drifted),
            cars=sum(day.enters + day.exits for day, _ in drifted),
        )
    missing = [(day, lost) for day in days if (lost := unreconciled(day)) is not None and _unlike(day, lost)]
    if len(missing) >= DRIFT_DAYS:
        yield _finding(
            [day for day, _ in missing],
            against="reconciliation",
            lost=sum(lost for _, lost in missing),
            cars=sum((day.arrived or 0) + (day.left or 0) for day, _ in missing),
        )


def residual(day: Day) -> int | None:
    """Give how many spaces the count gained (or lost, below 0) in a day beyond what passed; None: not known."""
    if day.free_first is None or day.free_last is None or day.enters + day.exits < CARS_LEAST:
        return None
    return (day.free_last - day.free_first) - (day.exits - day.enters)


def unreconciled(day: Day) -> int | None:
    """Give how many cars of a day's own reconciliation did not come as passages, or too many; None: not known."""
    if day.arrived is None or day.left is None or day.arrived + day.left < CARS_LEAST:
        return None
    if day.day_enters + day.day_exits == 0:
        return None  # a lot that sends counts only
    return abs(day.arrived - day.day_enters) + abs(day.left - day.day_exits)


def _too_much(day: Day, lost: int, series: Series) -> bool:
    cars = day.enters + day.exits
    return abs(lost) > max(DRIFT_SPACES, DRIFT_SHARE * cars, DRIFT_OF_CAPACITY * series.capacity)


def _unlike(day: Day, lost: int) -> bool:
    return lost > max(DRIFT_SPACES, DRIFT_SHARE * ((day.arrived or 0) + (day.left or 0)))


def _finding(days: Sequence[Day], *, against: str, lost: int, cars: int) -> Finding:
    since = datetime.combine(days[0].day, time(), UTC)
    evidence: dict[str, int | float | str] = {
        "against": against,
        "days": len(days),
        "cars": cars,
        "lost": lost,
        "share": round(abs(lost) / cars, 3),
    }
    return Finding(Dirt.DRIFT, since, 0.7 if len(days) < DAYS_LOOKED_AT else 0.85, evidence)
