"""A replay sees what could not have been true on a driver's screen, and counts dirt with what was shown meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bowei.domain.choosing import LotNow
from bowei.domain.dirt import Dirt
from bowei.domain.lots import Entrance, Lot, LotId, LotKind, Name, SourceId
from bowei.domain.observations import Bound, LotState, Observation, Outcome, Verdict
from bowei.domain.offering import Report
from bowei.domain.places import Point
from services.local.replay.watching import Watching, impossible

NINE = datetime(2026, 1, 7, 9, tzinfo=UTC)
MALL = LotId("mall")
NAME, HERE = Name("甲", "A"), Point(47.4, 8.5)
LOT = Lot(MALL, LotKind.MALL, NAME, "UTC", 50, HERE, (Entrance("main", NAME, HERE),))
SENT: dict[str, Any] = {"state": "open", "level": "plenty", "capacity": 50, "free": 20, "occupied": 30, "offered": 18}
SENT |= {"freshness": "fresh", "held": 2, "queue_vehicles": 0, "free_by_class": {"ev": 4}}


def test_a_lot_that_can_be_true_is_not_complained_of() -> None:
    """Neither one with all its numbers nor one with none."""
    assert impossible(SENT, 50) == []
    assert impossible({"state": "unknown", "level": "unknown", "capacity": 50, "freshness": "expired"}, 50) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"free": 51, "occupied": 0},
        {"free": -1},
        {"capacity": 51},
        {"open": 51},
        {"free_at_most": 51},
        {"occupied": 31},
        {"offered": 21},
        {"free_by_class": {"ev": 51}},
        {"queue_vehicles": -1},
        {"state": "unknown"},
        {"freshness": "expired"},
        {"state": "closed"},
        {"level": "closed"},
    ],
)
def test_a_number_that_can_not_be_true_is_named(wrong: dict[str, Any]) -> None:
    """Held against the register, and against what the lot says beside it."""
    assert impossible(SENT | wrong, 50) != []


def test_full_without_a_count_is_named() -> None:
    """Unknown is not full."""
    sent = {"state": "open", "level": "full", "capacity": 50, "freshness": "fresh"}
    assert impossible(sent, 50) == ["full without a count"]


def shown_after(report: Report | None, outcome: Outcome, code: str | None = None) -> dict[str, Any]:
    """Watch one report with the dirt of a sentinel, and give what was noted of it."""
    watching = Watching({MALL: LOT}, ())
    said = Observation(MALL, NINE, SourceId("recording"), dirt=frozenset({Dirt.SENTINEL}))
    watching.look(NINE, lambda _lot_id: LotNow(report))
    watching.note([said], [Verdict(outcome, code)])
    return watching.summary()


REPORT = Report(NINE, NINE, free=20)


@pytest.mark.parametrize(
    ("report", "outcome", "word"),
    [
        (REPORT, Outcome.APPLIED, "its count"),
        (replace(REPORT, free=0), Outcome.APPLIED, "full"),
        (replace(REPORT, bound=Bound.AT_LEAST), Outcome.APPLIED, "at least"),
        (replace(REPORT, bound=Bound.AT_MOST), Outcome.APPLIED, "at most"),
        (replace(REPORT, state=LotState.CLOSED), Outcome.APPLIED, "closed"),
        (replace(REPORT, free=None), Outcome.APPLIED, "nothing"),
        (None, Outcome.APPLIED, "nothing"),
        (REPORT, Outcome.QUARANTINED, "the last good count"),
    ],
)
def test_each_dirt_is_counted_with_what_was_shown_after_it(report: Report | None, outcome: Outcome, word: str) -> None:
    """In the words of the page."""
    summary = shown_after(report, outcome)
    assert summary["dirt"] == {"sentinel": {"reports": 1, "shown": {word: 1}}}
    assert (summary["shown"], summary["impossible_shown"]) == (1, 0)


def test_the_reason_why_a_report_was_not_believed_is_dirt_too() -> None:
    """Beside what its source had."""
    dirt = shown_after(REPORT, Outcome.REJECTED, "future_time")["dirt"]
    assert {name: of["reports"] for name, of in dirt.items()} == {"sentinel": 1, "future_time": 1}
