"""A free space at the time of arrival: how sure it is, and how many there will be.

The chance is a normal law without drift, with the lot's own restlessness, read through what came of it before:

    z = (f − ½) / (s · √(h / 5 min))        p_free = rates[turn](z), at first Φ(z)

f: spaces that may be promised now; h: how far ahead, the age of the report included; s: `volatility`; turn: whether the
lot usually fills, stays or empties in that time. The law had the best log-loss near full of all that was tried on
recordings; queueing models, which know arrivals and stays, are badly optimistic there: a lot that is full stays full.
For the same reason what is usual moves no z: it only says which curve of observed rates is read.

The mean is the last count and what usually changes from then on, with a bound for lots that are nearly full:

    mean = f + min(course(t + h) − course(t), 2 f)

Here is what a request pays for, in microseconds; what is learned for it, for all lots at once, is in `foreseeing`.
docs/forecasting.md has the measurements.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

STEP = timedelta(minutes=5)
"""The step in which counts are compared, and the unit of volatility."""

LEAST_VOLATILITY = 0.25
"""Spaces: no lot is so calm that nothing ever happens."""

KNOTS = (-1.25, -0.75, -0.375, -0.125, 0.125, 0.5, 1.1, 2.0, 3.2, 4.5)
"""The z at which observed rates are kept: below 0 of lots without a space to count on, above of those with one."""

TURN_AT = 0.5
"""A lot is filling or emptying where the usual change is more than this many deviations."""

COURSE_FROM, COURSE_STEP, COURSE_POINTS = timedelta(minutes=-60), timedelta(minutes=15), 11
"""Where around `Foreseen.at` a course is given: from the counts of an hour ago to arrivals in an hour and a half."""

MOST_GROWTH = 2.0
"""By how many times its count a lot is expected to empty at most, whatever is usual: one that is full stays full."""

_LEAST_DEVIATION = 0.5
"""Spaces: the unit in which a usual change is small or large, of a lot at rest."""
_LEAST_STEPS = timedelta(seconds=1) / STEP
_COURSE_STEPS = STEP / COURSE_STEP
_PLACE_OF_AT = -COURSE_FROM / COURSE_STEP
_LAST = COURSE_POINTS - 1
_BELOW, _ABOVE = KNOTS[3], KNOTS[4]
"""The last knot of lots without a space, the first of those with one."""
_SQRT_2 = math.sqrt(2.0)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is foreseen of one lot, beside its last count."""

    volatility: float
    """The standard deviation of the change of free spaces in one `STEP`."""
    at: datetime | None = None
    """When it was foreseen; `course` is told from then."""
    course: tuple[float, ...] = ()
    """How many spaces are usually free at `COURSE_POINTS` times around `at`; none: nothing is known to be usual."""
    rates: tuple[tuple[float, ...], ...] = ()
    """How often there was a space, by `KNOTS`, for lots that fill, stay and empty; none: nothing was learned yet."""

    def chance(self, free: float, ahead: timedelta, counted_at: datetime | None = None) -> float:
        """Give the chance that at least one of `free` spaces is still there `ahead` from when it was counted.

        `counted_at`: when that was; without it, when the lot was foreseen.
        """
        steps = max(ahead / STEP, _LEAST_STEPS)
        deviation = max(self.volatility, LEAST_VOLATILITY) * math.sqrt(steps)
        if not self.rates:
            return _law(free, deviation)
        turn = 1
        if self.course:
            change = self._change(steps, counted_at) / max(deviation, _LEAST_DEVIATION)
            turn = 0 if change < -TURN_AT else 2 if change >= TURN_AT else 1
        return _read(self.rates[turn], (free - 0.5) / deviation)

    def mean(self, free: int, ahead: timedelta, capacity: int, counted_at: datetime | None = None) -> float:
        """Give how many spaces are expected `ahead` from when `free` were counted: 0 to `capacity`."""
        change = min(self.change(ahead, counted_at), MOST_GROWTH * free)
        return min(max(free + change, 0.0), float(capacity))

    def change(self, ahead: timedelta, counted_at: datetime | None = None) -> float:
        """Give by how much the free spaces usually change in the time `ahead` of a count."""
        return self._change(ahead / STEP, counted_at) if self.course else 0.0

    def _change(self, steps: float, counted_at: datetime | None) -> float:
        place = _PLACE_OF_AT
        if counted_at is not None and self.at is not None:
            place += (counted_at - self.at) / COURSE_STEP
        return self._usual(place + steps * _COURSE_STEPS) - self._usual(place)

    def _usual(self, place: float) -> float:
        if place <= 0.0:
            return self.course[0]
        if place >= _LAST:
            return self.course[_LAST]
        left = int(place)
        start = self.course[left]
        return start + (place - left) * (self.course[left + 1] - start)


UNKNOWN_LOT = Foreseen(volatility=2.0)
"""What is assumed of a lot that nobody has watched yet."""


def chance_of_space(free: float, volatility: float, ahead: timedelta) -> float:
    """Give the chance in 0..1 that at least one space is free `ahead` of a count of `free` spaces, by the law alone."""
    return _law(free, max(volatility, LEAST_VOLATILITY) * math.sqrt(max(ahead / STEP, _LEAST_STEPS)))


def _law(free: float, deviation: float) -> float:
    return 0.5 * math.erfc((0.5 - free) / (deviation * _SQRT_2))


def _read(rates: tuple[float, ...], z: float) -> float:
    """Read a curve between its knots; none leads over 0, for a lot without a space is another case, not a near one."""
    if z <= KNOTS[0]:
        return rates[0]
    if z >= KNOTS[-1]:
        return rates[-1]
    if _BELOW < z < _ABOVE:
        return rates[3] if z < 0 else rates[4]
    left = bisect_right(KNOTS, z) - 1
    share = (z - KNOTS[left]) / (KNOTS[left + 1] - KNOTS[left])
    return rates[left] + share * (rates[left + 1] - rates[left])
