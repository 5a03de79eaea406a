"""The life of a diversion between real stores: moved before its space is lost, barriers told by poll and by broker."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import httpx2
import pytest

from bowei.domain.observations import LotState
from tests.system.brokers import Broker, running_broker
from tests.system.routing_city import MALL, OFFICE, PATIENCE_S, City, Driver, Site, prepared_site, until

KEY = "malls.a-key-that-is-long-enough"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Give a prepared place for both servers."""
    with prepared_site() as site:
        yield site


@pytest.fixture
async def bare_city(site: Site) -> AsyncIterator[City]:
    """Give the block on running stores, with a source for both lots, without the process."""
    city = City(site)
    try:
        await city.start_stores()
        await city.settle_in()
        await city.put_source("malls", KEY, m=MALL, o=OFFICE)
        yield city
    finally:
        await city.close()


@pytest.fixture
async def city(bare_city: City) -> City:
    """Give the block with the process serving it."""
    bare_city.start_routing()
    await bare_city.ready()
    return bare_city


async def test_a_mall_that_closes_sends_its_drivers_on_and_tells_both_barriers(city: City) -> None:
    """Every driver hears of the new space, none is without one for an instant, and no promise is broken."""
    drivers = await city.drivers(12)
    async with city.client() as client:
        answers = await asyncio.gather(*(driver.puts(client) for driver in drivers))
        assert {answer.json()["hold"]["lot_id"] for answer in answers} == {MALL}
        told = (await _poll(client, "o", 0)).json()
        assert told["commands"] == []
        waiting = asyncio.create_task(_poll(client, "o", 20))
        following = [asyncio.create_task(_hears(client, driver, "replaced")) for driver in drivers]
        await asyncio.sleep(0.5)
        await city.report(MALL, 18, state=LotState.CLOSED)
        heard = await asyncio.wait_for(asyncio.gather(*following), PATIENCE_S)
        assert {(said["hold"]["lot_id"], said["moved_from"]["reason"]) for said in heard} == {(OFFICE, "lot_closed")}
        authorised = (await asyncio.wait_for(waiting, PATIENCE_S)).json()["commands"]
        assert {command["kind"] for command in authorised} == {"authorise"}
        revoked = (await _poll(client, "m", 0)).json()["commands"]
        assert [command["kind"] for command in revoked] == ["revoke"] * 12
        assert {command["code"] for command in revoked} == {said["hold"]["code"] for said in heard}
    gaps = await city.fetch(
        """
        SELECT old.diversion_id FROM bowei.hold old JOIN bowei.hold new ON new.diversion_id = old.diversion_id
        WHERE old.ordinal = 1 AND new.ordinal = 2 AND old.ended_at <> new.placed_at
          AND new.placed_at - old.ended_at > interval '50 milliseconds'
        """
    )
    assert gaps == []
    assert len(await city.fetch("SELECT FROM bowei.hold WHERE state = 'held'")) == 12
    await city.assert_no_promise_broken()


async def test_another_process_goes_on_guarding_when_the_guard_dies(city: City) -> None:
    """The process that was to move the driver is killed; the next one does it."""
    (driver,) = await city.drivers(1)
    async with city.client() as client:
        await driver.puts(client)
    city.kill_routing()
    await city.report(MALL, 29, state=LotState.CLOSED)
    city.start_routing()
    await city.ready()

    async def lots() -> list[str]:
        return [row["lot_id"] for row in await city.holds() if row["state"] == "held"]

    await until(lots, lambda held: held == [OFFICE])
    await city.assert_no_promise_broken()


async def test_a_barrier_is_told_and_heard_by_a_real_broker(bare_city: City, tmp_path: Path) -> None:
    """A lot's system hears of the hold by MQTT and rejects it; the driver is sent to the next lot."""
    with running_broker(tmp_path / "broker") as broker:
        city = bare_city
        city.settings = {"BOWEI_BARRIER_BROKER_URL": f"mqtt://127.0.0.1:{broker.port}/city/one"}
        async with _lot_system(broker) as system:
            await system.subscribe("city/one/malls/m/barrier", qos=1)
            city.start_routing()
            await city.ready()
            (driver,) = await city.drivers(1)
            async with city.client() as client:
                hold = (await driver.puts(client)).json()["hold"]
            command = await _next(system)
            assert (command["kind"], command["code"]) == ("authorise", hold["code"])
            answer = json.dumps({"id": command["id"], "accepted": False, "reason": "lane closed"})
            await system.publish("city/one/malls/m/barrier/answer", answer, qos=1)
            assert (await _next(system))["kind"] == "revoke"
        (_, second) = await city.holds()
        assert (second["lot_id"], second["state"]) == (OFFICE, "held")
        await city.assert_no_promise_broken()
        await city.close()


@asynccontextmanager
async def _lot_system(broker: Broker) -> AsyncIterator[aiomqtt.Client]:
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    async with aiomqtt.Client("127.0.0.1", broker.port, timeout=10, socket_options=options) as client:
        yield client


async def _next(system: aiomqtt.Client) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        message = await anext(aiter(system.messages))
    command: dict[str, Any] = json.loads(bytes(message.payload))
    return command


async def _poll(client: httpx2.AsyncClient, code: str, wait_s: int) -> httpx2.Response:
    return await client.get(
        f"/v1/lots/{code}/barrier?wait_s={wait_s}", headers={"Authorization": f"Bearer {KEY}"}, timeout=30
    )


async def _hears(client: httpx2.AsyncClient, driver: Driver, event: str) -> dict[str, Any]:
    """Follow a diversion until an event comes, and give its data."""
    headers = {"Authorization": f"Bearer {driver.token}"}
    async with client.stream("GET", f"/v1/diversions/{driver.diversion_id}/stream", headers=headers) as answer:
        assert answer.status_code == 200
        named = ""
        async for line in answer.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                named = value
            elif field == "data" and named == event:
                said: dict[str, Any] = json.loads(value)
                return said
    raise AssertionError(f"the stream ended without {event}")
