"""What endangers a promised space, and for how long it must last to count."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bowei.domain.choosing import LotNow
from bowei.domain.dangers import Danger, danger_of, patience_with, short_by
from bowei.domain.dirt import Doubt
from bowei.domain.lots import Entrance, Lot, LotId, LotKind, Name
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import LotPromise, Report
from bowei.domain.places import Point

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)
PLACE = Point(30.2552, 120.1582)
NAME = Name("停车场", "Lot")
LOT = Lot(LotId("mall"), LotKind.MALL, NAME, "Asia/Shanghai", 50, PLACE, (Entrance("north", NAME, PLACE),))


def _now(*, held: int = 3, **report: Any) -> LotNow:
    known: dict[str, Any] = {"observed_at": NOW, "received_at": NOW, "free": 20}
    return LotNow(Report(**{**known, **report}), LotPromise(held=held, version=1))


@pytest.mark.parametrize(
    ("lot_now", "danger"),
    [
        pytest.param(_now(), None, id="all is well"),
        pytest.param(_now(free=3), None, id="as many free as held"),
        pytest.param(_now(free=2), Danger.FULL, id="fewer free than held"),
        pytest.param(_now(free=2, bound=Bound.AT_LEAST), None, id="at least so many"),
        pytest.param(_now(free=2, bound=Bound.AT_MOST), Danger.FULL, id="at most so many"),
        pytest.param(_now(free=90, held=50), None, id="more free than it has"),
        pytest.param(_now(free=None), None, id="no count"),
        pytest.param(_now(state=LotState.CLOSED), Danger.CLOSED, id="closed"),
        pytest.param(_now(state=LotState.OUT_OF_ORDER), Danger.CLOSED, id="out of order"),
        pytest.param(_now(state=LotState.FULL_AT_ENTRANCE), Danger.FULL, id="full at its entrance"),
        pytest.param(_now(doubt=Doubt.STUCK), Danger.DOUBTED, id="stuck"),
        pytest.param(_now(doubt=Doubt.COMMS_LOST), Danger.FEED_LOST, id="its link is lost"),
        pytest.param(_now(observed_at=NOW - timedelta(minutes=9)), None, id="nine minutes old"),
        pytest.param(_now(observed_at=NOW - timedelta(minutes=11)), Danger.FEED_LOST, id="eleven minutes old"),
        pytest.param(LotNow(None, LotPromise(held=1, version=1)), Danger.FEED_LOST, id="it never reported"),
    ],
)
def test_a_lot_in_danger_is_known_by_what_it_says(lot_now: LotNow, danger: Danger | None) -> None:
    """Each kind of trouble has its name, and what is no trouble has none."""
    assert danger_of(LOT, lot_now, NOW, cut_off=False) is danger


def test_what_a_person_says_comes_before_what_the_lot_says() -> None:
    """Paused is paused, whatever it counts; a road that is closed comes before a lot that is full."""
    assert danger_of(replace(LOT, paused=True), _now(doubt=Doubt.STUCK), NOW, cut_off=True) is Danger.PAUSED
    assert danger_of(LOT, _now(free=0), NOW, cut_off=True) is Danger.ROAD_CLOSED


def test_so_many_cars_are_short_of_a_space_as_are_held_above_what_is_free() -> None:
    """Never fewer than none."""
    assert [short_by(LOT, _now(free=free).report, 3) for free in (0, 2, 3, 9)] == [3, 1, 0, 0]


def test_a_lot_that_reports_seldom_is_given_longer_to_correct_itself() -> None:
    """Two of its usual gaps, two minutes at least; what is certain needs no patience."""
    quick, slow = _now().report, _now(usual_gap=timedelta(minutes=5)).report
    assert patience_with(Danger.FULL, quick) == timedelta(minutes=2)
    assert patience_with(Danger.FULL, slow) == timedelta(minutes=10)
    assert patience_with(Danger.DOUBTED, slow) == timedelta(minutes=1)
    assert patience_with(Danger.CLOSED, quick) == patience_with(Danger.FULL, None) - timedelta(minutes=2)


def test_a_report_that_is_not_copied_yet_is_waited_for() -> None:
    """Right after a start or an emptied live state no lot has a report: half a minute of that is nobody's danger."""
    quick = _now().report
    assert patience_with(Danger.FEED_LOST, None) == timedelta(seconds=30)
    assert patience_with(Danger.FEED_LOST, quick) == timedelta()
