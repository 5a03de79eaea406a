"""A closed road between real stores: every process hears of it, also after what it heard from was lost."""

import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bowei.domain.lots import Name
from bowei.domain.places import Point
from bowei.domain.road_conditions import Closure
from bowei.livestate.redis_store import RedisLiveState
from bowei.records.connecting import connect, disconnect
from bowei.records.postgres_road_book import PostgresRoadBook
from tests.system.routing_city import MALL, PLACES, PROJECT, City, Site, prepared_site, until

_NUMBERS = itertools.count()
STREETS = Path(PROJECT, "services", "local", "scenes", "hangzhou_streets.geojson")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a prepared place for both servers."""
    with prepared_site() as site:
        yield site


@pytest.fixture
async def city(site: Site) -> AsyncIterator[City]:
    """Give the block on the demo's streets."""
    city = City(site, settings={"BOWEI_ROADS": str(STREETS)})
    try:
        await city.start_stores()
        await city.settle_in()
        city.start_routing()
        await city.ready()
        yield city
    finally:
        await city.close()


def around(place: Point, until_at: datetime) -> Closure:
    """Close some 400 m around a place."""
    corners = [(-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)]
    ring = tuple(Point(place.lat + 0.002 * north, place.lon + 0.002 * east) for north, east in corners)
    starts_at = datetime.now(UTC) - timedelta(minutes=1)
    return Closure("c", ((ring,),), starts_at, until_at, Name("封闭", "closed"), "交警")


async def mall_is(city: City, excluded: str | None) -> None:
    """Wait until new drivers are told so of the mall."""

    async def ask() -> dict[str, Any]:
        (driver,) = await city.drivers(1)
        driver.diversion_id = f"{city.database}-{next(_NUMBERS)}"
        answer = await driver.asks_until_answered()
        async with city.client() as client:
            await client.delete(
                f"/v1/diversions/{driver.diversion_id}", headers={"Authorization": f"Bearer {driver.token}"}
            )
        said: dict[str, Any] = {one["lot_id"]: one for one in answer.json()["considered"]}
        return said

    await until(ask, lambda said: said[MALL].get("excluded") == excluded)


async def shown_version(city: City) -> int | None:
    """Give the version of the roads that Redis shows to whoever starts now."""
    live_state = RedisLiveState.connect(city.site.redis.url)
    try:
        return await live_state.roads_version()
    finally:
        await live_state.close()


async def test_a_closure_is_driven_by_through_the_loss_of_redis_and_until_it_is_over(city: City) -> None:
    """Closed, it is told at once; kept while Redis is gone and after it came back empty; and it ends by itself."""
    await mall_is(city, None)
    pool = await connect(city.database_url, most_connections=1)
    try:
        book = PostgresRoadBook(pool)
        await book.put_closure(around(PLACES[MALL], datetime.now(UTC) + timedelta(hours=1)))
        await mall_is(city, "closed_road")
        city.kill_redis()
        await mall_is(city, "closed_road")
        await city.start_redis()
        await city.flush_redis()
        await until(lambda: shown_version(city), lambda version: version == 1)
        await city.until_health(
            lambda status, said: status == 200 and said["dependencies"]["live_state"]["state"] == "ok"
        )
        await mall_is(city, "closed_road")
        await book.put_closure(around(PLACES[MALL], datetime.now(UTC) + timedelta(seconds=2)))
        await mall_is(city, None)
    finally:
        await disconnect(pool)
    await city.assert_no_promise_broken()
