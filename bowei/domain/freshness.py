"""Freshness: how old a report may be, measured by how often its own source reports.

A counter that reports every ten seconds is late after a minute; one that reports every half hour is not. So the ends
of fresh, ageing and stale are multiples of the lot's usual gap, with a floor.
"""

from datetime import timedelta
from enum import StrEnum

FRESH_GAPS, AGEING_GAPS, STALE_GAPS = 1, 3, 6
FRESH_FLOOR, AGEING_FLOOR, STALE_FLOOR = timedelta(seconds=60), timedelta(seconds=180), timedelta(seconds=600)

_GAP_WEIGHT = 0.2
_LONGEST_GAP = timedelta(hours=6)


class Freshness(StrEnum):
    """How much a report's age lets us believe it."""

    FRESH = "fresh"
    AGEING = "ageing"
    STALE = "stale"
    EXPIRED = "expired"


_ENDS = (
    (Freshness.FRESH, FRESH_GAPS, FRESH_FLOOR),
    (Freshness.AGEING, AGEING_GAPS, AGEING_FLOOR),
    (Freshness.STALE, STALE_GAPS, STALE_FLOOR),
)
"""How long each lasts, in usual gaps and at least."""


def freshness(age: timedelta, usual_gap: timedelta) -> Freshness:
    """Judge an age against the source's usual gap between reports."""
    for fresh, gaps, floor in _ENDS:
        if age <= max(gaps * usual_gap, floor):
            return fresh
    return Freshness.EXPIRED


def turns_at(age: timedelta, usual_gap: timedelta) -> timedelta | None:
    """Give the age up to which what `freshness` says of this one holds; None where nothing worse follows."""
    for _, gaps, floor in _ENDS:
        end = max(gaps * usual_gap, floor)
        if age <= end:
            return end
    return None


def believed_for(usual_gap: timedelta) -> timedelta:
    """Give the age beyond which a report says nothing any more."""
    return max(STALE_GAPS * usual_gap, STALE_FLOOR)


def learn_gap(usual_gap: timedelta, gap: timedelta) -> timedelta:
    """Move the usual gap a fifth of the way towards the newest one.

    A single gap counts for at most six hours and at most four times what was usual, so that one night's silence does
    not make a dead source look alive for a day.
    """
    limited = min(gap, _LONGEST_GAP, 4 * max(usual_gap, FRESH_FLOOR))
    return usual_gap + _GAP_WEIGHT * (limited - usual_gap)
