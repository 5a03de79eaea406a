"""Our verdict on one report: what is refused, what is kept but not believed, and what is newer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bowei.domain.believing import Known, judge
from bowei.domain.lots import LotId, SourceId, SpaceClass
from bowei.domain.observations import Observation, Outcome, Verdict
from bowei.domain.problems import KINDS

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def said(**what: Any) -> Observation:
    """Give what a lot says at noon."""
    return Observation(LotId("mall"), what.pop("at", NOON), SourceId("counter"), **what)


def verdict(observation: Observation) -> Verdict:
    """Judge it at noon, for a lot registered with fifty spaces."""
    return judge(observation, Known(50, NOON))


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"free": 0},
        {"free": 50, "open": 50},
        {"free": 60, "capacity": 60},
        {"free_by_class": {SpaceClass.EV: 50}},
        {"free": 1, "at": NOON - timedelta(days=3)},
        {"free": 1, "at": NOON + timedelta(seconds=30)},
    ],
)
def test_a_report_that_can_be_true_is_believed(what: dict[str, Any]) -> None:
    """Counts up to the capacity, which the lot may state itself; a time up to half a minute ahead, or old."""
    judged = verdict(said(**what))
    assert (judged.believed, judged.code) == (True, None)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ({"free": 51}, "free_above_capacity"),
        ({"free": 50, "capacity": 49}, "free_above_capacity"),
        ({"open": 51}, "open_above_capacity"),
        ({"free": 1, "free_by_class": {SpaceClass.EV: 51}}, "free_above_capacity"),
    ],
)
def test_counts_that_can_not_be_true_together_are_kept_but_not_believed(what: dict[str, Any], code: str) -> None:
    """The code says why, and is in the catalogue."""
    assert verdict(said(**what)) == Verdict(Outcome.QUARANTINED, code)
    assert code in KINDS


def test_a_time_too_far_ahead_is_refused_before_anything_else() -> None:
    """A clock that is wrong makes every count of the report worthless."""
    at = NOON + timedelta(seconds=30, microseconds=1)
    assert verdict(said(free=99, at=at)) == Verdict(Outcome.REJECTED, "future_time")


def test_reports_stand_in_order_of_their_time_and_then_of_their_number() -> None:
    """A report without a number stands before the numbered ones of its second."""
    later = NOON + timedelta(seconds=1)
    first, *others = [said(), said(seq=1), said(seq=2), said(at=later), said(at=later, seq=1)]
    assert sorted([*others, first], key=lambda one: one.order) == [first, *others]
