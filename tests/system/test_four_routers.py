"""Four routing processes on one ledger and one Redis: however requests spread over them, it is one promise."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx2
import pytest

from tests.system.routing_city import PATIENCE_S, SPACES, City, Driver, Site, prepared_site, until

PROCESSES = 4
ALL_SPACES = sum(SPACES.values())


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a prepared place for both servers."""
    with prepared_site() as site:
        yield site


@dataclass(frozen=True)
class Routers:
    """The city, and a client of each of its routing processes."""

    city: City
    clients: list[httpx2.AsyncClient]

    async def put(self, driver: Driver, number: int) -> httpx2.Response:
        """Ask one of the processes, by number, and again while it says `repeat this`."""
        return await until(
            lambda: driver.puts(self.clients[number % PROCESSES]), lambda answer: answer.status_code != 503
        )

    async def give_up(self, driver: Driver, number: int) -> None:
        """Give the driver's space up at one of the processes."""
        answer = await self.clients[number % PROCESSES].delete(
            f"/v1/diversions/{driver.diversion_id}", headers={"Authorization": f"Bearer {driver.token}"}
        )
        assert answer.status_code == 204, answer.text

    async def live_holds(self) -> dict[str, str]:
        """Give the lot of each live hold, by driver, and make sure that none has two."""
        rows = await self.city.fetch("SELECT driver_id, lot_id FROM bowei.hold WHERE state = 'held'")
        assert len({row["driver_id"] for row in rows}) == len(rows)
        return {row["driver_id"]: row["lot_id"] for row in rows}


@pytest.fixture
async def routers(site: Site) -> AsyncIterator[Routers]:
    """Give the block with four processes serving it."""
    cities = [City(site)]
    cities += [City(site, database=cities[0].database) for _ in range(PROCESSES - 1)]
    try:
        await cities[0].start_stores()
        await cities[0].settle_in()
        for city in cities:
            city.start_routing()
        await asyncio.gather(*(city.ready() for city in cities))
        async with AsyncExitStack() as stack:
            yield Routers(cities[0], [await stack.enter_async_context(city.client()) for city in cities])
    finally:
        for city in reversed(cities):
            await city.close()


def _hold_of(answer: httpx2.Response) -> tuple[str, str] | None:
    body = answer.json()
    return (body["diversion_id"], body["hold"]["lot_id"]) if "hold" in body else None


async def test_two_hundred_drivers_who_ask_two_processes_each_get_the_fifty_spaces_once(routers: Routers) -> None:
    """The same id at two processes in the same instant is one hold, and every process repeats it; 50 in all."""
    drivers = await routers.city.drivers(200)
    pairs = await asyncio.gather(
        *(
            asyncio.gather(routers.put(driver, number), routers.put(driver, number + 1 + number % 3))
            for number, driver in enumerate(drivers)
        )
    )
    assert {answer.status_code for pair in pairs for answer in pair} == {200, 201}
    told = [{hold for answer in pair if (hold := _hold_of(answer))} for pair in pairs]
    assert Counter(len(holds) for holds in told) == {1: ALL_SPACES, 0: len(drivers) - ALL_SPACES}
    assert sum(answer.status_code == 201 for pair in pairs for answer in pair) == ALL_SPACES
    again = await asyncio.gather(*(routers.put(driver, number + 2) for number, driver in enumerate(drivers)))
    assert [{hold for hold in [_hold_of(answer)] if hold} for answer in again] == told
    assert Counter((await routers.live_holds()).values()) == SPACES
    await routers.city.assert_no_promise_broken()


async def test_a_driver_who_asks_four_processes_under_four_ids_gets_one_space(routers: Routers) -> None:
    """One id is granted; the three others are told which hold the driver has."""
    drivers = await routers.city.drivers(30)
    answers = await asyncio.gather(
        *(
            routers.put(Driver(driver.city, driver.token, f"{driver.diversion_id}-{number}"), number)
            for driver in drivers
            for number in range(PROCESSES)
        )
    )
    codes = Counter((answer.status_code, answer.json().get("code")) for answer in answers)
    assert codes == {(201, None): 30, (409, "driver_has_hold"): 90}
    assert len(await routers.live_holds()) == len(await routers.city.holds()) == 30
    await routers.city.assert_no_promise_broken()


async def test_what_one_process_frees_another_gives_away_once(routers: Routers) -> None:
    """While 20 drivers give up at one process and 60 ask at the others, no space is lost and none is given twice."""
    drivers = await routers.city.drivers(ALL_SPACES + 60)
    first, waiting = drivers[:ALL_SPACES], drivers[ALL_SPACES:]
    granted = await asyncio.gather(*(routers.put(driver, number) for number, driver in enumerate(first)))
    assert all(_hold_of(answer) for answer in granted)
    leaving = [asyncio.create_task(routers.give_up(driver, number)) for number, driver in enumerate(first[:20])]
    await asyncio.gather(*leaving, *(routers.put(driver, number) for number, driver in enumerate(waiting)))
    await _ask_until_full(routers, waiting)
    assert Counter((await routers.live_holds()).values()) == SPACES
    await routers.city.assert_no_promise_broken()


async def _ask_until_full(routers: Routers, drivers: list[Driver]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(await routers.live_holds()) < ALL_SPACES:
            await asyncio.gather(*(routers.put(driver, number) for number, driver in enumerate(drivers)))
