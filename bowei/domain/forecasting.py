"""A free space at the time of arrival: how sure it is, and how many there will be.

The chance is a normal law without drift, with the lot's own restlessness:

    p_free = Φ((f − ½) / (s · √(h / 5 min)))

f: spaces that may be promised now; h: how far ahead, the age of the report included; s: `volatility`. It had the best
log-loss near full of all that was tried on recordings; queueing models, which know arrivals and stays, are badly
optimistic there: a lot that is full stays full.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

STEP = timedelta(minutes=5)
"""The step in which counts are compared, and the unit of volatility."""

LEAST_VOLATILITY = 0.25
"""Spaces: no lot is so calm that nothing ever happens."""

_NO_TIME = timedelta(seconds=1)
_SQRT_2 = math.sqrt(2.0)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What is foreseen of one lot, beside its last count."""

    volatility: float
    """The standard deviation of the change of free spaces in one `STEP`."""

    def chance(self, free: float, ahead: timedelta) -> float:
        """Give the chance that at least one of `free` spaces is still there `ahead` from when it was counted."""
        return chance_of_space(free, self.volatility, ahead)


UNKNOWN_LOT = Foreseen(volatility=2.0)
"""What is assumed of a lot that nobody has watched yet."""


def chance_of_space(free: float, volatility: float, ahead: timedelta) -> float:
    """Give the chance in 0..1 that at least one space is free `ahead` of a count of `free` spaces."""
    deviation = max(volatility, LEAST_VOLATILITY) * math.sqrt(max(ahead, _NO_TIME) / STEP)
    return 0.5 * math.erfc((0.5 - free) / (deviation * _SQRT_2))
