"""Drivers are sent over the roads as they are now."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bowei.domain.lots import Name
from bowei.domain.places import Point
from bowei.domain.road_conditions import Closure, RoadSpeed
from bowei.records.in_memory import InMemoryRoadBook
from tests.service.routing_block import MALL, MONDAY_9H, PATIENCE_S, PLACES, TOWER, World, of_lot, running_block

STREETS = Path(__file__).parents[2] / "services" / "local" / "scenes" / "hangzhou_streets.geojson"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Give the block on the demo's streets, with routing running on it."""
    async with running_block(roads=STREETS) as world:
        yield world


def around(place: Point, degrees: float = 0.002) -> Closure:
    """Close some 400 m around a place until ten."""
    corners = [(-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)]
    ring = tuple(Point(place.lat + degrees * north, place.lon + degrees * east) for north, east in corners)
    return Closure("c", ((ring,),), MONDAY_9H, MONDAY_9H + timedelta(hours=1), Name("封闭", "closed"), "交警")


async def version(world: World) -> float:
    """Give the version of the roads that this process drives by, as its metrics say."""
    text = (await world.request("GET", "/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith("bowei_routing_roads_version ")]
    return float(line.split()[1])


async def driven_by(world: World, wanted: int) -> None:
    """Wait until this process drives by a version."""
    deadline_s = time.monotonic() + PATIENCE_S
    while await version(world) != wanted:
        assert time.monotonic() < deadline_s, "never driven by"
        await asyncio.sleep(0.01)


async def asked(world: World) -> dict[str, Any]:
    """Ask as a new driver, who gives the space up again."""
    driver = await world.driver()
    said = await driver.asks()
    await world.request("DELETE", driver.path, driver.token)
    return said


async def test_a_lot_behind_a_closed_road_is_left_out_until_it_is_open_again(world: World) -> None:
    """The nearest lot says `closed_road`, another is held; removed or over, the nearest is chosen again."""
    roads = InMemoryRoadBook(world.records)
    assert (await asked(world))["lot"]["lot_id"] == MALL
    await roads.put_closure(around(PLACES[MALL]))
    await driven_by(world, 1)
    said = await asked(world)
    assert of_lot(said, MALL)["excluded"] == "closed_road"
    assert said["lot"]["lot_id"] != MALL
    await roads.remove_closure("c")
    await driven_by(world, 2)
    assert (await asked(world))["lot"]["lot_id"] == MALL
    await roads.put_closure(around(PLACES[MALL]))
    await driven_by(world, 3)
    assert of_lot(await asked(world), MALL)["excluded"] == "closed_road"
    await world.step(hours=1)
    deadline_s = time.monotonic() + PATIENCE_S
    while (await asked(world))["lot"]["lot_id"] != MALL:
        assert time.monotonic() < deadline_s, "never open again"
        await asyncio.sleep(0.02)


async def test_slower_roads_take_longer(world: World) -> None:
    """All streets at a fifth of their speed: the drive takes longer, and the answer still names the roads."""
    before = of_lot(await asked(world), TOWER)["drive_s"]
    slow = [RoadSpeed(way=way * sign, share=0.2) for way in range(1, 200) for sign in (1, -1)]
    await InMemoryRoadBook(world.records).put_speeds(slow, MONDAY_9H + timedelta(minutes=5))
    await driven_by(world, 1)
    assert of_lot(await asked(world), TOWER)["drive_s"] > 2 * before
    text = (await world.request("GET", "/metrics")).text
    assert 'bowei_routing_road_pieces{state="slowed"}' in text
    assert "bowei_routing_roads_weighing_seconds_count 1.0" in text


async def test_an_entrance_far_from_any_road_is_told_to_the_operator(world: World) -> None:
    """Counted for its hospital; and a driver beyond the map is told that the drive is a guess by air."""
    said = await (await world.driver()).asks()
    assert said["route"]["by"].endswith("hangzhou-block-v1")
    text = (await world.request("GET", "/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith("bowei_routing_entrances_off_road{")]
    assert line.startswith('bowei_routing_entrances_off_road{hospital="first-hospital"}')
    far = await (await world.driver()).asks(position={"lat": 30.35, "lon": 120.30, "datum": "wgs84"})
    assert (far["route"]["by"], far["route"]["estimated"]) == ("air", True)
