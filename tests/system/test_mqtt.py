"""MQTT over a real broker: what it delivered is recorded, whichever process dies meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.local.servers import Servers
from tests.contract.block import MALL
from tests.system.brokers import Broker, equipment, publisher, running_broker
from tests.system.mqtt_city import EVENT, ONLINE, STATE, MqttCity, event, prepare, state, until

FEED = """feeds:
  - source: east
    way: mqtt
    host: 127.0.0.1
    port: {port}
    topics: [parking/east/#]
    receive_maximum: 20
"""


@pytest.fixture
def broker(server_folder: Path) -> Iterator[Broker]:
    """A broker of this test's own."""
    with running_broker(server_folder / "broker") as running:
        yield running


@pytest.fixture
async def city(broker: Broker, fresh_database: str, fresh_redis: str, tmp_path: Path) -> AsyncIterator[MqttCity]:
    """Ingest, listening to the broker."""
    await prepare(fresh_database)
    city = MqttCity(tmp_path, fresh_database, fresh_redis, FEED.format(port=broker.port))
    await city.start()
    yield city
    await city.stop()


async def free_shown(city: MqttCity) -> int | None:
    """Give the free spaces that are shown of the mall."""
    report = await city.shown(MALL)
    return None if report is None else report.free


async def test_what_a_lot_publishes_is_shown(city: MqttCity, broker: Broker) -> None:
    """Proves the whole way, with QoS 1, for counts, cars and signs of life."""
    async with publisher(broker) as lot:
        await lot.publish(STATE, state(1, 118), qos=1, retain=True)
        await until(lambda: _shows(city, 118))
        await lot.publish(EVENT, event(2), qos=1)
        await until(lambda: _shows(city, 117))
        await lot.publish("parking/east/mall-a/heartbeat", b"", qos=0)
        await until(lambda: _signs(city, "heartbeat", 1))
    assert await city.messages("taken") == 3


async def _shows(city: MqttCity, free: int) -> bool:
    return await free_shown(city) == free


async def _signs(city: MqttCity, sign: str, count: int) -> bool:
    return await city.metric(f'bowei_ingest_link_signs_total{{sign="{sign}"}}') == count


async def test_what_was_retained_is_taken_with_its_own_time(city: MqttCity, broker: Broker) -> None:
    """Proves that a start finds the last state, that it says how old it is, and that an ageless one says nothing."""
    await city.stop()
    async with publisher(broker) as lot:
        await lot.publish(STATE, state(1, 118), qos=1, retain=True)
        await lot.publish("parking/east/office-b/state", b'{"free": 7}', qos=1, retain=True)
    await city.start()
    await until(lambda: _shows(city, 118))
    await until(lambda: _has(city, "refused", 1))
    report = await city.shown(MALL)
    assert report is not None
    assert report.observed_at.isoformat() in state(1, 118).decode().replace("Z", "+00:00")
    assert [row["lot_id"] for row in await city.query("SELECT lot_id FROM bowei.report")] == ["mall"]


async def _has(city: MqttCity, result: str, count: int) -> bool:
    return await city.messages(result) >= count


async def test_equipment_that_dies_is_said_to_be_lost(city: MqttCity, broker: Broker) -> None:
    """Proves that the last will of a process that was killed arrives as the loss of its link."""
    async with equipment(broker, ONLINE) as lot:
        await until(lambda: _signs(city, "comms_restored", 1))
        lot.kill()
        await until(lambda: _signs(city, "comms_lost", 1))


async def test_a_broker_that_restarts_costs_nothing(city: MqttCity, broker: Broker) -> None:
    """Proves that the subscription stands again by itself, and that what comes afterwards is recorded."""
    async with publisher(broker) as lot:
        await lot.publish(STATE, state(1, 100), qos=1)
        await until(lambda: _shows(city, 100))
    broker.stop()
    await until(lambda: _is_lost(city))
    broker.start()
    async with publisher(broker) as lot:
        # Before ingest is back: the broker keeps it in the session.
        await lot.publish(STATE, state(2, 90), qos=1)
        await until(lambda: _shows(city, 90), within_s=30)
        await lot.publish(STATE, state(3, 80), qos=1)
        await until(lambda: _shows(city, 80))
    assert await city.states_recorded() == {1, 2, 3}


async def _is_lost(city: MqttCity) -> bool:
    return await city.metric('bowei_ingest_mqtt_connected{source="east"}') == 0.0


async def test_while_the_ledger_is_away_nothing_is_acknowledged(
    city: MqttCity, broker: Broker, servers: Servers
) -> None:
    """Proves that the broker keeps it all, that we hold no more than we asked for, and each car is recorded once."""
    async with publisher(broker) as lot:
        await lot.publish(STATE, state(1, 200), qos=1)
        await until(lambda: _shows(city, 200))
        before = await city.messages("taken")
        async with city.ledger_away(servers.database_url):
            for number in range(2, 102):
                await lot.publish(EVENT, event(number), qos=1)
            await until(lambda: _waits(city))
            await asyncio.sleep(3)  # as long as it stays away: nothing happens that could be waited for
            assert await city.messages("taken") == before
            assert await city.metric('bowei_ingest_mqtt_unacknowledged{source="east"}') <= 20
        await until(lambda: _has(city, "taken", before + 100), within_s=30)
    assert await city.cars_recorded() == list(range(2, 102))
    assert await free_shown(city) == 100


async def test_a_flood_while_the_ledger_is_away_takes_no_memory(
    city: MqttCity, broker: Broker, servers: Servers
) -> None:
    """Proves that 60 MB of messages, of both kinds, wait at the broker and not here, and that none of QoS 1 is lost."""
    filling = b" " * 30_000
    async with publisher(broker) as lot:
        await lot.publish(STATE, state(1, 200), qos=1)
        await until(lambda: _shows(city, 200))
        before = await city.metric("process_resident_memory_bytes")
        async with city.ledger_away(servers.database_url):
            for number in range(2, 1_000):
                await lot.publish("parking/east/mall-a/heartbeat", filling, qos=0)
                await lot.publish(STATE, state(number, number % 300) + filling, qos=1)
            await until(lambda: _waits(city))
            grown = await city.metric("process_resident_memory_bytes") - before
        await until(lambda: _shows(city, 999 % 300), within_s=60)
    assert await city.states_recorded() >= set(range(1, 1_000))
    assert grown < 24 * 1024 * 1024


async def _waits(city: MqttCity) -> bool:
    return await city.metric('bowei_ingest_mqtt_unacknowledged{source="east"}') > 0


async def test_what_was_in_flight_when_ingest_was_killed_comes_again(
    city: MqttCity, broker: Broker, servers: Servers
) -> None:
    """Proves it for messages that were received and not recorded, and for those that came while nobody was there."""
    async with publisher(broker) as lot:
        async with city.ledger_away(servers.database_url):
            for number in range(1, 41):
                await lot.publish(EVENT, event(number), qos=1)
                await lot.publish(STATE, state(number, 300 - 2 * number), qos=1)
            await until(lambda: _waits(city))
            await city.kill()
        await lot.publish(EVENT, event(41), qos=1)
        await city.start()
        await until(lambda: _recorded(city, 41), within_s=30)
    assert await city.cars_recorded() == list(range(1, 42))
    assert await city.states_recorded() == set(range(1, 41))


async def _recorded(city: MqttCity, cars: int) -> bool:
    return len(await city.cars_recorded()) >= cars


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (STATE, b"\xff\xfe"),
        (STATE, b"[" * 30_000),
        (STATE, b'{"free": -1}'),
        ("parking/east/mall-a/else", b"1"),
        ("parking/east/nowhere/state", b'{"free": 1}'),
        ("parking/east/office/state", b'{"free": 1}'),
    ],
)
async def test_a_message_that_can_t_be_read_never_blocks_the_line(
    city: MqttCity, broker: Broker, topic: str, payload: bytes
) -> None:
    """Proves that it is acknowledged, counted and shown nowhere, and that the next one is taken."""
    async with publisher(broker) as lot:
        await lot.publish(topic, payload, qos=1)
        await lot.publish(STATE, state(1, 118), qos=1)
        await until(lambda: _shows(city, 118))
    assert await city.messages("refused") == 1
    await city.stop()
    await city.start()
    await until(city.connected)
    assert await city.messages("refused") == 0
