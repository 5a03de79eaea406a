"""Lots of the demo speak the real protocols, and never tell an old count as a new one."""

import asyncio
import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from bowei.domain.lots import LotId
from services.ingest.citybrain.keys import Client, Keys
from services.ingest.citybrain.messages import CarArrival, CarDeparture, Heartbeat, ParkingState, StayKind
from services.ingest.citybrain.receiving import receive
from services.local.demo.reporting import CityBrainFeed, Delivery, Feed, NativeFeed
from services.local.demo.world import World, visitor_car
from tests.unit.demo_stand_in import HOSPITAL, block, wait_until

MALL, OWN = LotId("mall"), LotId("own")
KEY = generate_private_key(public_exponent=65537, key_size=2048)


async def _run(feed: Feed, until: Callable[[], bool]) -> None:
    """Let a feed report until the test has seen enough."""
    task = asyncio.create_task(feed.run())
    try:
        await wait_until(until)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _client(answer: Callable[[httpx2.Request], httpx2.Response]) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://ingest")


def _applied(request: httpx2.Request) -> httpx2.Response:
    items = json.loads(request.content)["items"]
    return httpx2.Response(200, json={"accepted": len(items), "results": [{"result": "applied"} for _ in items]})


def _native(world: World, client: httpx2.AsyncClient, delivery: Delivery) -> NativeFeed:
    parks = {"G-1": world.parks[MALL], "own": world.parks[OWN]}
    gates = list(world.gates.values())
    rng = random.Random(1)  # noqa: S311
    return NativeFeed(client, "key", parks, world.pace, delivery, gates=gates, with_passages=["G-1"], rng=rng)


async def test_a_native_source_reports_its_lots_in_one_batch_by_its_own_codes() -> None:
    """Counts, a rising seq, the hospital's queue, and the key; the barrier learns what was acknowledged."""
    world, bodies = block(), list[dict[str, Any]]()
    world.gates[HOSPITAL].stand()

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["authorization"] == "Bearer key"
        if request.url.path == "/v1/observations":
            bodies.append(json.loads(request.content))
        return _applied(request)

    await _run(_native(world, _client(answer), Delivery()), lambda: len(bodies) >= 2)
    first, second = bodies[0]["items"], bodies[1]["items"]
    assert [item["lot_id"] for item in first] == ["G-1", "own"]
    assert (first[0]["free"], first[0]["capacity"], first[1]["free"]) == (20, 20, 0)
    assert first[1]["queue_vehicles"] == 1
    assert "queue_vehicles" not in first[0]
    assert second[0]["seq"] > first[0]["seq"]
    assert world.parks[MALL].barrier._acknowledged


async def test_after_a_failure_the_lot_counts_anew() -> None:
    """The report that follows a 503 holds what is free then, not what was free before."""
    world, frees = block(), list[int]()

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path != "/v1/observations":
            return _applied(request)
        frees.append(json.loads(request.content)["items"][0]["free"])
        if len(frees) == 1:
            world.parks[MALL].enter(visitor_car("h", 1))
            return httpx2.Response(503)
        return _applied(request)

    await _run(_native(world, _client(answer), Delivery()), lambda: len(frees) >= 2)
    assert frees[:2] == [20, 19]


async def test_passages_that_were_not_taken_are_sent_again() -> None:
    """A car in is told once more with the same id until it is taken; it has no plate here."""
    world, seen = block(), list[dict[str, Any]]()

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path != "/v1/passages":
            return _applied(request)
        seen.extend(json.loads(request.content)["items"])
        return httpx2.Response(503) if len(seen) == 1 else _applied(request)

    feed = _native(world, _client(answer), Delivery())
    world.parks[MALL].enter(visitor_car("h", 1))
    await _run(feed, lambda: len(seen) >= 2)
    assert seen[0] == seen[1]
    assert (seen[0]["lot_id"], seen[0]["kind"]) == ("G-1", "enter")
    assert "plate" not in seen[0]


def _citybrain(world: World, client: httpx2.AsyncClient, key: RSAPrivateKey = KEY) -> CityBrainFeed:
    return CityBrainFeed(client, "source", key, "330102-0001", world.parks[MALL], world.pace, Delivery())


async def test_the_city_brain_lot_is_understood_by_the_real_reader() -> None:
    """State, heartbeat, a held car in and out with its plate: each opens with the registered key, within its window."""
    world, uploads = block(), list[object]()
    keys = Keys({"source": Client("source", KEY.public_key())})

    def answer(request: httpx2.Request) -> httpx2.Response:
        uploads.append(receive(request.url.path, request.content, keys, now=world.pace.now()).upload)
        return httpx2.Response(200, json={"resultCode": 200, "msg": "ok"})

    feed = _citybrain(world, _client(answer))
    car, entered_at = visitor_car("hospital", 7), world.pace.now()
    world.parks[MALL].enter(car)
    world.parks[MALL].leave(car, entered_at)
    await _run(feed, lambda: {CarDeparture, Heartbeat, ParkingState} <= {type(one) for one in uploads})
    arrival = next(one for one in uploads if isinstance(one, CarArrival))
    assert (arrival.plate, arrival.stay_kind, arrival.counts.capacity) == (car.plate, StayKind.SHARED, 20)
    departure = next(one for one in uploads if isinstance(one, CarDeparture))
    assert departure.uid == arrival.uid


async def test_a_city_brain_message_sent_late_holds_the_count_of_its_sending() -> None:
    """Refused once, and meanwhile a car came: its own times stay, count and uploadTime are new."""
    world, arrivals = block(), list[CarArrival]()
    keys = Keys({"source": Client("source", KEY.public_key())})

    def answer(request: httpx2.Request) -> httpx2.Response:
        upload = receive(request.url.path, request.content, keys, now=world.pace.now()).upload
        if isinstance(upload, CarArrival):
            arrivals.append(upload)
            if len(arrivals) == 1:
                world.parks[MALL].parked += 1
                return httpx2.Response(200, json={"resultCode": 503, "msg": "again"})
        return httpx2.Response(200, json={"resultCode": 200, "msg": "ok"})

    feed = _citybrain(world, _client(answer))
    world.parks[MALL].enter(visitor_car("hospital", 1))
    await _run(feed, lambda: len(arrivals) >= 2)
    first, second = arrivals[:2]
    assert first.uid == second.uid
    assert first.arrived_at == second.arrived_at
    assert (first.counts.free, second.counts.free) == (19, 18)
    assert second.uploaded_at - first.uploaded_at > timedelta(seconds=1)
