"""Gates send nobody over a closed road."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bowei.domain.lots import Name
from bowei.domain.places import Point
from bowei.domain.road_conditions import Closure, RoadConditions
from bowei.roads.opening import open_travel_times
from tests.service.availability_block import FIRST, LOTS, MALL, MONDAY_MORNING, OWN, TOWER, Block, running_block

STREETS = Path(__file__).parents[2] / "services" / "local" / "scenes" / "hangzhou_streets.geojson"
GATE = f"/v1/hospitals/{FIRST}/gate"


@asynccontextmanager
async def full_hospital() -> AsyncIterator[Block]:
    """Give the block on the demo's streets; the hospital is full, and two lots have room."""
    async with running_block(travel_times=open_travel_times(STREETS)) as block:
        await block.register()
        await block.report(OWN, 0)
        await block.report(MALL, 100)
        await block.report(TOWER, 30)
        await block.ready()
        yield block


def around(place: Point, half_deg: float) -> Closure:
    """Close a square around a place for an hour."""
    corners = [(-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)]
    ring = tuple(Point(place.lat + half_deg * north, place.lon + half_deg * east) for north, east in corners)
    ends_at = MONDAY_MORNING + timedelta(hours=1)
    return Closure("c", ((ring,),), MONDAY_MORNING, ends_at, Name("封闭", "closed"), "交警")


async def test_a_gate_turns_to_another_lot_when_the_way_to_the_first_is_closed_and_back() -> None:
    """Without a new directory: the ways from a gate change with the roads, and again when they are open."""
    async with full_hospital() as block:
        first = (await block.until(GATE, lambda said: "next" in said))["next"]["lot_id"]
        entrance = next(lot for lot in LOTS if lot.lot_id == first).entrances[0].point
        await block.live_state.show_roads(RoadConditions(1, closures=(around(entrance, 0.0015),)))
        said = await block.until(GATE, lambda said: said.get("next", {}).get("lot_id") != first)
        excluded = {one["lot_id"]: one.get("excluded") for one in said["considered"]}
        assert excluded[first] == "closed_road"
        await block.live_state.show_roads(RoadConditions(2))
        await block.until(GATE, lambda said: said.get("next", {}).get("lot_id") == first)


async def test_everybody_sees_what_is_closed_and_from_when_until_when() -> None:
    """As an area, longitude first, in force or to come; who closed it is not said, and what is over is gone."""
    async with running_block() as block:
        await block.register()
        await block.ready()
        assert (await block.get("/v1/closures")) == {"items": [], "total": 0}
        now = around(LOTS[0].location, 0.001)
        later = replace(now, closure_id="later", starts_at=MONDAY_MORNING + timedelta(minutes=30))
        await block.live_state.show_roads(RoadConditions(1, closures=(now, later)))
        said = await block.until("/v1/closures", lambda said: said["total"] == 2)
        first, second = said["items"]
        assert (first["in_force"], second["in_force"]) == (True, False)
        assert first["reason"] == {"zh": "封闭", "en": "closed"}
        corner = first["area"]["coordinates"][0][0][0]
        assert corner == [LOTS[0].location.lon - 0.001, LOTS[0].location.lat - 0.001]
        assert "交警" not in str(said)
        block.pass_time(minutes=61)
        await block.until("/v1/closures", lambda said: said["total"] == 0)
