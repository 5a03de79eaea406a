"""Which lot a driver is sent to, by what the driver needs and what the lots' agreements say."""

from collections.abc import AsyncIterator
from datetime import time, timedelta

import pytest

from bowei.domain.agreements import LendingWindow
from bowei.domain.lots import LotId, SpaceClass
from tests.service.routing_block import (
    MALL,
    OFFICE,
    TOWER,
    World,
    an_agreement,
    of_lot,
    running_block,
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
