"""What the world counts as a broken promise: it must see each kind, or its zero says nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.lots import Entrance, HospitalId, Lot, LotId, LotKind, Name, SpaceClass
from bowei.domain.places import Point
from services.local.demo.counting import Acknowledged, PromiseWatch, Tally
from services.local.demo.run import exit_code

AT = datetime(2026, 3, 1, 23, tzinfo=UTC)
MALL = LotId("mall")
PLACE = Point(30.25, 120.16)
LOT = Lot(
    MALL, LotKind.MALL, Name("商场", "Mall"), "Asia/Shanghai", 50, PLACE, (Entrance("e1", Name("入口", "In"), PLACE),)
)
AGREEMENT = Agreement(AgreementId("a"), MALL, HospitalId("h"), (LendingWindow(SpaceClass.STANDARD, 2),))


def _watch() -> PromiseWatch:
    return PromiseWatch(Tally(), {MALL: LOT}, (AGREEMENT,), {})


def _hold(diversion_id: str = "d1", *, after: timedelta = timedelta(0), lot_id: LotId = MALL) -> Acknowledged:
    return Acknowledged(diversion_id, 1, lot_id, AT + after, AT + after + timedelta(minutes=8))


@pytest.mark.parametrize(("broken", "violations", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
def test_a_broken_promise_fails_the_command(broken: int, violations: int, code: int) -> None:
    """Whoever runs the demo in a pipeline sees it by the exit code, whichever side counted it."""
    assert exit_code({"broken_promises": broken, "ledger_violations": violations}) == code


def test_the_same_answer_twice_is_no_broken_promise() -> None:
    """A repeat gives the same hold, and that is counted once."""
    watch = _watch()
    watch.acknowledged(_hold())
    watch.acknowledged(_hold())
    assert watch.tally.broken_promises == 0


def test_two_different_answers_to_one_id_break_the_promise() -> None:
    """The same id sent a driver to two places in time: one of them is a lie."""
    watch = _watch()
    watch.acknowledged(_hold())
    watch.acknowledged(_hold(after=timedelta(seconds=1)))
    assert watch.tally.broken_promises == 1
    assert "two answers" in watch.broken[0]


def test_a_replacement_is_a_new_promise_and_no_second_answer() -> None:
    """After a refusal the next ordinal may name another lot or time."""
    watch = _watch()
    watch.acknowledged(_hold())
    watch.acknowledged(replace(_hold(after=timedelta(minutes=3)), ordinal=2))
    assert watch.tally.broken_promises == 0


def test_a_hold_denied_before_its_end_breaks_the_promise() -> None:
    """One second too early counts."""
    watch = _watch()
    hold = _hold()
    watch.acknowledged(hold)
    watch.denied(hold, hold.expires_at - timedelta(seconds=1), "hold_over")
    assert watch.tally.broken_promises == 1


def test_a_hold_denied_at_its_end_was_kept() -> None:
    """At the very instant of expires_at a hold is over."""
    watch = _watch()
    hold = _hold()
    watch.acknowledged(hold)
    watch.denied(hold, hold.expires_at, "hold_over")
    assert watch.tally.broken_promises == 0


def test_more_live_holds_than_are_lent_break_a_promise() -> None:
    """Two spaces are lent: the third acknowledged hold is one too many."""
    watch = _watch()
    for number in range(2):
        watch.acknowledged(_hold(f"d{number}", after=timedelta(seconds=number)))
    assert watch.tally.broken_promises == 0
    watch.acknowledged(_hold("d2", after=timedelta(seconds=2)))
    assert watch.tally.broken_promises == 1


def test_a_space_given_up_or_run_out_may_be_promised_again() -> None:
    """Ended holds make room, and so do those whose time is over."""
    watch = _watch()
    watch.acknowledged(_hold("d0"))
    watch.acknowledged(_hold("d1"))
    watch.ended(_hold("d0"))
    watch.acknowledged(_hold("d2", after=timedelta(minutes=1)))
    watch.acknowledged(_hold("d3", after=timedelta(minutes=8)))
    assert watch.tally.broken_promises == 0


def test_an_extended_hold_lives_longer() -> None:
    """Denied after its first end and before its second, it was broken."""
    watch = _watch()
    hold = _hold()
    watch.acknowledged(hold)
    longer = replace(hold, expires_at=hold.expires_at + timedelta(minutes=5))
    watch.extended(longer)
    watch.denied(longer, hold.expires_at + timedelta(minutes=1), "hold_over")
    assert watch.tally.broken_promises == 1
