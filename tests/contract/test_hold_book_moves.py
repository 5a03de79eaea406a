"""Holds whose drivers are on the way, kept by every store: moved or left alone, known by a code, and in the news."""

import asyncio

from bowei.domain.holds import HoldState
from bowei.domain.lots import DriverId
from bowei.records.holding import Outcome
from tests.contract.block import MALL, MALL_FIRST, OFFICE, OFFICE_FIRST, Block, drivers, on


async def test_a_driver_on_the_way_is_moved_in_one_step(block: Block) -> None:
    """Shows that the new hold is there and the old one revoked with its reason, and each lot counts what it holds."""
    await block.ask("ann", on(MALL_FIRST))
    moved = await block.move("ann", on(OFFICE_FIRST))
    assert moved.outcome is Outcome.GRANTED
    assert moved.hold is not None
    assert (moved.hold.ordinal, moved.hold.lot_id, moved.hold.state) == (2, OFFICE, HoldState.HELD)
    assert moved.answer["why"] == "closed"
    assert (await block.held(MALL), await block.held(OFFICE)) == (0, 1)


async def test_a_driver_whom_nothing_else_takes_keeps_the_old_hold(block: Block) -> None:
    """Shows that nothing at all happens where no candidate has room: state, time and counts are as before."""
    first = await block.ask("ann", on(MALL_FIRST))
    await block.report(OFFICE, free=0, seq=1)
    before = await block.promise(MALL)
    moved = await block.move("ann", on(OFFICE_FIRST))
    assert (moved.outcome, moved.hold) == (Outcome.NONE, first.hold)
    assert (await block.find("ann")).hold == first.hold
    assert await block.promise(MALL) == before
    assert (await block.move("ann")).outcome is Outcome.NONE
    assert await block.state("ann") is HoldState.HELD


async def test_who_has_arrived_is_not_moved(block: Block) -> None:
    """Shows that a car in the lot keeps its space, whatever becomes of the lot."""
    await block.ask("ann")
    await block.arrive("ann")
    assert (await block.move("ann", on(OFFICE_FIRST))).outcome is Outcome.HOLD_OVER
    assert await block.state("ann") is HoldState.ARRIVED
    assert (await block.held(MALL), await block.held(OFFICE)) == (1, 0)


async def test_a_hold_that_is_over_is_not_moved(block: Block) -> None:
    """Shows that neither one that was given up nor one whose time has come gets a successor."""
    await block.ask("ann")
    await block.release("ann")
    assert (await block.move("ann", on(OFFICE_FIRST))).outcome is Outcome.HOLD_OVER
    await block.ask("bob")
    await block.pass_time(minutes=10)
    assert (await block.move("bob", on(OFFICE_FIRST))).outcome is Outcome.HOLD_OVER
    assert await block.held(OFFICE) == 0


async def test_a_move_that_is_repeated_moves_once(block: Block) -> None:
    """Shows that two who see the same trouble move the driver once, and that nobody moves another's hold."""
    await block.ask("ann")
    moved, again = await asyncio.gather(block.move("ann", on(OFFICE_FIRST)), block.move("ann", on(OFFICE_FIRST)))
    assert sorted((moved.outcome, again.outcome)) == [Outcome.GRANTED, Outcome.REPEATED]
    assert moved.hold == again.hold
    stolen = await block.book.move(
        "diversion-of-ann", DriverId("thief"), 2, reason="closed", candidates=[on(MALL_FIRST)], answer={}
    )
    assert stolen.outcome is Outcome.UNKNOWN_DIVERSION
    assert await block.held(OFFICE) == 1


async def test_the_space_that_is_left_can_be_had_at_once(block: Block) -> None:
    """Shows that the old space and the new one are never both counted, so that the next driver gets the old one."""
    await block.report(MALL, free=1, seq=1)
    await block.ask("ann")
    assert (await block.ask("bob")).outcome is Outcome.NONE
    await block.move("ann", on(OFFICE_FIRST))
    assert (await block.ask("bob")).outcome is Outcome.GRANTED


async def test_a_space_is_free_at_the_very_instant_at_which_its_hold_runs_out(block: Block) -> None:
    """Shows that the next driver gets the last space then, though no sweep has run, and that the end is on record."""
    await block.report(MALL, free=1, seq=1)
    await block.ask("ann")
    cursor = (await block.book.steps(None)).cursor
    await block.pass_time(minutes=10)
    assert (await block.ask("bob")).outcome is Outcome.GRANTED
    assert await block.state("ann") is HoldState.EXPIRED
    assert {diversion_id for diversion_id, _ in (await block.book.steps(cursor)).taken} == {
        "diversion-of-ann",
        "diversion-of-bob",
    }


async def test_a_code_has_eight_digits_and_outlives_a_replacement(block: Block) -> None:
    """Shows that what is printed on a slip stays true when the car is sent elsewhere."""
    first = (await block.ask("ann")).hold
    other = (await block.ask("bob")).hold
    assert first is not None
    assert other is not None
    assert first.code is not None
    assert first.code.isdigit()
    assert len(first.code) == 8
    assert other.code != first.code
    moved = (await block.move("ann", on(OFFICE_FIRST))).hold
    assert moved is not None
    assert moved.code == first.code
    found = (await block.find("ann")).hold
    assert found is not None
    assert found.code == first.code


async def test_a_car_arrives_by_the_code_that_its_lot_was_shown(block: Block) -> None:
    """Shows that the code is good at the lot of the hold alone, and that showing it again changes nothing."""
    hold = (await block.ask("ann")).hold
    assert hold is not None
    assert hold.code is not None
    elsewhere = await block.book.arrive_by_code(OFFICE, hold.code)
    assert elsewhere.outcome is Outcome.UNKNOWN_DIVERSION
    arrived = await block.book.arrive_by_code(MALL, hold.code)
    assert arrived.outcome is Outcome.ARRIVED
    assert await block.state("ann") is HoldState.ARRIVED
    await block.pass_time(minutes=1)
    await block.report(MALL, free=49)
    await block.book.sweep()
    assert await block.state("ann") is HoldState.SETTLED
    assert (await block.book.arrive_by_code(MALL, hold.code)).outcome is Outcome.ARRIVED


async def test_the_code_of_a_hold_that_is_over_opens_nothing(block: Block) -> None:
    """Shows that neither a code that ran out nor one that nobody has is let in."""
    hold = (await block.ask("ann")).hold
    assert hold is not None
    assert hold.code is not None
    wrong = f"{(int(hold.code) + 1) % 10**8:08d}"
    assert (await block.book.arrive_by_code(MALL, wrong)).outcome is Outcome.UNKNOWN_DIVERSION
    await block.pass_time(minutes=10)
    assert (await block.book.arrive_by_code(MALL, hold.code)).outcome is not Outcome.ARRIVED
    await block.book.sweep()
    assert (await block.book.arrive_by_code(MALL, hold.code)).outcome is Outcome.UNKNOWN_DIVERSION


async def test_live_holds_are_listed_by_lot_the_last_placed_first(block: Block) -> None:
    """Shows that they are as many as the lot keeps spaces for, and that nobody is among them whose time has come."""
    await block.ask("ann")
    await block.pass_time(minutes=1)
    await block.ask("bob")
    await block.ask("cid", on(OFFICE_FIRST))
    await block.ask("dan")
    await block.arrive("dan")
    listed = await block.book.live_on([MALL])
    assert [(one.driver_id, one.state) for one in listed] == [("bob", "held"), ("dan", "arrived"), ("ann", "held")]
    assert {(one.diversion_id, one.ordinal, one.lot_id) for one in listed if one.driver_id == "bob"} == {
        ("diversion-of-bob", 1, MALL)
    }
    assert await block.held(MALL) == len(listed)
    await block.pass_time(minutes=9)
    assert [one.driver_id for one in await block.book.live_on([MALL, OFFICE])] == ["bob", "cid", "dan"]
    await block.pass_time(minutes=1)
    assert [one.driver_id for one in await block.book.live_on([MALL, OFFICE])] == ["dan"]


async def test_every_step_of_a_hold_is_news_once_it_is_taken(block: Block) -> None:
    """Shows that whoever follows hears of each kind of step, with the diversion and the lot."""
    cursor = (await block.book.steps(None)).cursor

    async def heard() -> set[str]:
        nonlocal cursor
        news = await block.book.steps(cursor)
        cursor = news.cursor
        return {f"{diversion_id}@{lot_id}" for diversion_id, lot_id in news.taken}

    await block.ask("ann")
    assert "diversion-of-ann@mall" in await heard()
    await block.extend("ann", minutes=5)
    assert "diversion-of-ann@mall" in await heard()
    await block.move("ann", on(OFFICE_FIRST))
    assert {"diversion-of-ann@mall", "diversion-of-ann@office"} <= await heard()
    await block.arrive("ann")
    assert "diversion-of-ann@office" in await heard()
    await block.granted_to(drivers(2))
    await block.pass_time(minutes=10)
    await heard()
    await block.book.sweep()
    assert {"diversion-of-driver-0@mall", "diversion-of-driver-1@mall"} <= await heard()
