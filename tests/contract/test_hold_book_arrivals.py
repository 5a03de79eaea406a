"""Arriving, staying, leaving and being sent elsewhere, kept by every store: no car is counted twice, none is lost."""

from datetime import timedelta

import pytest

from bowei.domain.holds import SETTLE_LIMIT, HoldState
from bowei.domain.lots import DriverId
from bowei.domain.observations import PassageKind
from bowei.domain.offering import PoolPromise
from bowei.records.holding import Outcome
from tests.contract.block import (
    MALL,
    MALL_FIRST,
    OFFICE,
    OFFICE_FIRST,
    PLATE,
    Block,
    on,
)

INSTANT = timedelta(microseconds=1)
STANDARD = "mall-first/standard"


async def arrived(block: Block, driver: str = "ann", **asked: bytes) -> None:
    """Let a driver get a space of the mall, and arrive five minutes later."""
    await block.ask(driver, **asked)
    await block.pass_time(minutes=5)
    await block.arrive(driver)


async def staying(block: Block, driver: str = "ann", **asked: bytes) -> None:
    """Let a driver arrive, and the mall's next count show the car."""
    await arrived(block, driver, **asked)
    await block.pass_time(seconds=30)
    await block.report(MALL, free=49)
    await block.book.sweep()


async def settle_what_is_due(block: Block) -> None:
    """Let the sweep settle, and then whoever asks about the mall."""
    await block.book.sweep()
    await block.ask("passer-by")
    await block.book.release("diversion-of-passer-by", DriverId("passer-by"))


async def test_an_arrived_car_keeps_its_place_until_a_newer_count_shows_it(block: Block) -> None:
    """Shows that an arrival is not counted twice, nor for an instant not at all."""
    await arrived(block)
    arrived_at = block.now
    assert await block.held() == 1
    for observed_at in (arrived_at - INSTANT, arrived_at):
        await block.report(MALL, free=50, at=observed_at)
        await settle_what_is_due(block)
        assert (await block.state("ann"), await block.held()) == (HoldState.ARRIVED, 1)
    await block.pass_time(seconds=1)
    await block.report(MALL, free=49, at=arrived_at + INSTANT)
    await block.book.sweep()
    settled = (await block.find("ann")).hold
    assert settled is not None
    assert (settled.state, settled.reason, settled.ended_at) == (HoldState.SETTLED, "counted", block.now)
    promise = await block.promise()
    assert (promise.held, promise.stays, promise.pools[STANDARD]) == (0, 1, PoolPromise(held=0, stays=1))


async def test_the_next_driver_gets_what_a_newer_count_shows_without_waiting_for_a_sweep(block: Block) -> None:
    """Shows that asking about a lot settles it first, so that an arrived car does not bar a space twice."""
    await block.report(MALL, free=2, seq=1)
    await arrived(block)
    await block.pass_time(seconds=1)
    await block.report(MALL, free=1)
    assert (await block.ask("bob")).outcome is Outcome.GRANTED
    assert await block.state("ann") == HoldState.SETTLED


async def test_a_report_without_a_count_settles_nobody(block: Block) -> None:
    """Shows that only a full count can show a car, and neither can one that we don't believe."""
    await arrived(block)
    await block.pass_time(seconds=1)
    await block.report(MALL)
    await block.report(MALL, free=99, code="free_above_capacity", at=block.now)
    await settle_what_is_due(block)
    assert await block.state("ann") == HoldState.ARRIVED


@pytest.mark.parametrize(("late", "state"), [(-INSTANT, HoldState.ARRIVED), (timedelta(), HoldState.SETTLED)])
async def test_a_car_that_no_count_shows_is_settled_at_the_limit(
    block: Block, late: timedelta, state: HoldState
) -> None:
    """Shows that a silent lot does not keep a space held for ever."""
    await arrived(block)
    await block.step_to(block.now + SETTLE_LIMIT + late)
    await block.book.sweep()
    hold = (await block.find("ann")).hold
    assert hold is not None
    assert (hold.state, hold.reason) == (state, "settle_limit" if state is HoldState.SETTLED else None)


async def test_an_arrival_is_said_twice_and_counted_once(block: Block) -> None:
    """Shows that repeats of an arrival change nothing, before and after the car is settled."""
    await arrived(block)
    first = (await block.find("ann")).hold
    await block.pass_time(seconds=1)
    again = await block.arrive("ann")
    assert (again.outcome, again.hold) == (Outcome.ARRIVED, first)
    await block.report(MALL, free=49)
    assert (await block.arrive("ann")).outcome is Outcome.ARRIVED
    assert (await block.promise()).pools == {STANDARD: PoolPromise(held=0, stays=1)}


async def test_an_arrived_car_does_not_run_out(block: Block) -> None:
    """Shows that expiry is for those who don't come."""
    await block.ask("ann")
    await block.pass_time(minutes=9)
    await block.arrive("ann")
    await block.pass_time(minutes=2)
    assert (await block.arrive("ann")).outcome is Outcome.ARRIVED


async def test_a_driver_refused_on_arrival_gives_the_space_up(block: Block) -> None:
    """Shows that an arrived hold can be released, and can't be extended."""
    await arrived(block)
    assert (await block.extend("ann", minutes=5)).outcome is Outcome.HOLD_OVER
    assert (await block.release("ann")).outcome is Outcome.RELEASED
    assert await block.held() == 0


async def test_leaving_ends_the_stay_once(block: Block) -> None:
    """Shows that a second word of leaving changes nothing."""
    await staying(block)
    assert (await block.leave("ann")).outcome is Outcome.LEFT
    assert (await block.leave("ann")).outcome is Outcome.LEFT
    promise = await block.promise()
    assert (promise.held, promise.stays, promise.pools) == (0, 0, {})


async def test_a_car_that_leaves_before_any_count_showed_it_is_gone_in_one_step(block: Block) -> None:
    """Shows that no stay is left running, and the held place is free."""
    await arrived(block)
    left = await block.leave("ann")
    assert left.outcome is Outcome.LEFT
    assert left.hold is not None
    assert (left.hold.state, left.hold.reason) == (HoldState.SETTLED, "left")
    promise = await block.promise()
    assert (promise.held, promise.stays) == (0, 0)


async def test_who_has_not_arrived_can_not_leave(block: Block) -> None:
    """Shows that leaving is answered by the hold as it stands, which stays held."""
    await block.ask("ann")
    decision = await block.leave("ann")
    assert decision.outcome is Outcome.HOLD_OVER
    assert await block.state("ann") == HoldState.HELD


@pytest.mark.parametrize(("late", "overlong"), [(-INSTANT, 0), (timedelta(), 1)])
async def test_a_stay_whose_exit_was_never_seen_ends_at_the_agreements_longest(
    block: Block, late: timedelta, overlong: int
) -> None:
    """Shows that a lost exit does not use up a lent space for ever; the stay counts from the arrival."""
    await block.lend(MALL_FIRST, 40, max_stay=timedelta(hours=2))
    await staying(block)
    arrived_at = block.now - timedelta(seconds=30)
    await block.step_to(arrived_at + timedelta(hours=2) + late)
    assert (await block.book.sweep()).overlong == overlong
    assert (await block.promise()).stays == 1 - overlong
    assert (await block.leave("ann")).outcome is Outcome.LEFT
    assert (await block.promise()).stays == 0


async def test_an_entering_plate_arrives_by_its_hold(block: Block) -> None:
    """Shows that a driver without a hand free arrives, at the instant the barrier saw."""
    await block.ask("ann", plate_hash=PLATE)
    await block.pass_time(minutes=5)
    await block.passes(PassageKind.ENTER, plate_hashes=(PLATE,), passed_at=block.now - timedelta(seconds=3))
    hold = (await block.find("ann")).hold
    assert hold is not None
    assert (hold.state, hold.arrived_at) == (HoldState.ARRIVED, block.now - timedelta(seconds=3))
    assert await block.held() == 1


@pytest.mark.parametrize("hashes", [(PLATE, b"q" * 12), (b"q" * 12, PLATE)], ids=["newest key", "key before"])
async def test_a_car_is_known_by_whichever_key_its_hold_was_made_with(block: Block, hashes: tuple[bytes, ...]) -> None:
    """Shows that no car is missed while the key of plates changes, in or out, and no other is taken for it."""
    await block.ask("ann", plate_hash=PLATE)
    await block.pass_time(minutes=5)
    await block.passes(PassageKind.ENTER, passage_id="another", plate_hashes=(b"r" * 12, b"s" * 12))
    assert await block.state("ann") == HoldState.HELD
    await block.passes(PassageKind.ENTER, plate_hashes=hashes)
    assert await block.state("ann") == HoldState.ARRIVED
    await block.pass_time(minutes=5)
    await block.passes(PassageKind.EXIT, plate_hashes=hashes)
    assert await block.held() == 0


async def test_a_plate_without_a_hold_here_changes_no_promise(block: Block) -> None:
    """Shows that a walk-in, or a car with a hold on another lot, is only a passage."""
    await block.ask("ann", on(OFFICE_FIRST), plate_hash=PLATE)
    await block.pass_time(minutes=5)
    await block.passes(PassageKind.ENTER, MALL, plate_hashes=(PLATE,))
    await block.passes(PassageKind.ENTER, OFFICE, plate_hashes=(b"q" * 32,))
    assert await block.state("ann") == HoldState.HELD


async def test_a_passage_from_before_the_hold_is_another_visit(block: Block) -> None:
    """Shows that yesterday's passage, sent again today, does not use up today's space."""
    await block.ask("ann", plate_hash=PLATE)
    await block.pass_time(minutes=1)
    await block.passes(PassageKind.ENTER, plate_hashes=(PLATE,), passed_at=block.now - timedelta(days=1))
    assert await block.state("ann") == HoldState.HELD
    await staying(block, "bob", plate_hash=b"q" * 32)
    await block.passes(PassageKind.EXIT, plate_hashes=(b"q" * 32,), passed_at=block.now - timedelta(days=1))
    assert (await block.promise()).stays == 1


async def test_a_passage_that_moves_the_count_settles_the_car_it_names(block: Block) -> None:
    """Shows that such a car is in the count from that commit on: neither counted twice nor not at all."""
    await block.report(MALL, free=2, seq=1)
    await block.ask("ann", plate_hash=PLATE)
    await block.pass_time(minutes=5)
    recorded = await block.passes(PassageKind.ENTER, plate_hashes=(PLATE,), moves_count=True)
    assert recorded.report is not None
    assert recorded.report.free == 1
    hold = (await block.find("ann")).hold
    assert hold is not None
    assert (hold.state, hold.reason) == (HoldState.SETTLED, "passage")
    assert (await block.promise()).pools == {STANDARD: PoolPromise(held=0, stays=1)}
    assert await block.granted_to(["bob", "cid"]) == ["bob"]


async def test_a_driver_who_said_it_first_is_settled_by_the_passage(block: Block) -> None:
    """Shows that the app and the barrier name one arrival, in either order."""
    await arrived(block, plate_hash=PLATE)
    await block.pass_time(seconds=2)
    await block.passes(PassageKind.ENTER, plate_hashes=(PLATE,), moves_count=True)
    assert (await block.promise()).pools == {STANDARD: PoolPromise(held=0, stays=1)}


async def test_a_passage_settles_nobody_where_the_class_is_counted_by_itself(block: Block) -> None:
    """Shows that the count of a class, which no passage moves, keeps the car's place held."""
    await block.report(MALL, free=50, free_by_class={"standard": 50}, seq=1)
    await block.ask("ann", plate_hash=PLATE)
    await block.pass_time(minutes=5)
    await block.passes(PassageKind.ENTER, plate_hashes=(PLATE,), moves_count=True)
    assert await block.state("ann") == HoldState.ARRIVED


async def test_a_leaving_plate_ends_its_stay(block: Block) -> None:
    """Shows that the barrier's word is enough, and that the passage counts once."""
    await staying(block, plate_hash=PLATE)
    await block.pass_time(hours=1)
    await block.passes(PassageKind.EXIT, plate_hashes=(PLATE,))
    assert (await block.promise()).stays == 0


async def test_a_plate_that_leaves_before_any_count_showed_it_is_gone(block: Block) -> None:
    """Shows that an arrived car's exit leaves neither a held place nor a stay."""
    await arrived(block, plate_hash=PLATE)
    await block.pass_time(seconds=30)
    await block.passes(PassageKind.EXIT, plate_hashes=(PLATE,))
    promise = await block.promise()
    assert (promise.held, promise.stays) == (0, 0)


async def test_a_replacement_takes_the_old_holds_place(block: Block) -> None:
    """Shows that the old hold ends and the next is granted together, under the same id."""
    await block.ask("ann", plate_hash=PLATE)
    await block.pass_time(minutes=1)
    replaced = await block.replace("ann", on(OFFICE_FIRST))
    assert replaced.outcome is Outcome.GRANTED
    assert replaced.hold is not None
    assert (replaced.hold.ordinal, replaced.hold.lot_id, replaced.hold.state) == (2, OFFICE, HoldState.HELD)
    assert (replaced.hold.placed_at, replaced.answer["why"]) == (block.now, "the lot closed")
    assert (await block.held(MALL), await block.held(OFFICE)) == (0, 1)
    assert (await block.ask("ann")).hold == replaced.hold
    await block.passes(PassageKind.ENTER, OFFICE, plate_hashes=(PLATE,))
    assert await block.state("ann") == HoldState.ARRIVED


async def test_a_replacement_said_twice_happens_once(block: Block) -> None:
    """Shows that a repeat gives the new hold, and does not end it."""
    await block.ask("ann")
    replaced = await block.replace("ann", on(OFFICE_FIRST))
    again = await block.replace("ann", on(MALL_FIRST))
    assert (again.outcome, again.hold) == (Outcome.REPEATED, replaced.hold)
    assert (await block.held(MALL), await block.held(OFFICE)) == (0, 1)


async def test_without_room_elsewhere_the_old_hold_ends_all_the_same(block: Block) -> None:
    """Shows that a lot that can't keep its promise is not held on to."""
    await block.ask("ann")
    for expected in (Outcome.NONE, Outcome.REPEATED):
        decision = await block.replace("ann")
        assert decision.outcome is expected
        assert decision.hold is not None
        assert (decision.hold.state, decision.hold.reason) == (HoldState.REVOKED, "lot_closed")
    assert await block.held() == 0


async def test_an_arrived_hold_can_be_replaced(block: Block) -> None:
    """Shows the way of a driver who found the lot full on arrival."""
    await arrived(block)
    replaced = await block.replace("ann", on(OFFICE_FIRST), ends_as=HoldState.RELEASED)
    assert replaced.outcome is Outcome.GRANTED
    assert (await block.held(MALL), await block.held(OFFICE)) == (0, 1)


async def test_a_driver_who_holds_a_space_under_another_id_gets_no_replacement(block: Block) -> None:
    """Shows that a replacement does not get round the rule of one held hold."""
    await arrived(block)
    await block.ask("ann", on(OFFICE_FIRST), diversion_id="another-diversion")
    decision = await block.replace("ann", on(MALL_FIRST))
    assert decision.outcome is Outcome.DRIVER_HAS_HOLD
    assert await block.state("ann") == HoldState.REVOKED
    assert (await block.held(MALL), await block.held(OFFICE)) == (0, 1)


async def test_a_hold_that_does_not_exist_yet_can_not_be_replaced(block: Block) -> None:
    """Shows that a wrong ordinal ends nothing."""
    await block.ask("ann")
    assert (await block.replace("ann", on(OFFICE_FIRST), ordinal=2)).outcome is Outcome.UNKNOWN_DIVERSION
    assert await block.state("ann") == HoldState.HELD


async def test_a_car_arrives_by_the_hold_that_its_driver_came_by_or_not_at_all(block: Block) -> None:
    """Shows that who was moved meanwhile does not take the new space for the old one."""
    await block.ask("ann")
    await block.move("ann", on(OFFICE_FIRST))
    assert (await block.arrive("ann", of_ordinal=1)).outcome is Outcome.HOLD_OVER
    assert await block.state("ann") is HoldState.HELD
    assert (await block.arrive("ann", of_ordinal=3)).outcome is Outcome.HOLD_OVER
    arrived = await block.arrive("ann", of_ordinal=2)
    assert arrived.outcome is Outcome.ARRIVED
    assert arrived.hold is not None
    assert (arrived.hold.ordinal, arrived.hold.lot_id) == (2, OFFICE)
    assert (await block.arrive("ann", of_ordinal=2)).outcome is Outcome.ARRIVED
    assert (await block.arrive("ann", of_ordinal=1)).outcome is Outcome.HOLD_OVER
    assert (await block.arrive("bob", of_ordinal=1)).outcome is Outcome.UNKNOWN_DIVERSION
