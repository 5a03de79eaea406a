"""Which of two reports is newer."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bowei.domain.lots import LotId, SourceId
from bowei.domain.observations import Observation

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def said(**what: Any) -> Observation:
    """Give what a lot says at noon."""
    return Observation(LotId("mall"), what.pop("at", NOON), SourceId("counter"), **what)


def test_reports_stand_in_order_of_their_time_and_then_of_their_number() -> None:
    """A report without a number stands before the numbered ones of its second."""
    later = NOON + timedelta(seconds=1)
    first, *others = [said(), said(seq=1), said(seq=2), said(at=later), said(at=later, seq=1)]
    assert sorted([*others, first], key=lambda one: one.order) == [first, *others]
