"""Routing on stores in memory: one hospital, three lots that lend to it, and a clock that moves only when told."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from fastapi import FastAPI

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow, MarginRule
from bowei.domain.clock import SteppedClock
from bowei.domain.dirt import Doubt
from bowei.domain.lots import (
    Entrance,
    Hospital,
    HospitalId,
    Lot,
    LotId,
    LotKind,
    Name,
    SourceId,
    SpaceClass,
)
from bowei.domain.observations import Observation
from bowei.domain.offering import Report
from bowei.domain.places import Point
from bowei.domain.plates import PlateKeys
from bowei.livestate.in_memory import InMemoryLiveState
from bowei.livestate.mirror import LiveMirror
from bowei.records.failures import StoreAway
from bowei.records.in_memory import (
    InMemoryBarrierBook,
    InMemoryForgetting,
    InMemoryGateBook,
    InMemoryRecords,
    InMemoryRegister,
    InMemoryReportJournal,
    InMemoryRoadBook,
)
from bowei.records.reporting import Judged
from services.routing.app import Stores, assemble
from services.routing.settings import Settings
from services.routing.telling import OpensLines
from tests.service.routing_stores import Ears, Leadership, LosableBook

MONDAY_9H = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
"""Monday, 2 March 2026, 09:00 in Hangzhou."""
PATIENCE_S = 5.0
DRIVER_KEY = "a key of at least 32 bytes for the tokens"
FIRST, OWN = HospitalId("first-hospital"), LotId("first-hospital-lot")
MALL, OFFICE, TOWER = LotId("in77"), LotId("office"), LotId("tower")
DOOR = Point(30.2576, 120.1621)
PLACES = {OWN: DOOR, MALL: Point(30.2552, 120.1582), OFFICE: Point(30.2640, 120.1640), TOWER: Point(30.2700, 120.1700)}
SPACES = {OWN: 127, MALL: 20, OFFICE: 10, TOWER: 10}
CLASSES = {SpaceClass.STANDARD: 20, SpaceClass.DISABLED: 1}


def settings(**changes: Any) -> Settings:
    """Give the settings of a process whose stores are in memory."""
    known: dict[str, Any] = {
        "database_url": "postgres://in.memory/",
        "redis_url": "redis://in.memory/",
        "driver_key": DRIVER_KEY,
        "plate_keys": PlateKeys(b"a key of 32 bytes for the plates."),
        "roads": None,
        "allow_demo": False,
        "require_synchronous": False,
        "most_connections": 2,
        "drivers_per_minute": 1_000,
        "requests_per_driver": 1_000,
        "most_streams": 10,
        "geofence_m": 0,
        "barrier_broker": None,
        "drivers_kept_days": 30,
        "pages_url": "https://parking.example",
    }
    return Settings(**{**known, **changes})


def a_lot(lot_id: LotId, **changes: Any) -> Lot:
    """Give one of the block's lots; only the mall's barrier is linked, and only the office is low."""
    known: dict[str, Any] = {
        "kind": LotKind.HOSPITAL if lot_id == OWN else LotKind.MALL,
        "name": Name(f"停车场{lot_id}", f"Lot {lot_id}"),
        "timezone": "Asia/Shanghai",
        "capacity": SPACES[lot_id],
        "location": PLACES[lot_id],
        "entrances": (Entrance("north", Name("北口", "North"), PLACES[lot_id]),),
        "barrier_link": lot_id == MALL,
        "max_height_cm": 190 if lot_id == OFFICE else None,
    }
    return Lot(lot_id=lot_id, **{**known, **changes})


def an_agreement(lot_id: LotId, **changes: Any) -> Agreement:
    """Give the agreement by which a lot lends all of its spaces, day and night, and keeps none back."""
    windows = tuple(LendingWindow(space_class, spaces) for space_class, spaces in CLASSES.items())
    known: dict[str, Any] = {"windows": windows, "margin_rule": MarginRule.FIXED}
    return Agreement(AgreementId(f"{lot_id}-first"), lot_id, FIRST, **{**known, **changes})


@dataclass
class World:
    """Everything around one routing app that a test may look at or disturb."""

    clock: SteppedClock
    records: InMemoryRecords
    book: LosableBook
    register: InMemoryRegister
    journal: InMemoryReportJournal
    live_state: InMemoryLiveState
    leadership: Leadership
    broker: OpensLines | None = None
    starts_that_fail: int = 0
    """How many times the ledger is away when the app opens its stores."""
    opened: list[str] = field(default_factory=list)
    app: FastAPI | None = None
    client: httpx2.AsyncClient | None = None
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    trips: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def empty(cls) -> "World":
        """Give a world in which nothing is registered."""
        clock = SteppedClock(MONDAY_9H)
        records = InMemoryRecords(clock)
        return cls(
            clock,
            records,
            LosableBook(records),
            InMemoryRegister(records),
            InMemoryReportJournal(records),
            InMemoryLiveState(),
            Leadership(),
        )

    async def settle_in(self) -> None:
        """Register the block and let every lot report that it is empty."""
        await self.register.put_lots([a_lot(lot_id) for lot_id in SPACES])
        await self.register.put_hospitals([Hospital(FIRST, Name("市一医院", "First Hospital"), OWN, DOOR, DOOR)])
        await self.register.put_agreements([an_agreement(lot_id) for lot_id in (MALL, OFFICE, TOWER)])
        for lot_id in (MALL, OFFICE, TOWER):
            await self.report(lot_id, free=SPACES[lot_id])

    async def open_stores(self, stack: AsyncExitStack) -> Stores:
        """Give the app its stores."""
        self.opened.append("opened")
        stack.callback(self.opened.append, "closed")
        if self.opened.count("opened") <= self.starts_that_fail:
            raise StoreAway("refused")
        return Stores(
            book=self.book,
            register=self.register,
            roads=InMemoryRoadBook(self.records),
            gates=InMemoryGateBook(self.records),
            persons=InMemoryForgetting(self.records),
            journal=self.journal,
            live_state=self.live_state,
            leadership=self.leadership,
            hears=Ears(),
            barriers=InMemoryBarrierBook(self.records),
            clock=self.clock,
            broker=self.broker,
        )

    async def report(self, lot_id: LotId, *, seen: bool = True, **counts: Any) -> None:
        """Let a lot report now, as ingest records and shows it; not `seen`: the live state has not heard of it."""
        observation = Observation(lot_id, self.clock.now(), SourceId("counter"), next(self.numbers), **counts)
        (recorded,) = await self.journal.record([Judged(observation)])
        if seen and recorded.report is not None:
            await self.live_state.show_reports({lot_id: recorded.report})

    async def reports_and_is_seen(self, lot_id: LotId, **counts: Any) -> None:
        """Let a lot report now, and wait until routing has heard of it."""
        await self.report(lot_id, **counts)
        expected = self.records.reports[lot_id]
        await until(lambda: self._mirrored(lot_id) == expected)

    def _mirrored(self, lot_id: LotId) -> Report | None:
        return self.mirror.lot(lot_id).report

    @property
    def mirror(self) -> LiveMirror:
        """The app's own copy of the live state."""
        assert self.app is not None
        mirror: LiveMirror = self.app.state.wiring.diverting._ranking._hints._mirror
        return mirror

    async def step(self, **how_long: float) -> None:
        """Let time pass, in which every lot goes on reporting what it last said."""
        self.clock.step_to(self.clock.now() + timedelta(**how_long))
        for lot_id, report in list(self.records.reports.items()):
            await self.reports_and_is_seen(lot_id, free=report.free, free_by_class=report.free_by_class)

    async def doubts(self, lot_id: LotId, doubt: Doubt | None) -> None:
        """Let somebody doubt a lot, or doubt it no more, and wait until routing has heard of it."""
        report = await self.journal.set_doubt(lot_id, doubt)
        assert report is not None
        await self.live_state.show_reports({lot_id: report})
        await until(lambda: self._mirrored(lot_id) == report)

    async def later(self, *, silent: Sequence[LotId] = (), **how_long: float) -> None:
        """Let time pass, in which every lot but the silent ones says again what it last said, doubt and all."""
        self.clock.step_to(self.clock.now() + timedelta(**how_long))
        for lot_id, last in list(self.records.reports.items()):
            if lot_id not in silent:
                again = replace(last, observed_at=self.clock.now(), received_at=self.clock.now())
                self.records.reports[lot_id] = again
                await self.live_state.show_reports({lot_id: again})
                await until(lambda lot_id=lot_id, again=again: self._mirrored(lot_id) == again)  # type: ignore[misc]

    def holds(self) -> list[tuple[str, int, str, str]]:
        """List (id, ordinal, lot, state) of every hold there ever was."""
        kept = [one.hold for one in self.records.every_hold()]
        return sorted((one.diversion_id, one.ordinal, str(one.lot_id), str(one.state)) for one in kept)

    async def request(self, method: str, path: str, token: str | None = None, **other: Any) -> httpx2.Response:
        """Send one request."""
        assert self.client is not None
        headers = dict(other.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return await self.client.request(method, path, headers=headers, **other)

    async def driver(self) -> "Driver":
        """Let somebody become a driver."""
        answer = await self.request("POST", "/v1/drivers")
        assert answer.status_code == 201, answer.text
        return Driver(self, answer.json()["driver_token"], f"trip-{next(self.trips):05d}")


@dataclass
class Driver:
    """A driver with a token, and the id of the diversion that this driver asks for."""

    world: World
    token: str
    diversion_id: str

    @property
    def path(self) -> str:
        """The diversion's address."""
        return f"/v1/diversions/{self.diversion_id}"

    async def puts(self, **body: Any) -> httpx2.Response:
        """Ask for a space."""
        known = {"hospital_id": FIRST}
        return await self.world.request("PUT", self.path, self.token, json={**known, **body})

    async def asks(self, **body: Any) -> dict[str, Any]:
        """Ask for a space and give the answer, which must be one."""
        answer = await self.puts(**body)
        assert answer.status_code in (200, 201), answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def looks(self) -> dict[str, Any]:
        """See how it stands."""
        return await self._said("GET", self.path)

    async def arrives(self) -> dict[str, Any]:
        """Say that the car is in the lot."""
        return await self._said("POST", f"{self.path}/arrive")

    async def leaves(self) -> dict[str, Any]:
        """Say that the car has left."""
        return await self._said("POST", f"{self.path}/leave")

    async def is_refused(self, ordinal: int = 1) -> dict[str, Any]:
        """Say that there was no space."""
        return await self._said("POST", f"{self.path}/refused", json={"ordinal": ordinal})

    async def extends(self, seconds: int) -> httpx2.Response:
        """Ask to keep the space longer."""
        return await self.world.request("PATCH", self.path, self.token, json={"extend_s": seconds})

    async def gives_up(self) -> httpx2.Response:
        """Give the space up."""
        return await self.world.request("DELETE", self.path, self.token)

    async def _said(self, method: str, path: str, **other: Any) -> dict[str, Any]:
        answer = await self.world.request(method, path, self.token, **other)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said


@asynccontextmanager
async def running(world: World, **changes: Any) -> AsyncIterator[World]:
    """Run routing on a world's stores."""
    app = world.app = assemble(settings(**changes), world.open_stores)
    transport = httpx2.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://b") as client:
        world.client = client
        yield world


@asynccontextmanager
async def running_block(**changes: Any) -> AsyncIterator[World]:
    """Run routing on the block."""
    world = World.empty()
    await world.settle_in()
    async with running(world, **changes):
        yield world


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true; after a while fail."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s, "never came true"
        await asyncio.sleep(0.005)


def code(answer: httpx2.Response) -> tuple[int, str]:
    """Give status and code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, str(answer.json()["code"])


def of_lot(said: Mapping[str, Any], lot_id: LotId) -> dict[str, Any]:
    """Give what an answer says of one lot that was looked at."""
    found: list[dict[str, Any]] = [one for one in said["considered"] if one["lot_id"] == lot_id]
    assert len(found) == 1, said["considered"]
    return found[0]
