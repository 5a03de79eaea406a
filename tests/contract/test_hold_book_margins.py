"""What is kept back from a driver, when the car must be out, and what refusals teach, kept by every store."""

import asyncio
import dataclasses
from datetime import time, timedelta

import pytest

from bowei.domain.agreements import LendingWindow, QuotaStep
from bowei.domain.dangers import Danger
from bowei.domain.holds import REFUSED_ON_ARRIVAL, HoldState
from bowei.domain.lots import DriverId, SpaceClass
from bowei.domain.margins import refusal_rate_after
from bowei.records.holding import Candidate, Decision, Outcome
from tests.contract.block import MALL, MALL_FIRST, OFFICE, OFFICE_FIRST, TEN_MINUTES, Block, a_request, drivers, on

MARGINS = [(0, 5), (3, 2), (4, 1), (5, 0), (9, 0)]
STANDARD = SpaceClass.STANDARD


def keeping(margin: int, **gone_after: float) -> Candidate:
    """Give a candidate on the mall from whose driver spaces are kept back, and who is gone after a while."""
    return Candidate(
        MALL_FIRST, STANDARD, TEN_MINUTES, margin=margin, gone_after=timedelta(**gone_after) if gone_after else None
    )


@pytest.mark.parametrize(("margin", "granted"), MARGINS)
async def test_what_is_kept_back_from_a_driver_is_not_promised(block: Block, margin: int, granted: int) -> None:
    """Shows that the ranking's margin binds the ledger, request by request."""
    await block.report(MALL, free=5, seq=1)
    assert len(await block.granted_to(drivers(6), keeping(margin))) == granted


async def test_never_fewer_are_kept_back_than_the_agreement_states_now(block: Block) -> None:
    """Shows that a ranking from an older directory can't spend what the owner keeps."""
    await block.lend(MALL_FIRST, 40, margin=4)
    await block.report(MALL, free=5, seq=1)
    assert len(await block.granted_to(drivers(3), keeping(0))) == 1


async def test_drivers_who_share_a_commit_are_kept_from_different_numbers(block: Block) -> None:
    """Shows that a visitor does not get what is protected, and that whoever stands first does, in one commit."""
    await block.report(MALL, free=3, seq=1)
    asks = [block.ask("visitor", keeping(2)), block.ask("late-visitor", keeping(2)), block.ask("disabled", keeping(0))]
    decisions = await asyncio.gather(*asks)
    assert [decision.outcome for decision in decisions] == [Outcome.GRANTED, Outcome.NONE, Outcome.GRANTED]


async def test_a_replacement_is_kept_from_as_much(block: Block) -> None:
    """Shows that who was refused does not get what is kept for own customers elsewhere."""
    await block.ask("ann", on(OFFICE_FIRST))
    await block.report(MALL, free=3, seq=1)
    assert (await block.replace("ann", keeping(3))).outcome is Outcome.NONE
    await block.ask("bob", on(OFFICE_FIRST))
    assert (await block.replace("bob", keeping(2))).outcome is Outcome.GRANTED


TAPER = (LendingWindow(STANDARD, 40, steps=(QuotaStep(time(10), 2), QuotaStep(time(12), 0))),)


@pytest.mark.parametrize(
    ("stay", "granted"),
    [(timedelta(hours=3), True), (timedelta(hours=3, microseconds=1), False), (None, True)],
)
async def test_nobody_gets_a_space_whose_stay_reaches_past_the_taper(
    block: Block, stay: timedelta | None, *, granted: bool
) -> None:
    """Shows the edge: at nine, until noon, when nothing is lent any more."""
    await block.lend(MALL_FIRST, 0, windows=TAPER)
    decision = await block.ask("ann", Candidate(MALL_FIRST, STANDARD, TEN_MINUTES, gone_after=stay))
    assert (decision.outcome is Outcome.GRANTED) is granted
    if not granted:
        together = await asyncio.gather(
            *[
                block.ask(driver, Candidate(MALL_FIRST, STANDARD, TEN_MINUTES, gone_after=stay), on(OFFICE_FIRST))
                for driver in drivers(2)
            ]
        )
        assert [decision.hold.lot_id for decision in together if decision.hold] == [OFFICE, OFFICE]


async def test_the_quota_goes_down_by_the_hour(block: Block) -> None:
    """Shows that from ten on only two are lent, and that who came before keeps the space."""
    await block.lend(MALL_FIRST, 0, windows=TAPER)
    assert len(await block.granted_to(drivers(3))) == 3
    await block.step_to(block.now.replace(hour=2))  # 10:00 in Hangzhou
    await block.report(MALL, free=50)
    assert len(await block.granted_to([f"late-{driver}" for driver in drivers(3)])) == 2


async def test_a_lot_may_say_by_when_every_car_must_be_out(block: Block) -> None:
    """Shows the latest leave, without any taper."""
    await block.lend(MALL_FIRST, 40, latest_leave=time(11))
    assert (await block.ask("ann", keeping(0, hours=2, seconds=1))).outcome is Outcome.NONE
    assert (await block.ask("ann", keeping(0, hours=2))).outcome is Outcome.GRANTED


async def test_refusals_on_arrival_are_counted_by_lot(block: Block) -> None:
    """Shows that a refusal raises the lot's rate, that a car that found its space lowers it, and that no other does."""
    for driver in ("ann", "bob", "cid", "dan"):
        await block.ask(driver)
    await block.pass_time(minutes=2)
    await _refused(block, "ann")
    rate = refusal_rate_after(0.0, refused=True)
    assert (await block.promise()).refusal_rate == rate
    await block.release("bob")
    await block.replace("cid")  # the lot closed
    assert (await block.promise()).refusal_rate == rate
    await block.arrive("dan")
    assert (await block.promise()).refusal_rate == rate
    await block.pass_time(minutes=1)
    await block.report(MALL, free=49)
    await block.book.sweep()
    assert (await block.promise()).refusal_rate == refusal_rate_after(rate, refused=False)
    assert (await block.promise(OFFICE)).refusal_rate == 0.0


async def test_a_changed_rate_is_news(block: Block) -> None:
    """Shows that whoever follows the ledger hears of a refusal with the promise that it ended."""
    await block.ask("ann")
    await block.pass_time(minutes=2)
    cursor = (await block.book.promised(None)).cursor
    await _refused(block, "ann")
    assert (await block.book.promised(cursor)).promises[MALL].refusal_rate > 0


@pytest.mark.parametrize(
    ("drive_s", "after_s", "counts"),
    [
        pytest.param(600, 299, False, id="sooner than half of the drive"),
        pytest.param(600, 300, True, id="after half of it"),
        pytest.param(20, 59, False, id="from next door, at once"),
        pytest.param(20, 60, True, id="from next door"),
        pytest.param(None, 119, False, id="nobody knows the drive, at once"),
        pytest.param(None, 120, True, id="nobody knows the drive"),
    ],
)
@pytest.mark.parametrize("arrived", [False, True])
async def test_a_refusal_counts_where_the_car_can_have_been_there(
    block: Block, drive_s: int | None, after_s: float, *, counts: bool, arrived: bool
) -> None:
    """Shows that who makes up refusals must wait for each; that a driver says to have arrived proves nothing."""
    elsewhere = {"lot_id": OFFICE, "drive_s": 1}
    answer = {"considered": [elsewhere, {"lot_id": MALL} if drive_s is None else {"lot_id": MALL, "drive_s": drive_s}]}
    await block.book.place(dataclasses.replace(a_request("ann"), answer=answer))
    if arrived:
        await block.arrive("ann")
    await block.pass_time(seconds=after_s)
    decision = await _refused(block, "ann")
    assert decision.hold is not None
    assert decision.hold.state is HoldState.REVOKED, "the driver is helped in any case"
    assert (await block.promise()).refusal_rate == (refusal_rate_after(0.0, refused=True) if counts else 0.0)


async def test_one_driver_counts_once_a_day_on_a_lot(block: Block) -> None:
    """Shows that one who comes back within the day counts at other lots alone."""
    once = refusal_rate_after(0.0, refused=True)
    for number in range(2):
        await block.ask("ann", diversion_id=f"ann-comes-{number}")
        await block.pass_time(minutes=2)
        await _refused(block, "ann", diversion_id=f"ann-comes-{number}")
        assert (await block.promise()).refusal_rate == once
    await block.ask("ann", on(OFFICE_FIRST), diversion_id="ann-elsewhere")
    await block.pass_time(minutes=2)
    await _refused(block, "ann", diversion_id="ann-elsewhere")
    assert (await block.promise(OFFICE)).refusal_rate == once
    await block.pass_time(hours=24)
    await block.report(MALL, free=50)
    await block.ask("ann", diversion_id="ann-tomorrow")
    await block.pass_time(minutes=2)
    await _refused(block, "ann", diversion_id="ann-tomorrow")
    assert (await block.promise()).refusal_rate == refusal_rate_after(once, refused=True)


async def test_a_car_that_the_barrier_rejects_counts_as_refused(block: Block) -> None:
    """Shows that the lot's own word counts at once: its barrier did not keep what was promised."""
    await block.ask("ann")
    assert (await block.move("ann", on(OFFICE_FIRST), reason=Danger.BARRED)).outcome is Outcome.GRANTED
    assert (await block.promise()).refusal_rate == refusal_rate_after(0.0, refused=True)
    await block.ask("bob")
    await block.move("bob", on(OFFICE_FIRST), reason=Danger.FULL)
    assert (await block.promise()).refusal_rate == refusal_rate_after(0.0, refused=True)


async def _refused(block: Block, driver: str, diversion_id: str = "") -> Decision:
    return await block.book.replace(
        diversion_id or f"diversion-of-{driver}",
        DriverId(driver),
        1,
        ends_as=HoldState.REVOKED,
        reason=REFUSED_ON_ARRIVAL,
        candidates=(),
        answer={},
    )
