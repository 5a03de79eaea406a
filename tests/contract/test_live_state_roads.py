"""What everyone may rely on of the roads in the live state, in memory and in Redis in every form alike."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from bowei.domain.lots import Name
from bowei.domain.places import Point
from bowei.domain.road_conditions import Closure, LineSpeed, RoadConditions, WaySpeeds
from bowei.livestate.reading import Change
from tests.contract.full_directory import HERE, NINE
from tests.contract.test_live_state import Room, form, next_news, room

__all__ = ["form", "room"]


async def test_the_roads_are_shown_whole_whatever_was_there(room: Room) -> None:
    """Every field survives, the version can be had alone, and another ledger's lower version replaces a higher one."""
    live_state = room.live_state
    assert (await live_state.roads_version(), await live_state.roads()) == (None, None)
    later = NINE + timedelta(minutes=5)
    ring = (HERE, Point(30.26, 120.16), Point(30.26, 120.17), HERE)
    conditions = RoadConditions(
        version=7,
        ways=WaySpeeds.of([(-24611093, -0.25, later), (2**40, 12.5, later + timedelta(microseconds=250_000))]),
        lines=(LineSpeed((HERE, Point(30.2, 120.1)), 8.5, later),),
        closures=(Closure("west", ((ring, ring),), NINE, later, Name("封", "closed"), "交警"),),
    )
    for shown in (conditions, replace(conditions, version=3, lines=())):
        await live_state.show_roads(shown)
        assert (await live_state.roads_version(), await live_state.roads()) == (shown.version, shown)
    await room.flush()
    assert await live_state.roads_version() is None


async def test_readers_hear_of_changed_roads(room: Room) -> None:
    """Of each change, whatever its version, and of nothing else."""
    async with room.live_state.changes() as news, asyncio.timeout(10):
        for version in (2, 1):
            await room.live_state.show_roads(RoadConditions(version))
            assert await next_news(news) == Change(roads=True)
