"""Dangers: what becomes of a lot after a space on it was promised, so that the promise can hardly be kept.

A danger counts once it has lasted longer than noise does (`PATIENCE`). What a person or the lot itself said needs no
patience; a count may be wrong for two reports.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from bowei.domain.choosing import LotNow
from bowei.domain.dirt import Doubt
from bowei.domain.freshness import Freshness
from bowei.domain.holds import BARRIER_REFUSED
from bowei.domain.lots import Lot
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import Report


class Danger(StrEnum):
    """Why a held space can hardly be kept; also the reason of a hold that was replaced for it."""

    PAUSED = "lot_paused"
    CLOSED = "lot_closed"
    ROAD_CLOSED = "road_closed"
    BARRED = BARRIER_REFUSED
    FEED_LOST = "feed_lost"
    DOUBTED = "lot_doubted"
    FULL = "lot_full"


CERTAIN = frozenset({Danger.PAUSED, Danger.CLOSED, Danger.ROAD_CLOSED, Danger.BARRED})
"""The car will not get in. With the others it may yet."""

PATIENCE: Mapping[Danger, timedelta] = {
    Danger.ROAD_CLOSED: timedelta(seconds=30),
    Danger.DOUBTED: timedelta(seconds=60),
    Danger.FULL: timedelta(minutes=2),
}
"""How long a danger lasts at least before it counts; 0 where it is not named."""

_UNSEEN_FOR = timedelta(seconds=30)
"""No report at all: nothing is held on a lot that never reported, so it is not copied yet. The last one is trusted."""

_FULL_FOR_GAPS = 2
"""A count below the holds stands for so many of the lot's usual gaps: cars that are counted before they are noted as
arrived look the same for one of them."""


def danger_of(lot: Lot, lot_now: LotNow, now: datetime, *, cut_off: bool) -> Danger | None:
    """Say what endangers the spaces held on a lot now; `cut_off`: no road leads there."""
    if lot.paused:
        return Danger.PAUSED
    report = lot_now.report
    if report is None or report.freshness_at(now) is Freshness.EXPIRED or report.doubt is Doubt.COMMS_LOST:
        return Danger.FEED_LOST
    if report.doubt is not None:
        return Danger.DOUBTED
    if report.state in (LotState.CLOSED, LotState.OUT_OF_ORDER):
        return Danger.CLOSED
    if cut_off:
        return Danger.ROAD_CLOSED
    full = report.state is LotState.FULL_AT_ENTRANCE or short_by(lot, report, lot_now.promise.held) > 0
    return Danger.FULL if full else None


def short_by(lot: Lot, report: Report | None, held: int) -> int:
    """Give how many of the cars that a lot holds spaces for would find none, by its count; 0 without one."""
    if report is None or report.free is None or report.bound is Bound.AT_LEAST:
        return 0
    return max(0, held - (report.within(lot.capacity).free or 0))


def patience_with(danger: Danger, report: Report | None) -> timedelta:
    """Give how long a danger must last on a lot to count."""
    patience = PATIENCE.get(danger, timedelta())
    if danger is Danger.FULL and report is not None:
        return max(patience, _FULL_FOR_GAPS * report.usual_gap)
    if danger is Danger.FEED_LOST and report is None:
        return _UNSEEN_FOR
    return patience
