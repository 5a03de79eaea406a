"""Routing between real stores: no space is promised twice, whatever dies, and what died is made good by itself."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import httpx2
import pytest

from tests.system.routing_city import MALL, OFFICE, SPACES, City, Driver, Site, prepared_site, until


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a prepared place for both servers."""
    with prepared_site() as site:
        yield site


@pytest.fixture
async def bare_city(site: Site) -> AsyncIterator[City]:
    """Give the block on running stores, without the process."""
    city = City(site)
    try:
        await city.start_stores()
        await city.settle_in()
        yield city
    finally:
        await city.close()


@pytest.fixture
async def city(bare_city: City) -> City:
    """Give the block with the process serving it."""
    bare_city.start_routing()
    await bare_city.ready()
    return bare_city


async def test_two_hundred_drivers_at_once_get_the_fifty_spaces_there_are(city: City) -> None:
    """Exactly 50 holds, no lot above what it has, and 150 plain answers that nothing is free."""
    drivers = await city.drivers(200)
    async with city.client() as client:
        answers = await asyncio.gather(*(driver.puts(client) for driver in drivers))
    assert Counter(answer.status_code for answer in answers) == {201: 50, 200: 150}
    assert Counter(answer.json()["outcome"] for answer in answers) == {"held": 50, "none": 150}
    assert Counter(row["lot_id"] for row in await city.holds()) == SPACES
    await city.assert_no_promise_broken()


async def test_the_same_id_many_times_at_once_is_one_hold(city: City) -> None:
    """An app that repeats before it was answered gets one space; every answer names the same hold."""
    drivers = await city.drivers(10)
    async with city.client() as client:
        answers = await asyncio.gather(*(driver.puts(client) for driver in drivers for _ in range(5)))
    assert Counter(answer.status_code for answer in answers) == {201: 10, 200: 40}
    holds = {(answer.json()["diversion_id"], str(answer.json()["hold"])) for answer in answers}
    assert len(holds) == len(await city.holds()) == 10
    await city.assert_no_promise_broken()


async def test_nobody_else_gets_at_a_hold(city: City) -> None:
    """Another body under the id is a conflict; another driver under the id finds nothing; nothing changes."""
    owner, thief = await city.drivers(2)
    thief.diversion_id = owner.diversion_id
    async with city.client() as client:
        first = await owner.puts(client)
        other_body = await owner.puts(client, height_cm=170)
        stolen = await thief.puts(client)
    assert [answer.status_code for answer in (first, other_body, stolen)] == [201, 409, 404]
    assert [answer.json()["code"] for answer in (other_body, stolen)] == ["id_reused", "unknown_diversion"]
    (hold,) = await city.holds()
    assert (hold["state"], hold["lot_id"]) == ("held", MALL)


async def test_killed_in_the_middle_the_process_forgets_nothing(city: City) -> None:
    """Kill -9 while 120 drivers ask; started again, the same ids get the same holds, 50 in all."""
    drivers = await city.drivers(120)
    acknowledged: dict[str, object] = {}
    async with city.client() as client:

        async def ask(driver: Driver) -> None:
            try:
                answer = await driver.puts(client)
            except httpx2.HTTPError:
                return
            if answer.status_code == 201:
                acknowledged[driver.diversion_id] = answer.json()["hold"]

        asking = [asyncio.create_task(ask(driver)) for driver in drivers]
        await until(lambda: asyncio.sleep(0, len(acknowledged)), lambda count: count >= 5)
        city.kill_routing()
        await asyncio.gather(*asking)
    assert len(acknowledged) >= 5
    city.start_routing()
    await city.ready()
    answers = await asyncio.gather(*(driver.asks_until_answered() for driver in drivers))
    held = {answer.json()["diversion_id"]: answer.json()["hold"] for answer in answers if "hold" in answer.json()}
    assert len(held) == 50
    assert {diversion_id: held[diversion_id] for diversion_id in acknowledged} == acknowledged
    assert Counter(row["lot_id"] for row in await city.holds()) == SPACES
    await city.assert_no_promise_broken()


async def test_without_redis_decisions_come_from_the_ledger_within_seconds(city: City) -> None:
    """A report that only the record has decides; Redis back, it shows what is promised by itself."""
    first, second, third = await city.drivers(3)
    assert (await first.asks_until_answered()).json()["hold"]["lot_id"] == MALL
    city.kill_redis()
    killed_at = time.monotonic()
    await city.report(MALL, 0, seen=False)
    said = (await second.asks_until_answered()).json()
    assert (said["outcome"], said["hold"]["lot_id"]) == ("held", OFFICE)
    await city.until_health(lambda status, body: status == 200 and body["status"] == "degraded")
    assert time.monotonic() - killed_at < 5
    await city.start_redis()
    await city.until_health(lambda _, body: body["status"] == "ready")
    await until(lambda: city.shown_held(OFFICE), lambda held: held == 1)
    assert (await third.asks_until_answered()).json()["outcome"] == "held"
    await city.assert_no_promise_broken()


async def test_without_postgres_drivers_are_guided_and_held_again_by_themselves(city: City) -> None:
    """The same id: guided while the ledger is stopped, held when it is back; nothing is started again."""
    (driver,) = await city.drivers(1)
    await city.stop_postgres()
    said = (await driver.asks_until_answered()).json()
    assert (said["outcome"], said["guaranteed"], said["lot"]["lot_id"]) == ("guided", False, MALL)
    assert "NOT held" in said["text"]["en"]
    await city.until_health(lambda status, body: status == 200 and body["dependencies"]["ledger"]["state"] == "away")
    await city.start_postgres()
    answer = await until(driver.asks_until_answered, lambda answer: answer.status_code == 201)
    assert answer.json()["hold"]["lot_id"] == MALL
    assert len(await city.holds()) == 1
    await until(lambda: city.shown_held(MALL), lambda held: held == 1)
    await city.assert_no_promise_broken()


async def test_a_postgres_that_hangs_makes_nobody_wait_without_end(city: City) -> None:
    """What was on its way is unknown, what comes after is guided, all in time; then each id is one hold."""
    drivers = await city.drivers(8)
    assert city.postgres is not None
    (found,) = await city.fetch("SELECT array_agg(pid) AS pids FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    for pid in (city.postgres.pid, *found["pids"]):
        _signal(pid, signal.SIGSTOP)
    try:
        async with city.client() as client:
            on_the_way = await asyncio.gather(*(driver.puts(client) for driver in drivers[:4]))
            later = await asyncio.gather(*(driver.puts(client) for driver in drivers[4:]))
    finally:
        for pid in (city.postgres.pid, *found["pids"]):
            _signal(pid, signal.SIGCONT)
    said = {answer.json()["code"] for answer in on_the_way}
    assert "outcome_unknown" in said
    assert said <= {"outcome_unknown", "overloaded"}
    assert {answer.json().get("outcome") or answer.json()["code"] for answer in later} <= {
        "guided",
        "outcome_unknown",
        "overloaded",
    }
    answers = [
        await until(driver.asks_until_answered, lambda answer: answer.json()["outcome"] == "held") for driver in drivers
    ]
    assert len({answer.json()["diversion_id"] for answer in answers}) == len(await city.holds()) == 8
    await city.assert_no_promise_broken()


async def test_what_is_promised_is_shown_within_a_second_and_copied_after_a_flush(city: City) -> None:
    """Boards see a hold at once, and all of them again after FLUSHALL."""
    drivers = await city.drivers(3)
    for number, driver in enumerate(drivers, start=1):
        await driver.asks_until_answered()
        asked_at = time.monotonic()
        await until(lambda: city.shown_held(MALL), number.__eq__)
        assert time.monotonic() - asked_at < 1
    await city.flush_redis()
    flushed_at = time.monotonic()
    await until(lambda: city.shown_held(MALL), lambda held: held == 3)
    assert time.monotonic() - flushed_at < 3
    assert await city.shown_held(OFFICE) == 0


async def test_a_process_started_before_its_ledger_waits_for_it(bare_city: City) -> None:
    """Alive and not ready, it answers 503 to drivers; with the ledger it serves, without being started again."""
    city = bare_city
    await city.stop_postgres()
    city.start_routing()
    await city.until_health(lambda status, body: status == 503 and body["status"] == "unready")
    async with city.client() as client:
        assert (await client.get("/livez")).status_code == 200
        early = await client.post("/v1/drivers")
    assert (early.status_code, early.json()["code"]) == (503, "store_away")
    assert "ledger_awaited" in city.log.read_text()
    await city.start_postgres()
    await city.ready()
    (driver,) = await city.drivers(1)
    assert (await driver.asks_until_answered()).status_code == 201
    await city.assert_no_promise_broken()


async def test_a_process_started_without_redis_serves_from_the_ledger(bare_city: City) -> None:
    """Redis is no condition of the start, and is found when it comes."""
    city = bare_city
    city.kill_redis()
    city.start_routing()
    await city.until_health(lambda status, body: status == 200 and body["status"] == "degraded")
    (driver,) = await city.drivers(1)
    assert (await driver.asks_until_answered()).json()["hold"]["lot_id"] == MALL
    await city.start_redis()
    await until(lambda: city.shown_held(MALL), lambda held: held == 1)
    await city.until_health(lambda _, body: body["status"] == "ready")


async def test_two_processes_on_one_ledger_promise_no_space_twice(city: City) -> None:
    """Half of the drivers ask each; when the follower is killed the other process takes over."""
    drivers = await city.drivers(120)
    second = City(city.site, database=city.database)
    try:
        second.start_routing()
        await second.ready()
        async with city.client() as one, second.client() as other:
            clients = [one, other]
            answers = await asyncio.gather(*(driver.puts(clients[number % 2]) for number, driver in enumerate(drivers)))
        assert Counter(answer.json()["outcome"] for answer in answers) == {"held": 50, "none": 70}
        city.kill_routing()
        async with second.client() as other:
            freed = next(driver for driver, answer in zip(drivers, answers, strict=True) if answer.status_code == 201)
            headers = {"Authorization": f"Bearer {freed.token}"}
            assert (await other.delete(f"/v1/diversions/{freed.diversion_id}", headers=headers)).status_code == 204

        async def shown_held() -> int:
            return sum([await second.shown_held(lot_id) or 0 for lot_id in SPACES])

        await until(shown_held, lambda held: held == 49)
        await second.assert_no_promise_broken()
    finally:
        second.kill_routing()


def _signal(pid: int, number: signal.Signals) -> None:
    """Signal a process that may be gone by now."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
