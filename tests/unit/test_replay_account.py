"""The account of a replay contradicts a decision that the recording does not bear out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bowei.domain.agreements import AgreementId
from bowei.domain.holds import Hold, HoldState
from bowei.domain.lots import DriverId, Entrance, HospitalId, Lot, LotId, LotKind, Name, SourceId, SpaceClass
from bowei.domain.observations import LotState, Observation
from bowei.domain.places import Point
from services.local.replay.accounting import Account
from services.local.replay.command import exit_code

NINE = datetime(2026, 1, 7, 9, tzinfo=UTC)
NAME = Name("甲", "A")
NOTHING_BROKEN = {"broken_promises": 0, "impossible_shown": 0}


def a_lot(lot_id: str, lat: float = 47.401) -> Lot:
    """Give a lot of 50 spaces, a hundred metres north of the hospital."""
    point = Point(lat, 8.5)
    return Lot(LotId(lot_id), LotKind.MALL, NAME, "UTC", 50, point, (Entrance("main", NAME, point),))


def said(free: int | None, **other: Any) -> Observation:
    """Give a report of the mall at nine."""
    return Observation(LotId("mall"), NINE, SourceId("recording"), free=free, **other)


def decided(account: Account, *, hold: bool, after: timedelta = timedelta(minutes=1)) -> dict[str, Any]:
    """Note a decision: a hold on the mall, or none."""
    at = NINE + after
    granted = Hold(
        diversion_id="d",
        ordinal=1,
        driver_id=DriverId("x"),
        hospital_id=HospitalId("hospital"),
        agreement_id=AgreementId("a"),
        lot_id=LotId("mall"),
        space_class=SpaceClass.STANDARD,
        state=HoldState.HELD,
        placed_at=at,
        expires_at=at,
    )
    return account.decide(
        at=at,
        hospital=a_lot("hospital", 47.4),
        hospital_free=0,
        hold=granted if hold else None,
        answer={"considered": [{"lot_id": "mall", "walk_s": 60, "drive_s": 100}]},
    )


def an_account(*reports: Observation, lat: float = 47.401) -> Account:
    """Give an account that heard the mall's reports."""
    account = Account({LotId("mall"): a_lot("mall", lat)}, radius_m=1_500)
    account.hear(NINE, reports)
    return account


def test_a_space_that_was_overlooked_makes_none_unjustified() -> None:
    """The lot is named, the summary counts it, and the command fails."""
    account = an_account(said(5))
    assert decided(account, hold=False)["overlooked"] == ["mall"]
    summary = account.summary()
    assert (summary["none"], summary["none_unjustified"], summary["episodes_diverted"]) == (1, 1, 0)
    assert exit_code(summary | NOTHING_BROKEN) == 1


@pytest.mark.parametrize(
    "report",
    [
        said(0),
        said(5, state=LotState.CLOSED),
        said(None, state=LotState.UNKNOWN),
        said(52),
        said(5, open=0),
    ],
    ids=["full", "closed", "unknown", "impossible", "not open to the public"],
)
def test_a_lot_without_a_space_justifies_none_and_contradicts_a_choice(report: Observation) -> None:
    """The same report is held against both answers."""
    account = an_account(report)
    assert decided(account, hold=False)["overlooked"] == []
    decided(account, hold=True)
    summary = account.summary() | NOTHING_BROKEN
    assert (summary["none_unjustified"], summary["chosen_without_free"]) == (0, 1)
    assert exit_code(summary) == 1


def test_a_lot_that_never_reported_can_be_neither_overlooked_nor_chosen() -> None:
    """Nothing said is nothing known."""
    account = an_account()
    assert decided(account, hold=False)["overlooked"] == []
    assert decided(account, hold=True)["chosen_free"] is None
    assert account.summary()["chosen_without_free"] == 1


def test_a_report_that_is_too_old_is_neither_overlooked_nor_a_reason_to_choose() -> None:
    """With the first gap of a minute a report is believed for ten minutes."""
    account = an_account(said(5))
    assert decided(account, hold=False, after=timedelta(minutes=10))["overlooked"] == ["mall"]
    assert decided(account, hold=False, after=timedelta(minutes=11))["overlooked"] == []


def test_an_impossible_count_leaves_the_report_before_it_standing() -> None:
    """One wild value does not hide the spaces that were there a moment ago."""
    account = an_account(said(5), said(999))
    assert decided(account, hold=True)["chosen_free"] == 5
    assert account.summary()["chosen_without_free"] == 0


def test_a_lot_outside_the_radius_is_not_overlooked() -> None:
    """It lends nothing to this hospital."""
    assert decided(an_account(said(5), lat=47.42), hold=False)["overlooked"] == []


def test_decisions_that_stand_are_a_success() -> None:
    """Every driver of the episode was sent to a lot with a space."""
    account = an_account(said(5))
    decided(account, hold=True)
    summary = account.summary() | NOTHING_BROKEN
    assert (summary["episodes"], summary["episodes_diverted"]) == (1, 1)
    assert exit_code(summary) == 0
    assert exit_code(summary | {"broken_promises": 1}) == 1
    assert exit_code(summary | {"impossible_shown": 1}) == 1
