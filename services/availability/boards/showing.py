"""How a lot is said in one number or one word, on boards and on signs.

What is not known is never 0, "at least so many" is never exactly so many, and closed is not full.
"""

from dataclasses import dataclass
from enum import StrEnum

from bowei.domain.observations import Bound
from services.availability.lots import Level, LotStatus


class Shows(StrEnum):
    """What stands where the number stands."""

    COUNT = "count"
    AT_LEAST = "at_least"
    """So many or more: 30+."""
    AT_MOST = "at_most"
    """So many or fewer, maybe none."""
    SOME = "some"
    """There is room, and nobody knows how much."""
    FULL = "full"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    """Nothing is known, or no longer: --."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is said of a lot: `number` where there is one to say."""

    shows: Shows
    number: int | None = None
    level: Level = Level.UNKNOWN


UNKNOWN = Shown(Shows.UNKNOWN)
"""What is shown where nothing is known, as when contact was lost a minute ago."""


def shown_of(status: LotStatus | None) -> Shown:
    """Say a lot in one number or word.

    Full stays full until its level says otherwise, so that it does not flicker; but a lot to which drivers are sent,
    because spaces of it can be promised, is never said to be full.
    """
    if status is None or status.level is Level.UNKNOWN:
        return UNKNOWN
    if status.level is Level.CLOSED:
        return Shown(Shows.CLOSED, None, Level.CLOSED)
    level = status.level
    if level is Level.FULL:
        if not status.offered:
            return Shown(Shows.FULL, None, Level.FULL)
        level = Level.ALMOST_FULL
    if status.bound is Bound.AT_MOST:
        return Shown(Shows.AT_MOST, status.free_at_most, level)
    if status.bound is Bound.AT_LEAST and status.free == 1:
        return Shown(Shows.SOME, None, level)
    shows = Shows.AT_LEAST if status.bound is Bound.AT_LEAST else Shows.COUNT
    return UNKNOWN if status.free is None else Shown(shows, status.free, level)
