"""Who holds were for is forgotten in time, by every store alike; what is counted stays."""

from datetime import timedelta

from bowei.domain.lots import DriverId
from bowei.domain.observations import PassageKind
from bowei.domain.sharing_reports import Month
from bowei.records.forgetting import ForgottenPersons
from bowei.records.holding import Outcome
from tests.contract.block import MALL, MALL_FIRST, Block, on

MONTH = timedelta(days=30)
PLATE = b"\x05" * 12


async def _parked_and_left(block: Block, driver: str) -> None:
    await block.ask(driver, on(MALL_FIRST), plate_hash=PLATE)
    await block.arrive(driver)
    await block.pass_time(minutes=1)
    await block.report(MALL, free=49)
    await block.book.sweep()
    await block.leave(driver)


async def test_plates_and_codes_are_forgotten_a_day_after_the_car_left_and_drivers_after_a_month(block: Block) -> None:
    """Each in its time, once; nothing is kept an hour longer."""
    persons, driver = block.stores.persons, DriverId("a")
    await _parked_and_left(block, "a")
    assert await persons.forget(MONTH) == ForgottenPersons()
    await block.pass_time(hours=25, minutes=1)
    assert await persons.kept_too_long(MONTH) == 1
    assert (await persons.forget(MONTH)).plates == 1
    assert await persons.kept_too_long(MONTH) == 0
    (hold,) = await persons.holds_of(driver)
    assert (hold.code, hold.driver_id) == (None, driver)
    await block.pass_time(days=29)
    assert (await persons.forget(MONTH)).drivers == 1
    assert list(await persons.holds_of(driver)) == []
    assert not (await persons.forget(MONTH)).anything
    (line,) = await block.stores.sharing.month(Month(2026, 3), None, None)
    assert (line.held, line.honoured, line.stays) == (1, 1, 1)


async def test_a_car_that_still_stands_there_is_known_until_it_leaves(block: Block) -> None:
    """However long: by its plate it is seen to leave. A space that is held is not touched either."""
    await block.ask("a", on(MALL_FIRST), plate_hash=PLATE)
    await block.arrive("a")
    await block.pass_time(minutes=1)
    await block.report(MALL, free=49)
    await block.book.sweep()
    await block.pass_time(days=40)
    assert not (await block.stores.persons.forget(MONTH)).anything
    assert await block.stores.persons.kept_too_long(MONTH) == 0
    recorded = await block.passes(PassageKind.EXIT, plate_hashes=(PLATE,))
    assert recorded.outcome == "applied"
    forgotten = await block.stores.persons.forget(MONTH)
    assert (forgotten.plates, forgotten.drivers) == (1, 1)


async def test_a_driver_sees_all_that_is_kept_and_may_have_it_erased(block: Block) -> None:
    """Not while a space is held; afterwards for good, and nobody else's."""
    persons, driver = block.stores.persons, DriverId("a")
    await _parked_and_left(block, "a")
    await block.ask("b", on(MALL_FIRST))
    await block.ask("a", on(MALL_FIRST), diversion_id="another-of-a")
    assert [hold.diversion_id for hold in await persons.holds_of(driver)] == ["diversion-of-a", "another-of-a"]
    assert await persons.erase(driver) is False
    assert len(await persons.holds_of(driver)) == 2
    await block.book.release("another-of-a", driver)
    assert await persons.erase(driver) is True
    assert list(await persons.holds_of(driver)) == []
    assert (await block.book.find("diversion-of-a", driver)).outcome is Outcome.UNKNOWN_DIVERSION
    assert len(await persons.holds_of(DriverId("b"))) == 1
    assert await persons.erase(driver) is True


async def test_a_tombstone_is_forgotten_with_who_gave_up(block: Block) -> None:
    """Until then a late attempt grants nothing."""
    await block.release("a")
    assert (await block.ask("a", on(MALL_FIRST))).outcome is Outcome.GIVEN_UP
    await block.pass_time(days=31)
    await block.report(MALL, free=50)
    assert (await block.stores.persons.forget(MONTH)).leavings >= 1
    assert (await block.ask("a", on(MALL_FIRST))).outcome is Outcome.GRANTED


async def test_no_promise_looks_broken_afterwards(block: Block) -> None:
    """What the check reads of a hold stays."""
    await _parked_and_left(block, "a")
    await block.pass_time(days=31)
    await block.stores.persons.forget(MONTH)
    assert list(await block.book.broken_promises()) == []
