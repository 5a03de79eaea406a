"""The right lot: what it costs, and why each of the others was left out."""

import dataclasses
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from bowei.domain.agreements import EVERY_DAY, Agreement, AgreementId, LendingWindow, MarginRule
from bowei.domain.choosing import (
    MOST_CANDIDATES,
    Approach,
    Considered,
    Exclusion,
    LotNow,
    Need,
    candidates,
    walk_m,
)
from bowei.domain.comparing import consider
from bowei.domain.costs import failure_s, fill_penalty_s
from bowei.domain.directory import Directory
from bowei.domain.dirt import Doubt
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SpaceClass
from bowei.domain.observations import Bound, LotState
from bowei.domain.offering import LotPromise, PoolPromise, Report, pool_key
from bowei.domain.places import Point, distance_m

MONDAY_9H = datetime(2026, 3, 2, 1, tzinfo=UTC)
DOOR = Point(30.2576, 120.1621)
NAME = Name("甲", "A")
ENTRANCE = Entrance("north", NAME, DOOR)
HOSPITAL = Hospital(HospitalId("first"), NAME, LotId("own"), DOOR, DOOR)
WHOLE_DAY = (LendingWindow(SpaceClass.STANDARD, 10),)


def a_lot(lot_id: str, **other: Any) -> Lot:
    """Give a lot beside the hospital."""
    known: dict[str, Any] = {"capacity": 50, "location": DOOR, "max_height_cm": 200}
    return Lot(LotId(lot_id), LotKind.MALL, NAME, "Asia/Shanghai", entrances=(ENTRANCE,), **{**known, **other})


def lends(lot_id: str, **other: Any) -> Agreement:
    """Give an agreement by which a lot lends ten standard spaces to the hospital all day, and keeps one back."""
    known: dict[str, Any] = {"windows": WHOLE_DAY, "margin": 1, "margin_rule": MarginRule.FIXED}
    return Agreement(AgreementId(f"{lot_id}-first"), LotId(lot_id), HOSPITAL.hospital_id, **{**known, **other})


def way(drive_s: float | None = 100.0, walk_s: float = 60.0) -> Approach:
    """Give a way to a lot."""
    return Approach(ENTRANCE, drive_s, walk_s, walk_s * 1.2, estimated=False)


def reported(**said: Any) -> Report:
    """Give a report of a minute ago with twenty free spaces."""
    at = said.pop("observed_at", MONDAY_9H - timedelta(minutes=1))
    return Report(observed_at=at, received_at=at, **{"free": 20, **said})


def look_at(
    lot: Lot, agreement: Agreement, now: LotNow | None = None, approach: Approach | None = None, **need: Any
) -> Considered:
    """Look at one lot alone."""
    directory = Directory.of(1, [lot], [HOSPITAL], [agreement])
    now_of = {lot.lot_id: now or LotNow(reported())}
    (one,) = consider(HOSPITAL, directory, now_of, {lot.lot_id: approach or way()}, Need(**need), MONDAY_9H)
    return one


def test_a_candidate_costs_the_drive_the_walk_the_fill_penalty_and_the_risk() -> None:
    """Every part is there to be shown to the driver."""
    promise = LotPromise(held=3, stays=2, pools={pool_key("mall-first", SpaceClass.STANDARD): PoolPromise(3, 2)})
    one = look_at(a_lot("mall"), lends("mall"), LotNow(reported(), promise))
    assert (one.excluded, one.offered, one.free, one.age_s) == (None, 5, 20, 60.0)
    assert one.fill_s == pytest.approx(fill_penalty_s(5, 10))
    assert one.failure_s == pytest.approx(failure_s(one.chance))
    assert one.cost_s == pytest.approx(160.0 + one.fill_s + one.failure_s)


def test_a_lot_of_which_only_the_fewest_spaces_are_known_offers_those() -> None:
    """And says that its number is a bound."""
    one = look_at(a_lot("mall"), lends("mall"), LotNow(reported(free=5, bound=Bound.AT_LEAST)))
    assert (one.excluded, one.offered, one.free, one.bound) == (None, 4, 5, Bound.AT_LEAST)


def test_no_count_is_above_the_register_even_where_the_lot_reported_before_it_was_lowered() -> None:
    """The lot has fifty spaces, whatever it said."""
    assert look_at(a_lot("mall"), lends("mall"), LotNow(reported(free=99))).free == 50


@pytest.mark.parametrize("said", [{"doubt": Doubt.DRIFT}, {"bound": Bound.AT_MOST}])
def test_a_number_that_nobody_may_count_on_is_not_shown(said: dict[str, Any]) -> None:
    """The reason stands in its place."""
    assert look_at(a_lot("mall"), lends("mall"), LotNow(reported(**said))).free is None


FULL_PROMISE = LotPromise(held=19)
MORNING = (LendingWindow(SpaceClass.STANDARD, 10, EVERY_DAY, time(10), time(12)),)
FAR = Point(30.2776, 120.1621)


CASES: list[tuple[str, dict[str, Any], dict[str, Any], LotNow, float | None, dict[str, Any]]] = [
    ("full", {}, {}, LotNow(reported(free=1)), 1.0, {}),
    ("full", {}, {}, LotNow(reported(state=LotState.FULL_AT_ENTRANCE)), 1.0, {}),
    ("held_out", {}, {}, LotNow(reported(), FULL_PROMISE), 1.0, {}),
    ("closed", {}, {}, LotNow(reported(state=LotState.CLOSED)), 1.0, {}),
    ("stale_data", {}, {}, LotNow(None), 1.0, {}),
    ("stale_data", {}, {}, LotNow(reported(observed_at=MONDAY_9H - timedelta(hours=1))), 1.0, {}),
    ("stale_data", {}, {}, LotNow(reported(state=LotState.UNKNOWN, free=None)), 1.0, {}),
    ("stale_data", {}, {}, LotNow(reported(state=LotState.UNKNOWN, free=None)), 1.0, {}),
    ("fault", {}, {}, LotNow(reported(state=LotState.OUT_OF_ORDER)), 1.0, {}),
    ("fault", {}, {}, LotNow(reported(free=None)), 1.0, {}),
    ("fault", {}, {}, LotNow(reported(doubt=Doubt.STUCK)), 1.0, {}),
    ("stale_data", {}, {}, LotNow(reported(doubt=Doubt.COMMS_LOST)), 1.0, {}),
    ("fault", {}, {}, LotNow(reported(bound=Bound.AT_MOST)), 1.0, {}),
    ("too_high", {}, {}, LotNow(reported()), 1.0, {"height_cm": 201}),
    ("no_class", {}, {}, LotNow(reported()), 1.0, {"space_class": SpaceClass.EV}),
    ("not_shared_now", {}, {"windows": MORNING}, LotNow(reported()), 1.0, {}),
    ("stay_too_long", {}, {"max_stay": timedelta(hours=2)}, LotNow(reported()), 1.0, {"stay": timedelta(hours=3)}),
    ("too_far", {"location": FAR}, {}, LotNow(reported()), 1.0, {}),
    ("closed_road", {}, {}, LotNow(reported()), None, {}),
    ("operator_paused", {"paused": True}, {}, LotNow(reported()), 1.0, {}),
    ("operator_paused", {}, {"paused": True}, LotNow(reported()), 1.0, {}),
]


@pytest.mark.parametrize(("excluded", "lot", "agreement", "now", "drive_s", "need"), CASES)
def test_each_reason_to_leave_a_lot_out_has_its_own_name(
    excluded: str,
    lot: dict[str, Any],
    agreement: dict[str, Any],
    now: LotNow,
    drive_s: float | None,
    need: dict[str, Any],
) -> None:
    """The driver is told why not this lot, and it is never a candidate."""
    one = look_at(a_lot("mall", **lot), lends("mall", **agreement), now, way(drive_s), **need)
    assert one.excluded == excluded
    assert candidates([one]) == []
    assert one.cost_s == float("inf")


def test_every_reason_is_tried() -> None:
    """A new reason needs a case above, if it is of one lot: a gate pauses for all at once."""
    assert {excluded for excluded, *_ in CASES} == set(Exclusion) - {Exclusion.GATE_PAUSED}


@pytest.mark.parametrize(("height_cm", "excluded"), [(200, None), (None, None), (201, "too_high")])
def test_a_car_as_high_as_the_lot_allows_fits(height_cm: int | None, excluded: str | None) -> None:
    """And where the height is not known, nobody is sent away."""
    assert look_at(a_lot("mall"), lends("mall"), height_cm=height_cm).excluded == excluded


def test_the_cheapest_candidate_comes_first_and_the_excluded_last() -> None:
    """Equal costs are in the order of their names, so that equal input gives the equal ranking."""
    costs = {"far": 300.0, "near": 50.0, "b-mid": 100.0, "a-mid": 100.0, "shut": 10.0}
    lots = [a_lot(lot_id, paused=lot_id == "shut") for lot_id in costs]
    directory = Directory.of(1, lots, [HOSPITAL], [lends(lot_id) for lot_id in costs])
    now_of = {lot.lot_id: LotNow(reported()) for lot in lots}
    ways = {LotId(lot_id): way(drive_s) for lot_id, drive_s in costs.items()}
    ranked = consider(HOSPITAL, directory, now_of, ways, Need(), MONDAY_9H)
    assert [one.lot_id for one in ranked] == ["near", "a-mid", "b-mid", "far", "shut"]
    assert [one.lot_id for one in candidates(ranked)] == ["near", "a-mid", "b-mid", "far"]


def test_a_lot_without_an_agreement_for_this_hospital_is_not_looked_at() -> None:
    """What is lent to another hospital is none of this driver's business."""
    other = dataclasses.replace(lends("mall"), hospital_id=HospitalId("second"))
    directory = Directory.of(1, [a_lot("mall")], [HOSPITAL], [other])
    assert consider(HOSPITAL, directory, {}, {}, Need(), MONDAY_9H) == []


def test_no_more_lots_are_asked_for_than_a_request_may_name() -> None:
    """The ledger is asked for the best of them."""
    names = [f"lot-{number:02}" for number in range(MOST_CANDIDATES + 3)]
    lots = [a_lot(name) for name in names]
    directory = Directory.of(1, lots, [HOSPITAL], [lends(name) for name in names])
    now_of = {lot.lot_id: LotNow(reported()) for lot in lots}
    ways = {lot.lot_id: way() for lot in lots}
    ranked = consider(HOSPITAL, directory, now_of, ways, Need(), MONDAY_9H)
    assert [one.lot_id for one in candidates(ranked)] == names[:MOST_CANDIDATES]


def test_a_walk_is_longer_than_the_crow_flies() -> None:
    """Footways go round the houses: 1.3 times."""
    assert walk_m(DOOR, FAR) == pytest.approx(1.3 * distance_m(DOOR, FAR))
