"""Will the hospital have room for who is still on the way?"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bowei.domain.announcing import expect
from bowei.domain.choosing import LotNow
from bowei.domain.dirt import Doubt
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import Report

NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)


def _full(*, minutes: float = 10, **report: Any) -> bool | None:
    """Say whether it will be full in so many minutes; None where nothing is foreseen."""
    known: dict[str, Any] = {"observed_at": NOW, "received_at": NOW, "free": 20}
    expected = expect(LotNow(Report(**{**known, **report})), NOW + timedelta(minutes=minutes), NOW)
    return None if expected.chance is None else expected.full


@pytest.mark.parametrize(
    ("report", "full"),
    [
        pytest.param({"free": 40}, False, id="many are free"),
        pytest.param({"free": 0}, True, id="none is"),
        pytest.param({"free": 2}, True, id="two, ten minutes off"),
        pytest.param({"free": 2, "minutes": 1}, False, id="two, one minute off"),
        pytest.param({"free": 40, "queue_vehicles": 40}, True, id="as many wait as are free"),
        pytest.param({"free": 30, "state": LotState.FULL_AT_ENTRANCE}, True, id="full at its entrance"),
        pytest.param({"free": 30, "state": LotState.CLOSED}, True, id="closed"),
        pytest.param({"free": None}, None, id="no count"),
        pytest.param({"free": 0, "bound": Bound.AT_LEAST}, None, id="none or more"),
        pytest.param({"free": 40, "bound": Bound.AT_MOST}, None, id="forty at most"),
        pytest.param({"free": 40, "state": LotState.OUT_OF_ORDER}, None, id="out of order"),
        pytest.param({"free": 40, "state": LotState.UNKNOWN}, None, id="nobody knows its state"),
        pytest.param({"doubt": Doubt.STUCK}, None, id="stuck"),
        pytest.param({"observed_at": NOW - timedelta(minutes=20)}, None, id="too old"),
    ],
)
def test_a_hospital_will_have_room_or_not_or_nobody_knows(report: dict[str, Any], full: bool | None) -> None:
    """Unknown is neither empty nor full."""
    assert _full(**report) is full


@pytest.mark.parametrize(
    ("report", "free"),
    [
        ({}, 20),
        ({"bound": Bound.AT_LEAST}, 20),
        ({"bound": Bound.AT_MOST}, None),
        *(({"state": state}, None) for state in LotState if state is not LotState.OPEN),
    ],
)
def test_only_what_may_be_counted_on_is_said_to_be_free(report: dict[str, Any], free: int | None) -> None:
    """A closed lot, a broken one and one that says "at most" have no number for a driver."""
    now = LotNow(Report(NOW, NOW, **{"free": 20, **report}))
    assert expect(now, NOW + timedelta(minutes=10), NOW).free == free


def test_an_old_count_is_worth_less_than_a_new_one() -> None:
    """The age of the count is time in which the lot may have filled."""
    ahead = NOW + timedelta(minutes=2)
    chances = [
        expect(LotNow(Report(NOW - age, NOW, free=4)), ahead, NOW).chance
        for age in (timedelta(), timedelta(minutes=4), timedelta(minutes=8))
    ]
    assert chances == sorted(chances, key=lambda chance: -(chance or 0))
    assert len(set(chances)) == 3


def test_a_lot_that_never_reported_foresees_nothing() -> None:
    """No report, no chance."""
    assert expect(LotNow(None), NOW, NOW).chance is None
