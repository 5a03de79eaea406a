"""The promise failed on arrival: the same answer sends the driver on to another held space."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.service.routing_block import MALL, OFFICE, TOWER, World, code, of_lot, running_block


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, with routing running on it."""
    async with running_block() as world:
        yield world


async def test_a_refused_driver_gets_a_space_on_another_lot_in_the_same_answer(world: World) -> None:
    """The old hold is revoked and the new one granted together; the way leads from where the driver stands."""
    driver = await world.driver()
    await driver.asks()
    said = await driver.is_refused()
    assert (said["outcome"], said["hold"]["ordinal"], said["hold"]["lot_id"]) == ("held", 2, OFFICE)
    assert said["lot"]["lot_id"] == OFFICE
    assert world.holds() == [("trip-00001", 1, MALL, "revoked"), ("trip-00001", 2, OFFICE, "held")]
    assert of_lot(said, MALL)["excluded"] == "full"
    assert (await driver.looks())["hold"] == said["hold"]


async def test_saying_it_twice_gives_one_replacement(world: World) -> None:
    """A lost answer is asked for again: the driver does not lose the replacement by it."""
    driver = await world.driver()
    await driver.asks()
    first, second = await driver.is_refused(), await driver.is_refused()
    assert first["hold"] == second["hold"]
    assert len(world.holds()) == 2


async def test_a_driver_refused_twice_is_not_sent_back_to_the_first_lot(world: World) -> None:
    """The first lot still reports free spaces; to this driver it said no."""
    driver = await world.driver()
    await driver.asks()
    await driver.is_refused()
    said = await driver.is_refused(2)
    assert (said["hold"]["ordinal"], said["hold"]["lot_id"]) == (3, TOWER)
    assert {of_lot(said, lot)["excluded"] for lot in (MALL, OFFICE)} == {"full"}


async def test_the_replacement_is_high_enough_for_the_same_car(world: World) -> None:
    """The car of 2 m that did not get into the mall is not sent to a garage of 1.90 m."""
    driver = await world.driver()
    await driver.asks(height_cm=200)
    said = await driver.is_refused()
    assert said["hold"]["lot_id"] == TOWER
    assert of_lot(said, OFFICE)["excluded"] == "too_high"


async def test_where_no_other_lot_has_room_the_answer_says_so(world: World) -> None:
    """`none`, with the revoked hold and no way to drive to: nobody is led back to where there was no space."""
    for lot_id in (OFFICE, TOWER):
        await world.reports_and_is_seen(lot_id, free=0)
    driver = await world.driver()
    await driver.asks()
    said = await driver.is_refused()
    assert (said["outcome"], said["hold"]["state"], said["hold"]["reason"]) == ("none", "revoked", "refused_on_arrival")
    assert {"lot", "route", "nav"}.isdisjoint(said)
    assert said["guaranteed"] is False
    assert all("excluded" in one for one in said["considered"])
    assert (await driver.looks())["outcome"] == "none"
    assert (await driver.is_refused())["hold"] == said["hold"]


async def test_a_driver_who_holds_another_space_already_is_not_given_a_third(world: World) -> None:
    """The refusal is noted all the same, and said again the answer is the same."""
    driver = await world.driver()
    await driver.asks()
    await driver.arrives()
    first_id, driver.diversion_id = driver.diversion_id, "another-trip"
    await driver.asks()
    driver.diversion_id = first_id
    first, second = await driver.is_refused(), await driver.is_refused()
    assert first["outcome"] == second["outcome"] == "none"
    assert first["hold"] == second["hold"]
    assert [state for _, _, _, state in world.holds()] == ["held", "revoked"]


async def test_a_hold_that_ran_out_can_not_be_refused(world: World) -> None:
    """Nothing was promised any more: the driver asks anew."""
    driver = await world.driver()
    await driver.asks()
    world.clock.step_to(world.clock.now() + timedelta(minutes=6))
    answer = await world.request("POST", f"{driver.path}/refused", driver.token, json={"ordinal": 1})
    assert code(answer) == (409, "hold_over")


async def test_a_hold_that_does_not_exist_yet_can_not_be_refused(world: World) -> None:
    """Ordinal 2 of a diversion with one hold is a mistake of the app, and revokes nothing."""
    driver = await world.driver()
    await driver.asks()
    answer = await world.request("POST", f"{driver.path}/refused", driver.token, json={"ordinal": 2})
    assert code(answer) == (404, "unknown_diversion")
    assert [state for _, _, _, state in world.holds()] == ["held"]
