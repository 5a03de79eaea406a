"""Stand-ins for the services, in this process: they hold, or lie, as a test tells them."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from bowei.domain.agreements import Agreement, AgreementId, LendingWindow
from bowei.domain.lots import Entrance, Hospital, HospitalId, Lot, LotId, LotKind, Name, SpaceClass
from bowei.domain.places import Point
from bowei.records.clock import ScaledClock
from services.local.demo.asking import Asking
from services.local.demo.counting import Figures, PromiseWatch, Tally
from services.local.demo.driving import Driver
from services.local.demo.pace import Pace
from services.local.demo.people import Temper, Visit
from services.local.demo.world import World

AT = datetime(2026, 3, 1, 23, tzinfo=UTC)
SPEED = 3_600.0
PLACE = Point(30.2576, 120.1621)
HOSPITAL = HospitalId("hospital")


def lot(lot_id: str, capacity: int, *, kind: LotKind = LotKind.MALL, linked: bool = True) -> Lot:
    """Give a lot beside the hospital."""
    entrance = Entrance("e1", Name("入口", "Entrance"), PLACE)
    name = Name(f"示例{lot_id}", f"Example {lot_id}")
    return Lot(LotId(lot_id), kind, name, "Asia/Shanghai", capacity, PLACE, (entrance,), barrier_link=linked)


LOTS = (lot("own", 1, kind=LotKind.HOSPITAL), lot("mall", 20), lot("other", 20), lot("kerb", 20, linked=False))
AGREEMENTS = tuple(
    Agreement(AgreementId(one.lot_id), one.lot_id, HOSPITAL, (LendingWindow(SpaceClass.STANDARD, 10),))
    for one in LOTS[1:]
)


def block() -> World:
    """Give a block of one hospital, full, and three empty lots, an hour a second."""
    clock = ScaledClock(datetime.now(UTC), AT, SPEED)
    hospital = Hospital(HOSPITAL, Name("示例医院", "Example Hospital"), LotId("own"), PLACE, PLACE)
    world = World(LOTS, [hospital], AGREEMENTS, {}, Pace(clock, SPEED), "1")
    world.parks[LotId("own")].parked = 1
    return world


@dataclass
class StandIn:
    """Routing as far as a driver sees it: one hold on `lot_id`, kept unless told otherwise."""

    pace: Pace
    lot_id: str = "mall"
    replacement: str | None = "other"
    lifetime: timedelta = timedelta(minutes=30)
    answers: dict[str, Callable[[httpx2.Request], httpx2.Response]] = field(default_factory=dict)
    """By the last word of the path, or the method: what to say in place of the usual."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    _holds: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request."""
        word = request.url.path.rsplit("/", 1)[-1]
        self.asked.append((request.method, request.url.path))
        told = self.answers.get(word) or self.answers.get(request.method)
        return told(request) if told else self.usual(request)

    def usual(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as routing does when all is well."""
        path = request.url.path
        if path == "/v1/drivers":
            return httpx2.Response(201, json={"driver_token": "t", "expires_at": "2030-01-01T00:00:00Z"})
        if path.endswith("/gate"):
            return httpx2.Response(200, json={"state": "diverting"})
        diversion_id, step = [*path.removeprefix("/v1/diversions/").split("/"), ""][:2]
        if request.method == "DELETE":
            return httpx2.Response(204)
        if request.method == "PUT" and diversion_id not in self._holds:
            self._holds[diversion_id] = self._hold(1, self.lot_id)
            return self.said(diversion_id, 201)
        if step == "refused":
            ordinal = json.loads(request.content)["ordinal"]
            if self.replacement is None:
                self._holds[diversion_id]["state"] = "revoked"
            else:
                self._holds[diversion_id] = self._hold(ordinal + 1, self.replacement)
        if step == "arrive":
            self._holds[diversion_id]["state"] = "arrived"
        return self.said(diversion_id, 200)

    def moved(self, path: str, lot_id: str) -> httpx2.Response:
        """Say that a diversion was moved to another lot; once, however often it is asked."""
        diversion_id = path.removeprefix("/v1/diversions/")
        if self._holds[diversion_id]["lot_id"] != lot_id:
            self._holds[diversion_id] = self._hold(2, lot_id)
        return self.said(diversion_id, 200)

    def said(self, diversion_id: str, status: int) -> httpx2.Response:
        """Say how a diversion stands."""
        hold = self._holds[diversion_id]
        said = {"outcome": "held", "hold": hold, "lot": {"lot_id": hold["lot_id"]}, "route": {"drive_s": 240}}
        return httpx2.Response(status, json=said | {"considered": []})

    def _hold(self, ordinal: int, lot_id: str) -> dict[str, Any]:
        now = self.pace.now()
        return {
            "ordinal": ordinal,
            "state": "held",
            "lot_id": lot_id,
            "placed_at": _text(now),
            "expires_at": _text(now + self.lifetime),
        }


async def wait_until(seen: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Wait until a test has seen what it waits for."""
    async with asyncio.timeout(within_s):
        while not seen():  # noqa: ASYNC110  (what is waited for is the work of others)
            await asyncio.sleep(0.005)


async def drive(world: World, stand_in: StandIn, **changes: Any) -> Tally:
    """Let one visitor come, and give what the world counted."""
    tally = Tally()
    watch = PromiseWatch(tally, {one.lot_id: one for one in LOTS}, AGREEMENTS, {})
    visit = Visit(
        number=1,
        came_at=world.pace.now(),
        stay=changes.pop("stay", timedelta(minutes=30)),
        asks_early=changes.pop("asks_early", False),
        temper=changes.pop("temper", Temper.COMES),
        asks_twice=changes.pop("asks_twice", False),
        bearing_deg=90,
    )
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(stand_in), base_url="http://routing") as client:
        rng = random.Random(1)  # noqa: S311
        asking = Asking(client, tally, rng, budget_s=changes.pop("budget_s", 2.0))
        gate = world.gates[HOSPITAL]
        by_plate = frozenset(LotId(one) for one in changes.pop("by_plate", ()))
        driver = Driver(visit, gate, world, asking, asking, Figures(tally, watch), rng, by_plate=by_plate, salt="t")
        await driver.live()
    return tally


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
