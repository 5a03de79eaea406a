"""The world set going: customers, feeds, barriers and drivers, as tasks that end together."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bowei.domain.lots import HospitalId, LotId, LotKind
from services.local.demo.answering import BarrierSystem
from services.local.demo.asking import Asking
from services.local.demo.counting import Figures, PromiseWatch, Tally
from services.local.demo.driving import Driver
from services.local.demo.looking import Looking
from services.local.demo.pace import Pace
from services.local.demo.people import visits
from services.local.demo.reporting import CityBrainFeed, Delivery, Feed, NativeFeed
from services.local.demo.scene import DemoScene, FeedSpec
from services.local.demo.world import CarPark, HospitalGate, World

_CONNECTIONS_MOST = 64
_BARRIERS_MOST = 256
"""Each waits in a long poll of its own."""
_POOL_WAIT_S = 4.0
_CLOSES_AFTER, _CLOSED_FOR = timedelta(minutes=25), timedelta(minutes=10)
_PASSAGES_FROM = 1
"""How many lots of a batch also report each car: one is enough to show it."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Connections to the services that a world talks to."""

    ingest: httpx2.AsyncClient
    routing: httpx2.AsyncClient
    availability: httpx2.AsyncClient
    barriers: httpx2.AsyncClient


@contextlib.asynccontextmanager
async def connected(ingest_url: str, routing_url: str, availability_url: str) -> AsyncIterator[Clients]:
    """Open connections; proxies of the environment are not for services on this machine."""
    wanted = (
        (ingest_url, _CONNECTIONS_MOST),
        (routing_url, _CONNECTIONS_MOST),
        (availability_url, _CONNECTIONS_MOST),
        (routing_url, _BARRIERS_MOST),
    )
    async with contextlib.AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(
                httpx2.AsyncClient(
                    base_url=url,
                    limits=httpx2.Limits(max_connections=most, max_keepalive_connections=most),
                    timeout=_POOL_WAIT_S,
                    trust_env=False,
                )
            )
            for url, most in wanted
        ]
        yield Clients(*opened)


@dataclass(slots=True)
class Life:
    """A world, and everything that moves in it."""

    world: World
    figures: Figures
    looking: Looking
    delivery: Delivery
    feeds: list[Feed]
    barriers: list[BarrierSystem]
    closable: list[CarPark]
    """Lots that can say that they are closed."""
    drivers: dict[HospitalId, Iterator[Driver]]

    async def run(self) -> None:
        """Live until cancelled; a fault of the simulation itself ends it at once."""
        self.world.fill()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.looking.run())
            group.create_task(self.world.run_customers())
            group.create_task(self._close_one())
            for runs in (*self.feeds, *self.barriers):
                group.create_task(runs.run())
            for coming in self.drivers.values():
                group.create_task(self._send(coming, group))

    async def _close_one(self) -> None:
        """Let the busiest lot close for a while, so that its drivers are moved: an accident in its entrance.

        Who is at its barrier already, and holds a space, is let in.
        """
        await self.world.pace.sleep(_CLOSES_AFTER)
        if not self.closable:
            return
        park = max(self.closable, key=lambda one: one.barrier.held)
        park.closed = True
        await self.world.pace.sleep(_CLOSED_FOR)
        park.closed = False

    async def _send(self, coming: Iterator[Driver], group: asyncio.TaskGroup) -> None:
        for driver in coming:
            await self.world.pace.until(driver.comes_at)
            group.create_task(driver.live())


def new_life(
    scene: DemoScene, pace: Pace, clients: Clients, keys: dict[str, str], citybrain_key: RSAPrivateKey, seed: str
) -> Life:
    """Put a world together for a scene, with its people and feeds."""
    world = World(scene.lots, scene.hospitals, scene.agreements, scene.calendars, pace, seed)
    tally = Tally()
    watch = PromiseWatch(tally, {lot.lot_id: lot for lot in scene.lots}, scene.agreements, scene.calendars)
    figures = Figures(tally, watch)
    delivery = Delivery()
    by_plate = frozenset(lot_id for spec in scene.feeds if spec.kind == "citybrain" for lot_id in spec.codes)
    feeds = [
        _feed(spec, world, clients, keys, citybrain_key, pace, delivery)
        for spec in scene.feeds
        if spec.kind == "citybrain" or not by_plate.issuperset(spec.codes)
    ]
    salt = f"{random.Random().getrandbits(24):06x}"  # noqa: S311  (ids of one run differ from those of the next)
    drivers = {
        gate.hospital.hospital_id: _drivers(gate, world, clients, figures, by_plate, salt)
        for gate in world.gates.values()
    }
    closable = [
        world.parks[lot_id]
        for spec in scene.feeds
        if spec.kind != "citybrain"
        for lot_id in spec.codes
        if lot_id not in by_plate
        and world.parks[lot_id].barrier.linked
        and world.parks[lot_id].lot.kind is not LotKind.HOSPITAL
    ]
    looking = Looking(clients.availability, world.parks, pace)
    return Life(world, figures, looking, delivery, feeds, _barriers(scene, world, clients, keys), closable, drivers)


def _barriers(scene: DemoScene, world: World, clients: Clients, keys: Mapping[str, str]) -> list[BarrierSystem]:
    """Give every linked lot that has a source with a key of ours a system that answers for its barrier."""
    with_key = {
        code: spec.source_id
        for spec in scene.feeds
        if spec.source_id in keys
        for lot_id, code in spec.codes.items()
        if world.parks[lot_id].barrier.linked
    }
    rng = random.Random(f"{world.seed}/barriers")  # noqa: S311
    return [BarrierSystem(clients.barriers, keys[source_id], code, rng) for code, source_id in with_key.items()]


def _feed(
    spec: FeedSpec,
    world: World,
    clients: Clients,
    keys: dict[str, str],
    citybrain_key: RSAPrivateKey,
    pace: Pace,
    delivery: Delivery,
) -> Feed:
    parks: dict[str, CarPark] = {code: world.parks[lot_id] for lot_id, code in spec.codes.items()}
    if spec.kind == "citybrain":
        (code, park), *_ = parks.items()
        return CityBrainFeed(clients.ingest, spec.source_id, citybrain_key, code, park, pace, delivery)
    gates = [gate for gate in world.gates.values() if gate.park.lot.lot_id in spec.codes]
    return NativeFeed(
        clients.ingest,
        keys[spec.source_id],
        parks,
        pace,
        delivery,
        gates=gates,
        with_passages=[] if gates else list(parks)[:_PASSAGES_FROM],
        rng=random.Random(f"{world.seed}/{spec.source_id}"),  # noqa: S311
    )


def _drivers(
    gate: HospitalGate, world: World, clients: Clients, figures: Figures, by_plate: frozenset[LotId], salt: str
) -> Iterator[Driver]:
    """Draw the hospital's visitors one after the other."""
    lot, hospital_id = gate.park.lot, gate.hospital.hospital_id
    rng = random.Random(f"{world.seed}/{hospital_id}/drives")  # noqa: S311
    routing = Asking(clients.routing, figures.tally, rng)
    gates = Asking(clients.availability, figures.tally, rng)
    for visit in visits(f"{world.seed}/{hospital_id}", lot.capacity, world.pace.now(), lot.zone):
        yield Driver(visit, gate, world, routing, gates, figures, rng, by_plate=by_plate, salt=salt)
