"""Which lot a driver is sent to, by what the driver needs and what the lots' agreements say."""

from collections.abc import AsyncIterator
from datetime import time, timedelta

import pytest

from bowei.domain.agreements import LendingWindow, MarginRule
from bowei.domain.lots import LotId, SpaceClass
from tests.service.routing_block import (
    MALL,
    OFFICE,
    TOWER,
    World,
    an_agreement,
    code,
    of_lot,
    running_block,
    until,
)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, with routing running on it."""
    async with running_block() as world:
        yield world


@pytest.mark.parametrize(
    ("body", "chosen", "lot_id", "why"),
    [
        ({"height_cm": 200}, TOWER, OFFICE, "too_high"),
        ({"class": "disabled"}, OFFICE, MALL, "full"),
        ({"class": "ev"}, None, OFFICE, "no_class"),
    ],
    ids=["high car", "disabled", "ev"],
)
async def test_a_lot_that_will_not_do_for_the_car_is_left_out(
    world: World, body: dict[str, object], chosen: str | None, lot_id: str, why: str
) -> None:
    """Height and class of space are the driver's need, not a preference."""
    await world.reports_and_is_seen(MALL, free=0)
    said = await (await world.driver()).asks(**body)
    assert said.get("hold", {}).get("lot_id") == chosen
    assert of_lot(said, LotId(lot_id))["excluded"] == why


async def test_the_driver_is_told_why_this_lot_and_not_a_nearer_one(world: World) -> None:
    """In both languages, and a repeat says the same."""
    await world.reports_and_is_seen(MALL, free=0)
    driver = await world.driver()
    said = await driver.asks()
    assert said["hold"]["lot_id"] == OFFICE
    assert "Nearer, but not chosen: Lot in77 is full." in said["why"]["en"]
    assert "停车场in77已满" in said["why"]["zh"]
    assert (await driver.asks())["why"] == (await driver.looks())["why"] == said["why"]


async def test_where_nothing_will_do_the_driver_is_told_why(world: World) -> None:
    """Not only that there is nothing."""
    said = await (await world.driver()).asks(**{"class": "ev"})
    assert said["outcome"] == "none"
    assert said["why"]["en"].startswith("No lot nearby will do: Lot in77 has no space of the kind asked for;")


async def test_a_space_that_is_not_sure_is_held_and_its_chance_is_said(world: World) -> None:
    """One space, and every other lot full: better than nothing, and the driver knows."""
    for lot_id in (MALL, OFFICE, TOWER):
        await world.reports_and_is_seen(lot_id, free=int(lot_id == OFFICE))
    said = await (await world.driver()).asks()
    assert (said["outcome"], of_lot(said, OFFICE)["unsure"]) == ("held", True)
    assert f"{of_lot(said, OFFICE)['chance']:.0%} sure" in said["why"]["en"]


async def test_what_a_driver_needs_is_part_of_the_request(world: World) -> None:
    """The same id with another need is another request; a replacement is for the same need."""
    await world.register.put_agreements(
        [an_agreement(lot_id, latest_leave=time(12)) for lot_id in (MALL, TOWER)] + [an_agreement(OFFICE)]
    )
    await until(lambda: of_agreements(world) == {time(12), None})
    driver = await world.driver()
    assert code(await driver.puts(stay_s=59)) == (422, "invalid_request")
    said = await driver.asks(stay_s=4 * 3600)
    assert (said["hold"]["lot_id"], of_lot(said, MALL)["excluded"]) == (OFFICE, "stay_too_long")
    assert "Lot in77 wants cars out by 12:00" in said["why"]["en"]
    assert code(await driver.puts(stay_s=3600)) == (409, "id_reused")
    after = await driver.is_refused()
    assert after["outcome"] == "none"
    assert of_lot(after, TOWER)["excluded"] == "stay_too_long"


async def test_a_disabled_driver_gets_a_standard_space_where_no_other_is_left(world: World) -> None:
    """And is told that it is one."""
    mall, office, tower = await world.driver(), await world.driver(), await world.driver()
    for driver in (mall, office, tower):
        await driver.asks(**{"class": "disabled"})
        await until(lambda: sum(world.mirror.lot(lot_id).promise.held for lot_id in (MALL, OFFICE, TOWER)) > 0)
    await until(lambda: sum(world.mirror.lot(lot_id).promise.held for lot_id in (MALL, OFFICE, TOWER)) == 3)
    said = await (await world.driver()).asks(**{"class": "disabled"})
    assert said["hold"]["class"] == "standard"
    assert of_lot(said, LotId(said["hold"]["lot_id"]))["instead"] == "standard"
    assert "this is a standard one" in said["why"]["en"]


async def test_a_slow_walker_s_steps_are_shown_in_the_cost(world: World) -> None:
    """They weigh two and a half times."""
    said = await (await world.driver()).asks(slow_walker=True, standing="therapy")
    one = of_lot(said, OFFICE)
    assert one["slow_walk_s"] == pytest.approx(1.5 * one["walk_s"], abs=1)
    assert one["cost_s"] == sum(one[part] for part in ("drive_s", "walk_s", "slow_walk_s", "fill_s", "failure_s"))


async def test_what_is_kept_back_goes_with_the_request_to_the_ledger(world: World) -> None:
    """The ledger grants nothing beyond what the ranking keeps back."""
    await world.register.put_agreements([an_agreement(MALL, margin_rule=MarginRule.LAW)])
    await until(lambda: of_lot_margin_rule(world, MALL) is MarginRule.LAW)
    said = await (await world.driver()).asks()
    (asked,) = world.book.placed
    kept_back = of_lot(said, MALL)["kept_back"]
    assert [one.margin for one in asked.candidates if one.agreement_id == f"{MALL}-first"] == [kept_back]
    assert kept_back >= 1


def of_agreements(world: World) -> set[time | None]:
    """Give the hours by which cars must be out, as routing knows them."""
    return {one.latest_leave for one in world.mirror.directory.agreements}


def of_lot_margin_rule(world: World, lot_id: LotId) -> MarginRule:
    """Give a lot's rule of what is kept back, as routing knows it."""
    return next(one.margin_rule for one in world.mirror.directory.agreements if one.lot_id == lot_id)


async def test_a_lot_without_a_believable_count_has_no_number_and_no_null(world: World) -> None:
    """Unknown is neither 0 nor null: the key is not there at all, and the lot is not a candidate."""
    world.clock.step_to(world.clock.now() + timedelta(hours=2))
    await world.reports_and_is_seen(OFFICE, free=10)
    answer = await (await world.driver()).puts()
    said = answer.json()
    assert "null" not in answer.text
    assert said["hold"]["lot_id"] == OFFICE
    assert of_lot(said, MALL)["excluded"] == "stale_data"
    assert "free" not in of_lot(said, MALL)
    assert {"arrived_at", "ended_at", "reason"}.isdisjoint(said["hold"])


async def test_a_lot_is_used_only_while_its_agreement_lends(world: World) -> None:
    """Monday to Friday until noon means that at noon the next driver goes elsewhere."""
    mornings = LendingWindow(SpaceClass.STANDARD, 20, frozenset({1, 2, 3, 4, 5}), time(7), time(12))
    await world.register.put_agreements([an_agreement(MALL, windows=(mornings,))])
    await world.step(hours=2, minutes=59)
    early, late = await world.driver(), await world.driver()
    assert (await early.asks())["hold"]["lot_id"] == MALL
    await world.step(minutes=1)
    said = await late.asks()
    assert said["hold"]["lot_id"] == OFFICE
    assert of_lot(said, MALL)["excluded"] == "not_shared_now"
