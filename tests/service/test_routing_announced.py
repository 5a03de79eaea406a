"""A driver announces the hospital before arriving: to go on, or to be diverted before joining the queue."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from bowei.records.failures import OutcomeUnknown, StoreAway
from tests.service.availability_block import EventReader
from tests.service.routing_block import FIRST, MALL, OFFICE, OWN, TOWER, Driver, World, code, running_block

FAR = {"lat": 30.2300, "lon": 120.1621, "datum": "wgs84"}
"""Three kilometres south of the hospital."""


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block, whose hospital has 40 of 127 spaces free, with routing running on it."""
    async with running_block() as world:
        await world.reports_and_is_seen(OWN, free=40)
        yield world


async def _announces(driver: Driver) -> dict[str, Any]:
    return await driver.asks(announce=True, position=FAR)


async def test_a_driver_goes_on_where_the_hospital_will_have_room(world: World) -> None:
    """Nothing is held, nothing is remembered; what is expected there is said, in numbers and in words."""
    driver = await world.driver()
    said = await _announces(driver)
    assert (said["outcome"], said["considered"]) == ("proceed", [])
    assert "hold" not in said
    assert (said["expected"]["free"], said["expected"]["full"]) == (40, False)
    assert said["expected"]["chance"] > 0.95
    assert said["expected"]["arrives_at"] > said["asked_at"]
    assert "直接前往" in said["text"]["zh"]
    assert world.holds() == []
    assert code(await world.request("GET", driver.path, driver.token)) == (404, "unknown_diversion")


async def test_a_driver_is_diverted_where_it_will_be_full(world: World) -> None:
    """Two spaces are free now and a quarter of an hour is long: a space is held before the driver joins the queue."""
    await world.reports_and_is_seen(OWN, free=1)
    driver = await world.driver()
    said = await _announces(driver)
    assert (said["outcome"], said["hold"]["lot_id"]) == ("held", MALL)


async def test_cars_that_wait_at_the_gate_count_as_parked(world: World) -> None:
    """Forty are free and sixty wait for them: that is full."""
    await world.reports_and_is_seen(OWN, free=40, queue_vehicles=60)
    assert (await _announces(await world.driver()))["outcome"] == "held"


async def test_nothing_known_is_not_full(world: World) -> None:
    """A hospital lot whose feed is dead says nothing: the driver goes on, and is told that nothing is foreseen."""
    await world.later(minutes=30, silent=[OWN])
    said = await _announces(await world.driver())
    assert said["outcome"] == "proceed"
    assert "chance" not in said["expected"]
    assert "nothing can be foreseen" in said["text"]["en"]


async def test_a_repeat_of_an_id_that_has_a_hold_gives_the_hold(world: World) -> None:
    """Whatever the hospital's lot says now: the space that was promised stays."""
    await world.reports_and_is_seen(OWN, free=0)
    driver = await world.driver()
    held = await _announces(driver)
    await world.reports_and_is_seen(OWN, free=100)
    again = await _announces(driver)
    assert again["hold"] == held["hold"]
    plain = await driver.asks()
    assert plain["hold"] == held["hold"]


async def test_who_goes_on_is_told_when_it_turns_and_gets_a_space_by_asking_again(world: World) -> None:
    """The stream that the answer names hears it from the live state; then the same id holds a space: that too."""
    driver = await world.driver()
    watch = (await _announces(driver))["watch"]
    assert world.app is not None
    async with EventReader(world.app, watch, token=driver.token) as stream:
        first = await stream.event()
        assert (first.event, first.data["outcome"], first.data["expected"]["full"]) == ("standing", "proceed", False)
        await world.reports_and_is_seen(OWN, free=0)
        turned = await stream.event()
        assert (turned.event, turned.data["expected"]["full"]) == ("turned", True)
        assert (await _announces(driver))["outcome"] == "held"
        held = await stream.event()
        assert (held.event, held.data["hold"]["lot_id"]) == ("held", MALL)


async def test_who_goes_on_may_wait_by_long_poll(world: World) -> None:
    """The same, by ETag."""
    driver = await world.driver()
    answer = await driver.puts(announce=True, position=FAR)
    arrives_at = quote(answer.json()["expected"]["arrives_at"])
    path = f"{driver.path}?hospital_id={FIRST}&arrives_at={arrives_at}&wait_s=20"
    headers = {"If-None-Match": answer.headers["etag"]}
    waiting = asyncio.create_task(world.request("GET", path, driver.token, headers=headers))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await world.reports_and_is_seen(OWN, free=0)
    assert (await asyncio.wait_for(waiting, 5)).json()["expected"]["full"] is True


async def test_who_can_go_neither_there_nor_elsewhere_is_told_so(world: World) -> None:
    """The hospital will be full and no lot has room: `none`, as for everyone."""
    for lot_id in (OWN, MALL, OFFICE, TOWER):
        await world.reports_and_is_seen(lot_id, free=0)
    assert (await _announces(await world.driver()))["outcome"] == "none"


async def test_while_the_ledger_is_away_a_driver_goes_on_where_the_hospital_has_room(world: World) -> None:
    """As without announcing, nothing is held and nobody is left standing; whoever has a hold keeps it meanwhile."""
    driver = await world.driver()
    world.book.failing = StoreAway("refused")
    assert (await _announces(driver))["outcome"] == "proceed"
    await world.reports_and_is_seen(OWN, free=0)
    assert (await _announces(driver))["outcome"] == "guided"


async def test_an_answer_of_the_ledger_that_was_lost_sends_nobody_on(world: World) -> None:
    """The ledger is there and may know of a hold: the same id is to be asked again."""
    driver = await world.driver()
    world.book.failing = OutcomeUnknown("lost")
    answer = await driver.puts(announce=True, position=FAR)
    assert code(answer) == (503, "outcome_unknown")


@pytest.mark.parametrize(
    "arrives_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-09T01:00:00Z"]
)
async def test_an_arrival_that_nobody_expects_is_taken_for_one_of_a_day_away(world: World, arrives_at: str) -> None:
    """An app with a mad clock, or one that slept for a week, is answered, and told of which arrival."""
    driver = await world.driver()
    path = f"{driver.path}?hospital_id={FIRST}&arrives_at={quote(arrives_at)}"
    answer = await world.request("GET", path, driver.token)
    assert answer.status_code == 200, answer.text
    day = "01" if arrives_at.startswith("0001") else "03"
    assert answer.json()["expected"]["arrives_at"].startswith(f"2026-03-{day}T01:00:00")


async def test_a_driver_learns_how_near_the_entrance_is(world: World) -> None:
    """The position is not kept; near the mall, whose barrier will say so, nothing is concluded from it."""
    driver = await world.driver()
    await driver.asks()
    for position, near in ((FAR, False), ({"lat": 30.2552, "lon": 120.1586, "datum": "wgs84"}, True)):
        answer = await world.request("POST", f"{driver.path}/position", driver.token, json=position)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["near"], answer.json()["arrived"]) == (near, False)
    assert code(await world.request("POST", f"{driver.path}/position", driver.token, json={"lat": 1})) == (
        422,
        "invalid_request",
    )
    await driver.gives_up()
    assert code(await world.request("POST", f"{driver.path}/position", driver.token, json=FAR)) == (409, "hold_over")


async def test_a_geofence_says_arrived_where_the_operator_lets_it_and_no_barrier_does() -> None:
    """Fifty metres from the office, which has no barrier link; eighty are too far."""
    async with running_block(geofence_m=60) as world:
        await world.reports_and_is_seen(MALL, free=0)
        driver = await world.driver()
        assert (await driver.asks())["hold"]["lot_id"] == OFFICE
        for lat, arrived in ((30.2648, False), (30.2644, True)):
            position = {"lat": lat, "lon": 120.1640, "datum": "wgs84"}
            answer = await world.request("POST", f"{driver.path}/position", driver.token, json=position)
            assert answer.json()["arrived"] is arrived
        assert (await driver.looks())["hold"]["state"] == "arrived"
