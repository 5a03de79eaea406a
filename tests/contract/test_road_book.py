"""What the road book promises, kept by every store: it gives back what was said until it is over, by the one clock."""

from datetime import timedelta

import pytest

from bowei.domain.lots import Name
from bowei.domain.places import Point
from bowei.domain.road_conditions import Closure, RoadConditions, RoadSpeed
from bowei.records.registering import UnknownReference
from tests.contract.block import MONDAY_9H
from tests.contract.stores import Stores

LATER = MONDAY_9H + timedelta(minutes=5)
LINE = (Point(30.28, 120.16), Point(30.29, 120.1605))
SQUARE = (((Point(30.1, 120.1), Point(30.1, 120.2), Point(30.2, 120.2), Point(30.2, 120.1), Point(30.1, 120.1)),),)


def closure(closure_id: str = "west-lake", **changes: object) -> Closure:
    """Close a square from nine until ten."""
    known: dict[str, object] = {
        "area": SQUARE,
        "starts_at": MONDAY_9H,
        "ends_at": MONDAY_9H + timedelta(hours=1),
        "reason": Name("马拉松", "Marathon"),
        "by": "交警",
    }
    return Closure(closure_id=closure_id, **{**known, **changes})  # type: ignore[arg-type]


async def test_nothing_is_said_before_somebody_says_it(stores: Stores) -> None:
    """Shows that a new book is empty, and tells the ledger's time."""
    assert await stores.roads.conditions() == RoadConditions(0)
    assert await stores.roads.version() == 0
    assert await stores.roads.now() == MONDAY_9H


async def test_speeds_come_back_as_they_were_said(stores: Stores) -> None:
    """Shows both ways to name a road, both ways to say a speed, in the order of the roads' numbers."""
    said = [
        RoadSpeed(way=173846211, kmh=12.5),
        RoadSpeed(way=-24611093, share=0.25),
        RoadSpeed(line=LINE, kmh=8.0),
        RoadSpeed(line=LINE[::-1], share=0.5),
    ]
    await stores.roads.put_speeds(said, LATER)
    conditions = await stores.roads.conditions()
    assert list(conditions.ways.each()) == [(-24611093, -0.25, LATER), (173846211, 12.5, LATER)]
    assert {(one.line, one.speed, one.until) for one in conditions.lines} == {
        (LINE, 8.0, LATER),
        (LINE[::-1], -0.5, LATER),
    }
    assert (conditions.version, await stores.roads.version()) == (1, 1)


async def test_of_a_road_the_newest_word_holds_and_the_others_stay(stores: Stores) -> None:
    """Shows that a feed may send again what changed, also twice in one batch."""
    await stores.roads.put_speeds([RoadSpeed(way=1, kmh=10), RoadSpeed(way=2, kmh=20)], LATER)
    later = LATER + timedelta(minutes=1)
    await stores.roads.put_speeds([RoadSpeed(way=2, kmh=5), RoadSpeed(way=2, kmh=6)], later)
    await stores.roads.put_speeds([RoadSpeed(line=LINE, kmh=3), RoadSpeed(line=LINE, kmh=4)], later)
    conditions = await stores.roads.conditions()
    assert list(conditions.ways.each()) == [(1, 10, LATER), (2, 6, later)]
    assert [(one.speed, one.until) for one in conditions.lines] == [(4, later)]
    assert conditions.version == 3


async def test_a_speed_is_over_at_its_very_instant(stores: Stores) -> None:
    """Shows that what no feed renews is forgotten by itself, without a change of version."""
    await stores.roads.put_speeds([RoadSpeed(way=1, kmh=10), RoadSpeed(line=LINE, kmh=10)], LATER)
    await stores.step_to(LATER - timedelta(seconds=1))
    conditions = await stores.roads.conditions()
    assert (len(conditions.ways), len(conditions.lines)) == (1, 1)
    await stores.step_to(LATER)
    assert await stores.roads.conditions() == RoadConditions(1)
    await stores.roads.put_speeds([RoadSpeed(way=1, kmh=11)], LATER + timedelta(minutes=1))
    assert [speed for _, speed, _ in (await stores.roads.conditions()).ways.each()] == [11]


async def test_a_closure_comes_back_as_it_was_put(stores: Stores) -> None:
    """Shows every field, that putting it again replaces it, and that each change is counted."""
    assert await stores.roads.put_closure(closure())
    assert await stores.roads.put_closure(closure("a-second", starts_at=LATER))
    assert [one.closure_id for one in await stores.roads.closures()] == ["a-second", "west-lake"]
    longer = closure(ends_at=MONDAY_9H + timedelta(hours=2), by="city", reason=Name("施工", "Works"))
    assert not await stores.roads.put_closure(longer)
    conditions = await stores.roads.conditions()
    assert conditions.closures == (closure("a-second", starts_at=LATER), longer)
    assert conditions.version == 3


async def test_a_closure_is_over_at_its_end_or_when_it_is_removed(stores: Stores) -> None:
    """Shows both ends; what is over is not there to be removed, and its id may be used anew."""
    await stores.roads.put_closure(closure())
    await stores.roads.put_closure(closure("a-second"))
    await stores.roads.remove_closure("a-second")
    with pytest.raises(UnknownReference, match="unknown_closure"):
        await stores.roads.remove_closure("a-second")
    assert list(await stores.roads.closures()) == [closure()]
    version = await stores.roads.version()
    await stores.step_to(MONDAY_9H + timedelta(hours=1))
    assert list(await stores.roads.closures()) == []
    with pytest.raises(UnknownReference, match="unknown_closure"):
        await stores.roads.remove_closure("west-lake")
    assert await stores.roads.version() == version == 3
    assert await stores.roads.put_closure(closure(ends_at=MONDAY_9H + timedelta(hours=3)))
