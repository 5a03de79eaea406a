"""What is kept back from a driver, when the car must be out, and what refusals teach, kept by every store."""

import asyncio
from datetime import time, timedelta

import pytest

from bowei.domain.agreements import LendingWindow, QuotaStep
from bowei.domain.holds import REFUSED_ON_ARRIVAL, HoldState
from bowei.domain.lots import DriverId, SpaceClass
from bowei.domain.margins import refusal_rate_after
from bowei.records.holding import Candidate, Outcome
from tests.contract.block import MALL, MALL_FIRST, OFFICE, OFFICE_FIRST, TEN_MINUTES, Block, drivers, on

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
    cursor = (await block.book.promised(None)).cursor
    await _refused(block, "ann")
    assert (await block.book.promised(cursor)).promises[MALL].refusal_rate > 0


async def _refused(block: Block, driver: str) -> None:
    await block.book.replace(
        f"diversion-of-{driver}",
        DriverId(driver),
        1,
        ends_as=HoldState.REVOKED,
        reason=REFUSED_ON_ARRIVAL,
        candidates=(),
        answer={},
    )
